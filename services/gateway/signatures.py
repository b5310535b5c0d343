"""Signatures of validators: headers, the two messages in use, and sr25519 (docs/reference/wire.md)."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from bittensor_wallet import Keypair

from services.gateway.rejection import Rejection

NONCE_VALID_S: Final = 120.0
"""Seconds around now in which a nonce is valid: clocks differ, and so do routes."""
SIGNATURE_HEX: Final = 128
"""Hexadecimal digits of an sr25519 signature of 64 bytes."""
MAX_NONCE: Final = 64
"""Characters of a nonce; both formats need about twenty."""
MAX_ADDRESS: Final = 50
"""Characters of an SS58 address; decoding takes a time that grows with the square of its length."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the headers of a request say.

    Attributes:
        validator: SS58 address of the validator's hotkey.
        miner: SS58 address of the hotkey that the request is for.
        nonce: Nanoseconds since 1970, perhaps with a suffix after `_` or `-`; used once.
        signature: 128 hexadecimal digits.
    """

    validator: str
    miner: str
    nonce: str
    signature: str

    @property
    def nonce_time(self) -> float:
        """The nonce as seconds since 1970.

        Raises:
            Rejection: 401, it does not begin with a number of nanoseconds.
        """
        digits = self.nonce.replace("-", "_").partition("_")[0]
        if not (digits.isascii() and digits.isdigit()) or len(self.nonce) > MAX_NONCE:
            raise Rejection(401, "nonce", "the nonce is not a number of nanoseconds since 1970")
        return int(digits) / 1e9


def read_credentials(headers: Mapping[str, str]) -> Credentials:
    """Read the four headers, each with or without the prefix `X-`; names are case-insensitive.

    Raises:
        Rejection: 401, one is missing or malformed; the text names it.
    """
    found = {}
    for name in ("Validator-Hotkey", "Miner-Hotkey", "Nonce", "Signature"):
        value = headers.get(name) or headers.get(f"X-{name}")
        if not value:
            raise Rejection(401, "headers", f"the header {name} is missing")
        found[name] = value.strip()
    for name in ("Validator-Hotkey", "Miner-Hotkey"):
        if len(found[name]) > MAX_ADDRESS:
            raise Rejection(401, "headers", f"{name} is not a valid SS58 address: it is too long")
    signature = found["Signature"].removeprefix("0x")
    if len(signature) != SIGNATURE_HEX or any(digit not in "0123456789abcdefABCDEF" for digit in signature):
        raise Rejection(401, "signature", "the signature is not 0x and 128 hexadecimal digits")
    return Credentials(found["Validator-Hotkey"], found["Miner-Hotkey"], found["Nonce"], signature)


def messages(credentials: Credentials, body: bytes) -> tuple[bytes, bytes]:
    """The messages that validators sign: fiber's, then turbovision's. The body is hashed as it came."""
    sha256 = hashlib.sha256(body).hexdigest()
    blake2b = hashlib.blake2b(body, digest_size=32).hexdigest()
    fiber = f"{credentials.nonce}:{credentials.miner}:{sha256}"
    return fiber.encode(), f"{credentials.nonce}{blake2b}".encode()


def check_time(credentials: Credentials, now: float | None = None) -> None:
    """Check that the nonce is of about now.

    Raises:
        Rejection: 401.
    """
    away = abs((time.time() if now is None else now) - credentials.nonce_time)
    if away > NONCE_VALID_S:
        text = (
            f"the nonce is {away:.0f} s away from this machine's clock; at most {NONCE_VALID_S:g} s are valid"
        )
        raise Rejection(401, "nonce", text)


def check_signature(credentials: Credentials, body: bytes) -> None:
    """Check the signature against both messages.

    Raises:
        Rejection: 401, the address is invalid, or the signature belongs to neither message.
    """
    try:
        key = Keypair(ss58_address=credentials.validator)
    except ValueError as error:
        raise Rejection(401, "headers", f"Validator-Hotkey is not a valid SS58 address: {error}") from error
    if Keypair(public_key=bytes(key.public_key or b"").hex()).ss58_address != credentials.validator:
        # one key has many addresses, and nonces and limits are counted by address
        raise Rejection(401, "headers", "Validator-Hotkey is not the address that the chain uses (format 42)")
    signature = bytes.fromhex(credentials.signature)
    for message in messages(credentials, body):
        try:
            if key.verify(message, signature):
                return
        except ValueError:
            continue  # 64 bytes that no signature has
    raise Rejection(401, "signature", "the signature does not belong to this body, nonce and hotkey")
