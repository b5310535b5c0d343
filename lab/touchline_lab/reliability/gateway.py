"""A gateway that can be killed, and a client of it that asks again, as a validator's does."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Final, Self

import httpx

from services.errors import StartFailed
from services.processes.embedded_valkey import free_port
from services.processes.supervised import Listener, SupervisedProcess, quiet

START_S: Final = 60.0
"""Seconds that the gateway may take until a worker is known to it."""
AGAIN_S: Final = 0.2
"""Seconds until the client asks again after its connection broke."""


class GatewayProcess:
    """`touchline gateway` on a port of its own; a context manager.

    Args:
        redis_url: Where it enqueues challenges.
        listener: Gets its log lines.
    """

    def __init__(self, redis_url: str, listener: Listener = quiet) -> None:
        self.port = free_port()
        self._env: Mapping[str, str] = {
            "REDIS_URL": redis_url,
            "VERIFY_ENABLED": "0",
            "BLACKLIST_ENABLED": "0",
            "ALLOW_PRIVATE_ADDRESSES": "1",
            "SERVED_KINDS": "gsr",
            "GATEWAY_PORT": str(self.port),
        }
        self._listener = listener
        self._part = self._made()

    def __enter__(self) -> Self:
        self._part.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._part.stop()

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def wait_until_ready(self) -> None:
        """Wait until it knows of a warm worker.

        Raises:
            StartFailed: It does not in time.
        """
        end = time.monotonic() + START_S
        while time.monotonic() < end:
            self._part.check()
            try:
                if httpx.get(f"{self.url}/readyz", trust_env=False).is_success:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.1)
        raise StartFailed(f"the gateway is not ready within {START_S:.0f} s")

    def kill(self) -> None:
        """Kill it; `restart` brings it back on the same port."""
        self._part.kill()

    def restart(self) -> None:
        """Start it again after it has ended."""
        self._part = self._made()
        self._part.start()

    def _made(self) -> SupervisedProcess:
        argv = [sys.executable, "-P", "-m", "services.cli.main", "gateway"]
        return SupervisedProcess("gateway", argv, self._env, self._listener)


class HttpCaller(threading.Thread):
    """Asks a gateway for one challenge, and again while the connection breaks.

    Attributes:
        challenge_id: The challenge.
        ended: When its outcome was there, by `time.monotonic`; 0 while it waits.
        outcome: In a word: `answer`, the error's type, or `nothing` while it waits.
    """

    def __init__(self, gateway_url: str, challenge_id: str, video_url: str, deadline_s: float) -> None:
        super().__init__(daemon=True, name=f"caller-{challenge_id}")
        self.challenge_id = challenge_id
        self.ended = 0.0
        self.outcome = "nothing"
        self._gateway_url = gateway_url
        self._body = {"challenge_id": challenge_id, "type": "gsr", "video_url": video_url}
        self._deadline = time.monotonic() + deadline_s
        self.start()

    def run(self) -> None:
        """Ask."""
        with httpx.Client(base_url=self._gateway_url, timeout=None, trust_env=False) as client:
            while time.monotonic() < self._deadline:
                try:
                    response = client.post("/soccer/challenge", json=self._body)
                except httpx.TransportError:
                    time.sleep(AGAIN_S)
                else:
                    self.outcome = "answer" if response.is_success else str(response.json()["error"])
                    break
        self.ended = time.monotonic()
