"""Which URLs and addresses may be fetched from. Every connection of the pool passes here."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import httpx

from services.download.origins import ascii_url
from services.errors import UrlRefused
from services.settings import Settings

SPOT_CHECK_PROXY: Final = "video-proxy"
"""The host from which spot checks have the clip fetched, over plain http and inside their own network.

Source: score-technologies/turbovision, scorevision/spotcheck/orchestrator (docs/reference/wire.md)."""


@dataclass(frozen=True, slots=True)
class UrlGuard:
    """The rules, read off the settings.

    Attributes:
        allowed_hosts: Lower-case names; `*.name` takes every subdomain of it, `*` takes all.
        allow_http: Whether `http://` is accepted besides `https://`.
        allow_private: Whether loopback, private and link-local addresses are accepted.
        proxy_host: A host that is fetched from over http as well, wherever it is; None: no such host.
    """

    allowed_hosts: tuple[str, ...]
    allow_http: bool
    allow_private: bool
    proxy_host: str | None = None

    @classmethod
    def from_settings(cls, settings: Settings) -> UrlGuard:
        """The guard that the settings describe."""
        hosts = tuple(host.lower() for host in settings.allowed_hosts)
        proxy_host = SPOT_CHECK_PROXY if settings.spotcheck_mode else None
        return cls(hosts, settings.allow_http, settings.allow_private_addresses, proxy_host)

    def check_url(self, url: str) -> str:
        """Check a URL before anything is sent.

        Returns:
            The URL as it is requested (`ascii_url`).

        Raises:
            UrlRefused: It is not one that this deployment fetches; the text says which setting allows it.
        """
        try:
            plain = ascii_url(url)
            parts = urlsplit(plain)
            host, port = parts.hostname, parts.port
            names = {host} if host else set()
            if host is not None and "xn--" in host:
                names.add(httpx.URL(plain).host)  # as people write it
        except (ValueError, httpx.InvalidURL) as error:
            raise UrlRefused(f"{url[:200]!r} is not a URL: {error}") from error
        if parts.scheme not in ("https", "http") or not host:
            raise UrlRefused(f"{url[:200]!r} is not an https URL")
        if parts.username or parts.password:
            raise UrlRefused("a URL with user name or password is not fetched")
        if host == self.proxy_host:
            return plain
        if parts.scheme == "http" and not self.allow_http:
            raise UrlRefused(f"{url[:200]!r} is not https; ALLOW_HTTP=1 accepts plain http")
        if port is not None and not self.allow_private and port not in (80, 443, 8080, 8443):
            raise UrlRefused(f"port {port} is not a web port; ALLOW_PRIVATE_ADDRESSES=1 accepts every port")
        if not any(self._matches(name, pattern) for name in names for pattern in self.allowed_hosts):
            raise UrlRefused(f"host {host!r} is not in ALLOWED_HOSTS")
        return plain

    def check_address(self, host: str, address: str) -> None:
        """Check the address that a host name led to; called at connect, so that DNS cannot lead inside.

        Raises:
            UrlRefused: The address is not public and the settings allow only public ones.
        """
        if self.allow_private or host == self.proxy_host:
            return
        ip = ipaddress.ip_address(address.split("%")[0])
        mapped = getattr(ip, "ipv4_mapped", None)
        if not (mapped or ip).is_global or (mapped or ip).is_multicast:
            raise UrlRefused(
                f"{host!r} leads to {address}, which is not a public address; "
                "ALLOW_PRIVATE_ADDRESSES=1 accepts it"
            )

    @staticmethod
    def _matches(host: str, pattern: str) -> bool:
        if pattern == "*":
            return True
        if pattern.startswith("*."):
            return host.endswith(pattern[1:])
        return host == pattern
