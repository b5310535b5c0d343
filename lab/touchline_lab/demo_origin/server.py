"""A real TLS + HTTP/2 origin for demo and tests, in a thread of its own.

    client ──TCP──▶ relay (set-up delays, connection counts) ──TCP──▶ hypercorn (TLS, h2) ──▶ files

The certificate is signed by a certificate authority that is made for this origin; clients have to trust
`ca_file`.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import tempfile
import threading
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import TypeVar
from urllib.parse import quote, urlencode

import trustme
from hypercorn.asyncio import serve
from hypercorn.config import Config

from touchline_lab.demo_origin.app import FolderApp
from touchline_lab.demo_origin.faults import Fault
from touchline_lab.demo_origin.log import OriginLog, OriginRequest, OriginStats
from touchline_lab.demo_origin.setup_delay import NO_DELAYS, SEED_DELAYS, DelayRelay, SetupDelays

__all__ = [
    "NO_DELAYS",
    "SEED_DELAYS",
    "DemoOrigin",
    "Fault",
    "OriginRequest",
    "OriginStats",
    "SetupDelays",
]

T = TypeVar("T")
HOST = "127.0.0.1"
"""Address that the origin listens on, unless it has a name of its own."""
_LOG = logging.getLogger("touchline.demo.origin")


class DemoOrigin:
    """Serves one folder over TLS + HTTP/2 (or less) on a free port of the loopback; a context manager.

    Args:
        folder: Folder of the files that are served.
        setup_delays: Delays of every new connection; `SEED_DELAYS` for the demo.
        http2: Whether HTTP/2 is offered; without it clients get HTTP/1.1.
        tls: Whether the origin uses TLS; without it clients get HTTP/1.1 in plain text.
        ranges: Whether byte ranges are offered.
        keep_alive_s: Seconds after which an idle connection is closed, as real origins do.
        port: The port to listen on; 0 takes a free one.
        name: Host name in its URLs; with another name than the default it listens on all interfaces.
    """

    def __init__(
        self,
        folder: Path | str,
        setup_delays: SetupDelays = NO_DELAYS,
        *,
        http2: bool = True,
        tls: bool = True,
        ranges: bool = True,
        keep_alive_s: float = 75.0,
        port: int = 0,
        name: str = HOST,
    ) -> None:
        self._folder = Path(folder)
        self._delays = setup_delays
        self._http2 = http2
        self._tls = tls
        self._ranges = ranges
        self._keep_alive_s = keep_alive_s
        self._port = port
        self._name = name
        self._log = OriginLog()
        self._temp: tempfile.TemporaryDirectory[str] | None = None
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._app: FolderApp | None = None
        self._relay: DelayRelay | None = None

    def __enter__(self) -> DemoOrigin:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def ca_file(self) -> Path:
        """PEM file of the certificate authority that signed the certificate (setting `CA_FILE`)."""
        if self._temp is None:
            raise RuntimeError("the origin is not started")
        return Path(self._temp.name) / "ca.pem"

    @property
    def base_url(self) -> str:
        """URL of the root, with a slash at its end."""
        return f"{'https' if self._tls else 'http'}://{self._name}:{self._port}/"

    def url(self, path: str, **fault: object) -> str:
        """The URL of a file.

        Args:
            path: Path of the file in the folder.
            **fault: Fields of `Fault` that requests for this URL get; they become its query.
        """
        query = {k: int(v) if isinstance(v, bool) else v for k, v in fault.items()}
        return self.base_url + quote(path.lstrip("/")) + (f"?{urlencode(query)}" if query else "")

    def set_fault(self, path: str, fault: Fault | None) -> None:
        """Answer every request for `path` with a fault; None removes it."""
        app = self._require(self._app)
        key = "/" + path.lstrip("/")
        if fault is None:
            app.faults.pop(key, None)
        else:
            app.faults[key] = fault

    def stats(self) -> OriginStats:
        """Connections, handshakes and requests so far."""
        return self._log.stats()

    def requests(self) -> list[OriginRequest]:
        """All requests so far, oldest first."""
        return self._log.requests()

    def drop_connections(self) -> None:
        """Abort every open connection, as a middlebox does that lost its state."""
        relay = self._require(self._relay)
        done: Future[None] = Future()

        def drop() -> None:
            relay.abort_all()
            done.set_result(None)

        self._require(self._loop).call_soon_threadsafe(drop)
        done.result(10)

    def start(self) -> None:
        """Start serving; returns as soon as connections are accepted.

        Raises:
            RuntimeError: The origin has been started already.
        """
        if self._thread is not None:
            raise RuntimeError("the origin is started already")
        self._temp = tempfile.TemporaryDirectory(prefix="touchline-origin-")
        try:
            authority = trustme.CA(organization_name="touchline demo")
            authority.cert_pem.write_to_path(str(self.ca_file))
            certificate = authority.issue_cert(*dict.fromkeys((HOST, "localhost", self._name)))
            certificate.private_key_and_cert_chain_pem.write_to_path(f"{self._temp.name}/server.pem")
            ready: Future[None] = Future()
            self._thread = threading.Thread(
                target=self._run, args=(ready,), name="touchline-origin", daemon=True
            )
            self._thread.start()
            ready.result(30)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Stop serving, abort open connections, and remove the certificate."""
        if self._thread is not None:
            if self._loop is not None and self._stop is not None and self._thread.is_alive():
                self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()
            self._thread = None
        if self._temp is not None:
            self._temp.cleanup()
            self._temp = None

    def _run(self, ready: Future[None]) -> None:
        try:
            asyncio.run(self._serve(ready))
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits for the start
            if ready.done():
                _LOG.exception("the demo origin failed")
            else:
                ready.set_exception(error)

    async def _serve(self, ready: Future[None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        with socket.create_server((HOST, 0)) as inner:
            target = inner.getsockname()[:2]
            relay = self._relay = DelayRelay(target, self._delays, self._log, self._keep_alive_s)
            app = self._app = FolderApp(self._folder, self._log, relay, self._stop, self._ranges)
            server = asyncio.create_task(
                serve(app, self._config(inner), shutdown_trigger=self._stop.wait, mode="asgi")
            )
            try:
                self._port = await relay.start(HOST if self._name == HOST else "0.0.0.0", self._port)
                ready.set_result(None)
                await asyncio.wait(
                    {server, asyncio.ensure_future(self._stop.wait())}, return_when=asyncio.FIRST_COMPLETED
                )
            finally:
                self._stop.set()
                await relay.stop()
                await server

    def _config(self, inner: socket.socket) -> Config:
        config = Config()
        # hypercorn closes the descriptor, so it gets one that is not closed elsewhere
        config.bind = [f"fd://{inner.detach()}"]
        config.errorlog = _LOG
        config.loglevel = "WARNING"
        config.keep_alive_timeout = self._keep_alive_s
        config.graceful_timeout = 1.0
        config.h2_max_concurrent_streams = 100
        config.keep_alive_max_requests = 1_000_000
        config.alpn_protocols = ["h2", "http/1.1"] if self._http2 else ["http/1.1"]
        if self._tls and self._temp is not None:
            config.certfile = config.keyfile = f"{self._temp.name}/server.pem"
        return config

    @staticmethod
    def _require(value: T | None) -> T:
        if value is None:
            raise RuntimeError("the origin is not started")
        return value
