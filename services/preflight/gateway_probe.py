"""What a validator meets at the gateway's address: plain HTTP, `/docs`, and a signed request."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from typing import Final

import httpx
from bittensor_wallet import Keypair

from services.preflight.finding import Finding, failed, ok, unknown

TIMEOUT_S: Final = 10.0
"""Seconds that each probe waits."""
_REACHABLE: Final = "reachable over plain HTTP"
_DOCS: Final = "/docs"
_SIGNED: Final = "signed requests"
_ROUTE: Final = "/challenge"
_PORT: Final = "open the port in firewall and router, and check that `touchline gateway` listens on 0.0.0.0"


def probe(url: str | None, hotkey: str | None) -> Iterator[Finding]:
    """Ask the gateway what a validator asks.

    Args:
        url: Where it is, `http://host:port`; without one nothing is asked.
        hotkey: The miner's hotkey, which signed requests name; without one no signed request is sent.
    """
    if url is None:
        for check in (_REACHABLE, _DOCS, _SIGNED):
            advice = "name the gateway's public address with --url http://IP:PORT"
            yield unknown(check, "the address is not known", advice)
        return
    with httpx.Client(base_url=url.rstrip("/"), timeout=TIMEOUT_S, trust_env=False) as client:
        try:
            available = client.get("/availability")
            docs = client.get("/docs")
        except httpx.HTTPError as error:
            yield failed(_REACHABLE, f"{url}: {type(error).__name__}: {error}", _PORT)
            yield from _not_asked()
            return
        if available.status_code != httpx.codes.OK:
            yield failed(_REACHABLE, f"{url}/availability answers {available.status_code}", _PORT)
            yield from _not_asked()
            return
        yield ok(_REACHABLE, f"{url}, as seen from this machine; run this elsewhere to see it from outside")
        if docs.status_code == httpx.codes.OK:
            yield ok(_DOCS, "200: a worker is warm")
        else:
            text = f"{docs.status_code}: spot checks wait for 200"
            yield failed(_DOCS, text, "start a worker, and wait until `touchline doctor` calls it ready")
        yield _signed(client, hotkey)


def _not_asked() -> Iterator[Finding]:
    for check in (_DOCS, _SIGNED):
        yield unknown(check, "the gateway cannot be asked", "mend what is said of its address first")


def _signed(client: httpx.Client, hotkey: str | None) -> Finding:
    name = _SIGNED
    if hotkey is None:
        return unknown(name, "the hotkey is not known", "set MINER_HOTKEY")
    # a key that no metagraph has: headers, hotkey and clock are checked, and nothing is worked on
    key = Keypair.create_from_mnemonic(Keypair.generate_mnemonic())
    body = json.dumps({"challenge_id": f"preflight-{time.time_ns()}"}).encode()
    nonce = str(time.time_ns())
    message = nonce + hashlib.blake2b(body, digest_size=32).hexdigest()
    headers = {
        "Validator-Hotkey": key.ss58_address,
        "Miner-Hotkey": hotkey,
        "Nonce": nonce,
        "Signature": "0x" + bytes(key.sign(message.encode())).hex(),
        "Content-Type": "application/json",
    }
    try:
        given = client.post(_ROUTE, content=body, headers=headers)
    except httpx.HTTPError as error:
        return failed(name, f"{type(error).__name__}: {error}", _PORT)
    reason = _reason(given)
    if given.status_code == httpx.codes.UNAUTHORIZED:
        advice = "compare MINER_HOTKEY with the hotkey on the chain, and set this machine's clock (NTP)"
        return failed(name, f"a correctly signed request is refused: {reason}", advice)
    if given.status_code == httpx.codes.FORBIDDEN:
        return ok(name, f"headers, hotkey and clock are accepted; a stranger is refused ({reason})")
    if given.status_code == httpx.codes.UNPROCESSABLE_ENTITY:
        # the request names nothing to look at: that was read, so that whoever asks is answered
        return failed(
            name,
            "strangers are answered",
            "set VERIFY_ENABLED=1, BLACKLIST_ENABLED=1 and SPOTCHECK_MODE=0 outside of spot checks",
        )
    advice = "read the gateway's log and /readyz, and repeat this in a minute"
    return failed(name, f"POST {_ROUTE} answers {given.status_code}: {reason}", advice)


def _reason(response: httpx.Response) -> str:
    try:
        return str(response.json().get("detail") or response.json().get("error"))
    except (ValueError, AttributeError):
        return response.text[:100]
