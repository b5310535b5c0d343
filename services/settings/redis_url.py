"""The address of Redis in the forms that redis-py and Celery read.

Both accept more than the other understands: redis-py reads `unix://` and the certificate modes `none`,
`optional` and `required`; Celery's transport reads `redis+socket://` and, without a mode, checks no
certificate at all.
"""

from __future__ import annotations

from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

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


def check_redis_url(url: str) -> str:
    """Check an address and give it in the form that redis-py reads.

    A `rediss://` address without a certificate mode gets `required`: the server's certificate is checked.

    Args:
        url: `redis://`, `rediss://` or `unix://`.

    Raises:
        ValueError: The address has an option or a value that redis-py and Celery do not both support.
    """
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    allowed = {"redis": {"db"}, "rediss": {"db"} | _CERTIFICATE_OPTIONS, "unix": {"db"}}[parts.scheme]
    unknown = sorted(set(options) - allowed)
    if unknown:
        raise ValueError(
            f"the option {unknown[0]} is not supported; a {parts.scheme}:// address may have: "
            + ", ".join(sorted(allowed))
        )
    database = options.pop("db", "" if parts.scheme == "unix" else parts.path.strip("/")) or "0"
    if not database.isdecimal():
        raise ValueError(f"the database must be a number, not {database!r}")
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
    parts = urlsplit(url)
    if parts.scheme != "unix":
        return url
    database = dict(parse_qsl(parts.query)).get("db", "0")
    return f"redis+socket://{parts.netloc}{parts.path}?virtual_host={database}"
