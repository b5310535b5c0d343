"""The address of Redis in the forms that redis-py and Celery read.

Both accept more than the other understands: redis-py reads `unix://` and the certificate modes `none`,
`optional` and `required`; Celery's transport reads `redis+socket://` and, without a mode, checks no
certificate at all. For servers behind Sentinel redis-py reads no address, and Celery's transport a list.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

SENTINEL_SCHEME = "redis+sentinel"
"""Scheme of `redis+sentinel://[USER:PASSWORD@]HOST:PORT,HOST:PORT/NAME/DATABASE`."""
_SENTINEL_PORT = 26379
"""Where Sentinels listen if the address names no port."""

_MODES = {
    "required": "required",
    "optional": "optional",
    "none": "none",
    "cert_required": "required",
    "cert_optional": "optional",
    "cert_none": "none",
}
"""Certificate modes as redis-py, Celery and the providers of managed servers write them."""

_CERTIFICATE_OPTIONS = {
    "ssl_cert_reqs",
    "ssl_ca_certs",
    "ssl_certfile",
    "ssl_keyfile",
    "ssl_check_hostname",
}


@dataclass(frozen=True, slots=True)
class SentinelAddress:
    """Servers whose primary is named by Sentinels.

    Attributes:
        sentinels: Host and port of each Sentinel.
        name: What they call the group of servers.
        database: Number of the database.
        username: User of the servers, not of the Sentinels; None for the default one.
        password: Its password.
    """

    sentinels: tuple[tuple[str, int], ...]
    name: str
    database: int
    username: str | None
    password: str | None


def sentinel_address(url: str) -> SentinelAddress | None:
    """Read an address of servers behind Sentinel; None for any other.

    Raises:
        ValueError: It names no Sentinel or no group of servers, or has options.
    """
    # newer versions of urlsplit refuse several hosts of which one is an IPv6 address
    scheme, _, rest = url.partition("://")
    if scheme != SENTINEL_SCHEME:
        return None
    if "?" in rest:
        raise ValueError(f"a {SENTINEL_SCHEME}:// address has no options: TLS is not supported with it")
    netloc, _, path = rest.partition("/")
    credentials, _, hosts = netloc.rpartition("@")
    username, _, password = credentials.partition(":")
    found = [urlsplit(f"//{host}") for host in hosts.split(",")]
    name, _, database = path.strip("/").partition("/")
    if not name or not all(host.hostname for host in found):
        raise ValueError(f"it must be {SENTINEL_SCHEME}://HOST:PORT,HOST:PORT/NAME, with Sentinel's NAME")
    return SentinelAddress(
        tuple((host.hostname or "", host.port or _SENTINEL_PORT) for host in found),
        unquote(name),
        int(_checked_database(database)),
        unquote(username) or None,
        unquote(password) or None,
    )


def check_redis_url(url: str) -> str:
    """Check an address and give it in the form that redis-py reads.

    A `rediss://` address without a certificate mode gets `required`: the server's certificate is checked.

    Args:
        url: `redis://`, `rediss://`, `unix://` or `redis+sentinel://`.

    Raises:
        ValueError: The address has an option or a value that redis-py and Celery do not both support.
    """
    if sentinel_address(url) is not None:
        return url
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    allowed = {"redis": {"db"}, "rediss": {"db"} | _CERTIFICATE_OPTIONS, "unix": {"db"}}[parts.scheme]
    unknown = sorted(set(options) - allowed)
    if unknown:
        raise ValueError(
            f"the option {unknown[0]} is not supported; a {parts.scheme}:// address may have: "
            + ", ".join(sorted(allowed))
        )
    database = _checked_database(options.pop("db", "" if parts.scheme == "unix" else parts.path.strip("/")))
    if parts.scheme == "unix":
        return f"unix://{parts.netloc}{parts.path}?db={database}"
    if not parts.hostname:
        raise ValueError("the address names no host")
    if parts.scheme == "rediss":
        mode = options.get("ssl_cert_reqs", "required")
        if mode.lower() not in _MODES:
            raise ValueError(f"ssl_cert_reqs={mode} must be required, optional or none")
        options["ssl_cert_reqs"] = _MODES[mode.lower()]
        if options["ssl_cert_reqs"] == "none":
            options["ssl_check_hostname"] = "false"
    return urlunsplit(parts._replace(path=f"/{database}", query=urlencode(options, quote_via=quote)))


def celery_url(url: str) -> str:
    """An address from `check_redis_url` in the form that Celery's transport reads."""
    behind = sentinel_address(url)
    if behind is not None:
        user = quote(behind.username or "", safe="")
        secret = f"{user}:{quote(behind.password, safe='')}@" if behind.password else ""
        hosts = [f"{_bracketed(host)}:{port}" for host, port in behind.sentinels]
        return ";".join(f"sentinel://{secret}{host}/{behind.database}" for host in hosts)
    parts = urlsplit(url)
    if parts.scheme != "unix":
        return url
    database = dict(parse_qsl(parts.query)).get("db", "0")
    return f"redis+socket://{parts.netloc}{parts.path}?virtual_host={database}"


def _checked_database(text: str) -> str:
    database = text or "0"
    if not database.isdecimal():
        raise ValueError(f"the database must be a number, not {database!r}")
    return database


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
