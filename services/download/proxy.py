"""The HTTP proxy through which connections are opened where USE_PROXY says so (RFC 9110, section 9.3.6)."""

from __future__ import annotations

import base64
import ipaddress
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlsplit

import h11
import httpcore

from services.errors import SettingsError
from services.settings import Settings

DEFAULT_PORT: Final = 8080
"""Port of a proxy whose URL names none."""
_READ_BYTES: Final = 4096
"""Bytes read at a time of a proxy's answer, which has a few hundred."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy that opens tunnels.

    Attributes:
        host: Its name or address.
        port: Its port.
        authorization: Value of `Proxy-Authorization`; empty without a user name.
        exempt: Hosts that are reached without it: names with their subdomains, addresses, networks; `*`: all.
    """

    host: str
    port: int
    authorization: str
    exempt: tuple[str, ...]

    @classmethod
    def from_settings(cls, settings: Settings) -> Proxy | None:
        """The proxy that the settings name; None when none is to be used.

        Raises:
            SettingsError: HTTPS_PROXY is not the URL of an HTTP proxy.
        """
        if not settings.use_proxy:
            return None
        text = settings.https_proxy or ""
        try:
            parts = urlsplit(text if "://" in text else f"http://{text}")
            host, port = parts.hostname, parts.port or DEFAULT_PORT
        except ValueError as error:
            raise SettingsError(f"HTTPS_PROXY is not a URL: {error}") from error
        if parts.scheme != "http" or not host:
            raise SettingsError("USE_PROXY=1 needs HTTPS_PROXY=http://host:port; there are no other proxies")
        user = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
        token = base64.b64encode(user.encode()).decode() if parts.username else ""
        return cls(host, port, f"Basic {token}" if token else "", settings.no_proxy)

    def serves(self, host: str) -> bool:
        """Whether connections to a host go through it."""
        return not any(_matches(host.lower(), entry.lower()) for entry in self.exempt)

    def open_tunnel(self, stream: httpcore.NetworkStream, host: str, port: int, timeout: float) -> None:
        """Have the proxy connect to a host; afterwards the stream leads there.

        Raises:
            httpcore.ConnectError: The proxy refuses.
            httpcore.NetworkError, httpcore.TimeoutException
        """
        target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        headers = [("host", target)]
        if self.authorization:
            headers.append(("proxy-authorization", self.authorization))
        exchange = h11.Connection(h11.CLIENT)
        stream.write(
            exchange.send(h11.Request(method="CONNECT", target=target, headers=headers)) or b"", timeout
        )
        try:
            while not isinstance(event := exchange.next_event(), h11.Response):
                if event is h11.NEED_DATA:
                    data = stream.read(_READ_BYTES, timeout)
                    if not data:
                        raise httpcore.ConnectError(f"the proxy {self.host} closed the connection")
                    exchange.receive_data(data)
        except h11.ProtocolError as error:
            raise httpcore.ConnectError(f"the proxy {self.host} broke off: {error}") from error
        if not 200 <= event.status_code < 300:
            raise httpcore.ConnectError(f"the proxy {self.host} answered {event.status_code} for {target}")


def _matches(host: str, entry: str) -> bool:
    if entry == "*":
        return True
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        name = entry.removeprefix("*").removeprefix(".")
        return host == name or host.endswith(f".{name}")
