"""Gateways for tests, in this process, with validators that sign as the official ones do."""

from __future__ import annotations

import hashlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import redis
import uvicorn
from bittensor_wallet import Keypair

from services.gateway.app import make_app
from services.gateway.connections import BoundedConnection
from services.settings import load_settings

VALIDATOR = Keypair.create_from_uri("//Alice")
POOR = Keypair.create_from_uri("//Bob")
NO_PERMIT = Keypair.create_from_uri("//Eve")
MINER = Keypair.create_from_uri("//Charlie").ss58_address
METAGRAPH = {
    "block": 1,
    "neurons": [
        {"hotkey": VALIDATOR.ss58_address, "stake": 5000, "validator_permit": True},
        {"hotkey": POOR.ss58_address, "stake": 5, "validator_permit": True},
        {"hotkey": NO_PERMIT.ss58_address, "stake": 5000, "validator_permit": False},
    ],
}
CLIP = "https://127.0.0.1/clip.mp4"


@contextmanager
def running(redis_url: str, **settings: Any) -> Iterator[httpx.Client]:
    """A gateway on a port of its own, and a client of it."""
    made = load_settings(
        redis_url=redis_url, allow_private_addresses=True, allowed_hosts=("127.0.0.1",), **settings
    )
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(256)
        config = uvicorn.Config(make_app(made), log_level="warning", http=BoundedConnection, ws="none")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        try:
            with httpx.Client(base_url=address, timeout=60, trust_env=False) as client:
                client.get("/healthz")
                yield client
        finally:
            server.should_exit = True
            thread.join()


def body_of(url: str = CLIP, name: str = "gateway-1") -> bytes:
    """A request of the GSR track."""
    return json.dumps({"challenge_id": name, "type": "gsr", "video_url": url, "created_at": None}).encode()


def turbovision_message(nonce: str, body: bytes, miner: str) -> str:
    """What validators of the private track sign."""
    return nonce + hashlib.blake2b(body, digest_size=32).hexdigest()


def fiber_message(nonce: str, body: bytes, miner: str) -> str:
    """What validators of the GSR track sign."""
    return f"{nonce}:{miner}:{hashlib.sha256(body).hexdigest()}"


def headers_of(
    body: bytes,
    key: Keypair = VALIDATOR,
    nonce: str | None = None,
    miner: str = MINER,
    message: Callable[[str, bytes, str], str] = turbovision_message,
    prefix: str = "X-",
) -> dict[str, str]:
    """The headers of a signed request."""
    nonce = nonce or str(time.time_ns())
    found = {
        "Validator-Hotkey": key.ss58_address,
        "Miner-Hotkey": miner,
        "Nonce": nonce,
        "Signature": "0x" + bytes(key.sign(message(nonce, body, miner).encode())).hex(),
    }
    return {prefix + name: value for name, value in found.items()}


def queued(redis_url: str) -> list[bytes]:
    """The messages that wait."""
    with redis.Redis.from_url(redis_url) as client:
        found: list[bytes] = client.lrange("touchline", 0, -1)
        return found
