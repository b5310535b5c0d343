"""Signatures with real key pairs."""

from __future__ import annotations

import hashlib
import time

import pytest
from bittensor_wallet import Keypair

from services.gateway.rejection import Rejection
from services.gateway.signatures import Credentials, check_signature, check_time, messages, read_credentials

VALIDATOR = Keypair.create_from_uri("//Alice")
ED25519 = 0
OTHER = Keypair.create_from_uri("//Bob")
MINER = Keypair.create_from_uri("//Charlie").ss58_address
BODY = b'{"challenge_id": "1", "video_url": "https://x/y.mp4"}'


def fiber(nonce: str, body: bytes = BODY, miner: str = MINER) -> bytes:
    return f"{nonce}:{miner}:{hashlib.sha256(body).hexdigest()}".encode()


def turbovision(nonce: str, body: bytes = BODY) -> bytes:
    return (nonce + hashlib.blake2b(body, digest_size=32).hexdigest()).encode()


def signed(message: bytes, nonce: str, key: Keypair = VALIDATOR) -> Credentials:
    return Credentials(VALIDATOR.ss58_address, MINER, nonce, bytes(key.sign(message)).hex())


def ss58(public_key: bytes, ss58_format: int) -> str:
    """The address of a key in a format (https://docs.substrate.io/reference/address-formats)."""
    low, high = ss58_format & 0b1111_1111_1111_1100, ss58_format & 0b11
    prefix = (
        bytes([ss58_format])
        if ss58_format < 64
        else bytes([(low >> 2) & 63 | 64, ss58_format >> 8 | high << 6])
    )
    body = prefix + public_key
    number = int.from_bytes(body + hashlib.blake2b(b"SS58PRE" + body).digest()[:2], "big")
    text = ""
    while number:
        number, digit = divmod(number, 58)
        text = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"[digit] + text
    return "1" * (len(body) - len(body.lstrip(b"\0"))) + text


def test_the_encoder_of_these_tests_gives_the_known_address() -> None:
    assert ss58(bytes(VALIDATOR.public_key), 42) == VALIDATOR.ss58_address


def now() -> str:
    return str(time.time_ns())


@pytest.mark.parametrize("message", [fiber, turbovision])
def test_both_messages_in_use_are_understood(message) -> None:
    nonce = now()
    check_signature(signed(message(nonce), nonce), BODY)


def test_the_messages_are_those_of_the_contract() -> None:
    credentials = Credentials("v", "m", "123", "")
    sha256, blake2b = hashlib.sha256(b"x").hexdigest(), hashlib.blake2b(b"x", digest_size=32).hexdigest()
    assert messages(credentials, b"x") == (f"123:m:{sha256}".encode(), f"123{blake2b}".encode())


@pytest.mark.parametrize(
    "body",
    [
        BODY + b" ",
        BODY[:-1],
        BODY.replace(b'", "', b'","'),
        b'{"video_url": "https://x/y.mp4", "challenge_id": "1"}',
    ],
    ids=["longer", "truncated", "other spaces", "reordered"],
)
@pytest.mark.parametrize("message", [fiber, turbovision])
def test_another_body_than_the_signed_one_is_refused(message, body: bytes) -> None:
    nonce = now()
    with pytest.raises(Rejection, match="does not belong") as refused:
        check_signature(signed(message(nonce), nonce), body)
    assert refused.value.status == 401


def test_a_signature_of_somebody_else_is_refused() -> None:
    nonce = now()
    with pytest.raises(Rejection, match="does not belong"):
        check_signature(signed(turbovision(nonce), nonce, OTHER), BODY)


def test_a_signature_for_another_miner_is_refused() -> None:
    nonce = now()
    with pytest.raises(Rejection, match="does not belong"):
        check_signature(signed(fiber(nonce, miner=OTHER.ss58_address), nonce), BODY)


