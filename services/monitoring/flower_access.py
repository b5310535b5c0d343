"""Who may see Flower: nobody without a password, except on this machine."""

from __future__ import annotations

import ipaddress
import logging
import secrets

log = logging.getLogger(__name__)

USER = "touchline"


def login_for(configured: str | None, address: str) -> str | None:
    """The `user:password` that Flower asks for, also for `/metrics`; None: it asks for none.

    Args:
        configured: FLOWER_BASIC_AUTH.
        address: The address that Flower listens on. Where other machines reach it and no password is
            configured, one is made up and logged: Flower can stop workers.
    """
    if configured is not None or _is_loopback(address):
        return configured
    password = secrets.token_urlsafe(16)
    log.warning(
        "FLOWER_BASIC_AUTH is not set and Flower listens on %s: its user is %s, its password %s",
        address or "all addresses",
        USER,
        password,
    )
    return f"{USER}:{password}"


def _is_loopback(address: str) -> bool:
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
