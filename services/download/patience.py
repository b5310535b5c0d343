"""How long a wait on the network may last: by silence, and in total."""

from __future__ import annotations

from services.deadline import Deadline
from services.download.connection_setup import REUSED, ConnectionSetup


class Patience(float):
    """The longest silence in seconds, together with the moment at which the whole exchange has to be over.

    httpx and httpcore hand their time-outs down to the socket unread, as numbers. A peer that sends a byte
    now and then never exceeds such a number; `SocketStream` therefore looks at `deadline` as well.

    Attributes:
        deadline: When the exchange has to be over.
    """

    deadline: Deadline

    def __new__(cls, seconds: float, deadline: Deadline) -> Patience:
        """Patience for so many seconds of silence, and not beyond the deadline."""
        patience = super().__new__(cls, seconds)
        patience.deadline = deadline
        return patience

    @property
    def left(self) -> float:
        """The longest wait from now on, in seconds; zero or negative when the time is over."""
        return min(self, self.deadline.remaining())


class Timeouts(dict[str, Patience]):
    """The time-outs of one request, by the names under which httpcore looks them up.

    Args:
        connect: For opening a connection.
        silence: For every read and write.
        probe: For the first read on a connection that was open already; None: the same as `silence`.
    """

    def __init__(self, connect: Patience, silence: Patience, probe: Patience | None = None) -> None:
        super().__init__(connect=connect, pool=connect, write=silence, read=probe or silence)
        self.connect_s: float | None = None
        """Seconds that opening a connection took; None when one was open already."""
        self.setup: ConnectionSetup = REUSED
        """The steps of that."""
        self.sent_at: float | None = None
        """When the request had been handed to the operating system, by `time.perf_counter()`."""
        self.turned_away = 0
        """How often an HTTP/2 origin took the request and did not look at it."""

    def expect_silence_only(self) -> None:
        """The connection works or is fresh: reads wait as long as any other operation."""
        self["read"] = self["write"]