def test_a_signature_of_another_scheme_is_refused() -> None:
    nonce = now()
    other = Keypair.create_from_uri("//Alice", crypto_type=ED25519)
    signature = bytes(other.sign(turbovision(nonce)))
    assert other.verify(turbovision(nonce), signature), "it is valid, in its own scheme"
    with pytest.raises(Rejection, match="does not belong"):
        check_signature(Credentials(other.ss58_address, MINER, nonce, signature.hex()), BODY)


def test_any_64_bytes_are_not_a_signature() -> None:
    with pytest.raises(Rejection, match="does not belong"):
        check_signature(Credentials(VALIDATOR.ss58_address, MINER, now(), "ab" * 64), BODY)


def test_an_invalid_address_is_named() -> None:
    with pytest.raises(Rejection, match="not a valid SS58 address"):
        check_signature(Credentials("5xyz", MINER, now(), "ab" * 64), BODY)


@pytest.mark.parametrize("ss58_format", [0, 2, 5, 1000])
def test_another_address_of_the_same_key_is_refused(ss58_format: int) -> None:
    """A nonce would be used again under it."""
    nonce = now()
    address = ss58(bytes(VALIDATOR.public_key), ss58_format)
    assert bytes(Keypair(ss58_address=address).public_key) == bytes(VALIDATOR.public_key)
    signature = bytes(VALIDATOR.sign(turbovision(nonce))).hex()
    with pytest.raises(Rejection, match="format 42"):
        check_signature(Credentials(address, MINER, nonce, signature), BODY)


def test_an_address_that_would_take_long_to_decode_is_refused_at_once() -> None:
    headers = {"Validator-Hotkey": "5" * 60_000, "Miner-Hotkey": "m", "Nonce": "1"}
    with pytest.raises(Rejection, match="too long"):
        read_credentials(headers | {"Signature": "0x" + "ab" * 64})


@pytest.mark.parametrize("away", [-119, 0, 119])
def test_nonces_of_about_now_are_valid(away: int) -> None:
    check_time(Credentials("v", "m", str((1_000_000 + away) * 10**9), ""), now=1_000_000.0)


@pytest.mark.parametrize(
    "nonce", [str((1_000_000 - 121) * 10**9), str((1_000_000 + 121) * 10**9), "", "abc", "²", "1" * 80]
)
def test_stale_future_and_malformed_nonces_are_refused(nonce: str) -> None:
    with pytest.raises(Rejection) as refused:
        check_time(Credentials("v", "m", nonce, ""), now=1_000_000.0)
    assert (refused.value.status, refused.value.reason) == (401, "nonce")


@pytest.mark.parametrize("prefix", ["", "X-"])
def test_headers_come_with_and_without_a_prefix(prefix: str) -> None:
    headers = {"Validator-Hotkey": "v", "Miner-Hotkey": "m", "Nonce": "1", "Signature": "0x" + "ab" * 64}
    assert read_credentials({prefix + name: value for name, value in headers.items()}) == Credentials(
        "v", "m", "1", "ab" * 64
    )


@pytest.mark.parametrize("missing", ["Validator-Hotkey", "Miner-Hotkey", "Nonce", "Signature"])
def test_a_missing_header_is_named(missing: str) -> None:
    headers = {"Validator-Hotkey": "v", "Miner-Hotkey": "m", "Nonce": "1", "Signature": "0x" + "ab" * 64}
    del headers[missing]
    with pytest.raises(Rejection, match=missing):
        read_credentials(headers)


@pytest.mark.parametrize("signature", ["0x", "0x" + "ab" * 63, "0x" + "zz" * 64, "ab" * 65])
def test_a_signature_that_is_no_hexadecimal_of_64_bytes_is_refused(signature: str) -> None:
    headers = {"Validator-Hotkey": "v", "Miner-Hotkey": "m", "Nonce": "1", "Signature": signature}
    with pytest.raises(Rejection, match="128 hexadecimal"):
        read_credentials(headers)
