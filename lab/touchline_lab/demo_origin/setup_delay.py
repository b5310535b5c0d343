"""A TCP relay in front of the demo origin, which makes setting up a connection slow."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from dataclasses import dataclass

from touchline_lab.demo_origin.log import OriginLog

READ = 256 * 1024
"""Bytes that are read at once."""
GOODBYE_S = 0.05
"""Seconds after the idle time-out in which the server may close a connection itself, with a GOAWAY."""
TLS_HANDSHAKE_RECORD = 0x16
"""First byte of a TLS handshake (RFC 8446, section 5.1)."""


@dataclass(frozen=True, slots=True)
class SetupDelays:
    """Seconds by which the set-up of a new connection is delayed; an established one is not delayed.

    Attributes:
        dns: Stands for name resolution. The relay cannot delay a look-up, so it delays the client's first
            bytes instead, also if the client has cached the name.
        tls: Delay of the client's first bytes.
        negotiation: Delay of the client's second flight: the end of the handshake and the first request.
    """

    dns: float = 0.0
    tls: float = 0.0
    negotiation: float = 0.0

    @property
    def total(self) -> float:
        """Seconds that the first request on a new connection is delayed in all."""
        return self.dns + self.tls + self.negotiation


NO_DELAYS = SetupDelays()
SEED_DELAYS = SetupDelays(dns=0.2, tls=1.0, negotiation=1.2)
"""The set-up times that operators reported: 2.4 s for every connection that is not warm."""


class _Link:
    """One connection from a client, and the one to the server behind it."""

    def __init__(self, number: int, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.number = number
        self.client = client
        self.server = server
        self.answered = False
        self.running = 0
        self.timer: asyncio.TimerHandle | None = None

    def finish(self) -> None:
        """Close the connection to the client in order, which ends both."""
        self.client.close()

    def abort(self) -> None:
        """Abort both connections, that to the client with a TCP reset."""
        sock = self.client.get_extra_info("socket")
        if sock is not None:
            with contextlib.suppress(OSError):  # it may be closed already
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.client.transport.abort()
        self.server.transport.abort()


class DelayRelay:
    """Passes bytes between clients and the server, and delays the set-up of each new connection.

    Args:
        target: Address of the server behind it.
        delays: Delays of every new connection.
        log: Counts connections and handshakes.
        idle_s: Seconds without a request after which a connection is closed. The server sends a GOAWAY by
            itself then, but waits half a minute for the client to answer, which an idle client does not.
    """

    def __init__(self, target: tuple[str, int], delays: SetupDelays, log: OriginLog, idle_s: float) -> None:
        self._target = target
        self._delays = delays
        self._log = log
        self._idle_s = idle_s + GOODBYE_S
        self._links: dict[int, _Link] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> int:
        """Start listening; returns the port."""
        self._server = await asyncio.start_server(self._accept, host, port, backlog=256)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Stop listening and end every connection."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
        self.abort_all()
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    def begin(self, client_port: int) -> None:
        """A request has begun on that connection."""
        link = self._links.get(client_port)
        if link is not None:
            link.running += 1
            if link.timer is not None:
                link.timer.cancel()

    def end(self, client_port: int) -> None:
        """A request has ended on that connection."""
        link = self._links.get(client_port)
        if link is not None:
            link.running -= 1
            if not link.running:
                link.timer = asyncio.get_running_loop().call_later(self._idle_s, link.finish)

    def number(self, client_port: int) -> int:
        """The number of the connection that reached the server from this port; 0 when it is gone."""
        link = self._links.get(client_port)
        return 0 if link is None else link.number

    def abort(self, client_port: int) -> None:
        """Abort the connection that reached the server from this port."""
        link = self._links.get(client_port)
        if link is not None:
            link.abort()

    def abort_all(self) -> None:
        """Abort every connection, as a middlebox does that lost its state."""
        for link in list(self._links.values()):
            link.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        number = self._log.connected()
        port: int | None = None
        try:
            back_reader, back_writer = await asyncio.open_connection(*self._target, limit=READ)
            port = back_writer.get_extra_info("sockname")[1]
            link = self._links[port] = _Link(number, writer, back_writer)
            up = asyncio.create_task(self._upstream(reader, link))
            down = asyncio.create_task(self._downstream(back_reader, link))
            await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
            up.cancel()
            # bytes that the server still sends have no receiver once the client has closed
            down.cancel()
            await asyncio.wait({up, down})
            if link.timer is not None:
                link.timer.cancel()
            for side in (up, down):
                if not side.cancelled():
                    side.result()
            await _close(back_writer)
        finally:
            if port is not None:
                del self._links[port]
            await _close(writer)
            self._log.disconnected()

    async def _upstream(self, reader: asyncio.StreamReader, link: _Link) -> None:
        held_first = held_second = False
        with contextlib.suppress(ConnectionError):  # a client may reset its connection
            while data := await reader.read(READ):
                if not held_first:
                    held_first = True
                    if data[0] == TLS_HANDSHAKE_RECORD:
                        self._log.handshake()
                    await delay(self._delays.dns + self._delays.tls)
                elif link.answered and not held_second:
                    held_second = True
                    await delay(self._delays.negotiation)
                link.server.write(data)
                await link.server.drain()

    async def _downstream(self, reader: asyncio.StreamReader, link: _Link) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(READ):
                link.answered = True
                link.client.write(data)
                await link.client.drain()


async def delay(seconds: float) -> None:
    """Wait, if there is anything to wait for."""
    if seconds > 0:
        await asyncio.sleep(seconds)


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
