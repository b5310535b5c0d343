"""Origins that operators meet: nginx, and the HTTP/2 server of Node, over TLS on the loopback."""

from __future__ import annotations

import os
import signal
import socket
import time
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import trustme

from services.processes.embedded_valkey import free_port
from services.processes.process_tree import send_signal
from services.processes.supervised import SupervisedProcess

START_S: Final = 60.0
"""Seconds that a server may take until it listens."""
NODE_SERVER: Final = Path(__file__).with_name("http2_origin.mjs")


class RealOrigin(ABC):
    """A server process with a certificate of its own; a context manager.

    Args:
        folder: For its configuration, certificate and files.
        body: What it serves as `clip.mp4`.

    Attributes:
        ca_file: The authority that signed its certificate.
        port: Where it listens.
    """

    def __init__(self, folder: Path, body: bytes) -> None:
        self.folder = folder
        (folder / "served").mkdir()
        (folder / "served/clip.mp4").write_bytes(body)
        authority = trustme.CA()
        self.ca_file = folder / "ca.pem"
        authority.cert_pem.write_to_path(str(self.ca_file))
        certificate = authority.issue_cert("127.0.0.1")
        certificate.private_key_pem.write_to_path(str(folder / "key.pem"))
        certificate.cert_chain_pems[0].write_to_path(str(folder / "certificate.pem"))
        self.port = free_port()
        self._part: SupervisedProcess | None = None

    @property
    def url(self) -> str:
        """The address of the clip."""
        return f"https://127.0.0.1:{self.port}/clip.mp4"

    @abstractmethod
    def argv(self) -> list[str]:
        """The command that serves."""

    def __enter__(self) -> Self:
        self._part = SupervisedProcess("origin", self.argv())
        self._part.start()
        end = time.monotonic() + START_S
        while True:
            self._part.check()
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.02)
            else:
                return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._part is not None
        self._part.stop()

    def kill_and_start(self) -> None:
        """Kill it, with all of its processes, and start it again on the same port."""
        assert self._part is not None
        self._part.kill()
        self.__enter__()


class Nginx(RealOrigin):
    """nginx with two processes.

    Args:
        folder: As for `RealOrigin`.
        body: As for `RealOrigin`.
        directives: Further ones of its `server` block.
        http2: Whether it speaks HTTP/2.
        shared: Further directives of its `http` block.
    """

    def __init__(
        self, folder: Path, body: bytes, directives: str = "", *, http2: bool = True, shared: str = ""
    ) -> None:
        super().__init__(folder, body)
        self._directives, self._http2, self._shared = directives, http2, shared

    def argv(self) -> list[str]:
        """See `RealOrigin`."""
        folder = self.folder
        # as root it would read the files as another user, who may not enter a test's folder
        user = "user root;" if os.geteuid() == 0 else ""
        temporary = " ".join(
            f"{name}_temp_path {folder}/{name};"
            for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        (folder / "nginx.conf").write_text(
            f"{user} daemon off; worker_processes 2; pid {folder}/nginx.pid; error_log {folder}/error.log;\n"
            "events { worker_connections 256; }\n"
            f"http {{ access_log off; {temporary} types {{ video/mp4 mp4; }} {self._shared}\n"
            f"server {{ listen 127.0.0.1:{self.port} ssl {'http2' if self._http2 else ''};\n"
            f"ssl_certificate {folder}/certificate.pem; ssl_certificate_key {folder}/key.pem;\n"
            f"root {folder}/served; {self._directives} }} }}\n"
        )
        return ["nginx", "-e", f"{folder}/error.log", "-p", str(folder), "-c", f"{folder}/nginx.conf"]

    def reload(self) -> None:
        """Have new processes take over, as after a change of the configuration."""
        send_signal(int((self.folder / "nginx.pid").read_text()), signal.SIGHUP)


class NodeServer(RealOrigin):
    """Node's HTTP/2 server as it is made by default: it states no limit of streams."""

    def argv(self) -> list[str]:
        """See `RealOrigin`."""
        return ["node", str(NODE_SERVER), str(self.folder), str(self.port)]
