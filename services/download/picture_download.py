"""One small resource, whole: a picture."""

from __future__ import annotations

import threading

from services.cancellation import CancelScope
from services.deadline import Deadline
from services.download.backoff import Backoff
from services.download.body_head import check_status
from services.download.pool import ConnectionPool
from services.errors import SourceRejected, StreamStalled, TooLarge


def download_picture(
    pool: ConnectionPool, url: str, deadline: Deadline, scope: CancelScope, limit: int
) -> bytes:
    """Fetch in this thread.

    Args:
        pool: Where connections come from.
        url: The resource.
        deadline: Bounds every wait.
        scope: Its cancel ends the reading.
        limit: Maximum number of bytes.

    Raises:
        TransportError, DeadlineExceeded, Cancelled: As their names say.
        TooLarge: There are more bytes.
    """
    backoff = Backoff(deadline)
    while True:
        try:
            return _download_once(pool, url, deadline, scope, limit)
        except StreamStalled:
            scope.check("download")  # the cancel ends a read as if the origin had broken off
            raise
        except SourceRejected as error:
            scope.wait(backoff.pause_s(error))
            scope.check("download")


def _download_once(
    pool: ConnectionPool, url: str, deadline: Deadline, scope: CancelScope, limit: int
) -> bytes:
    data = bytearray()
    with pool.open(url, deadline) as exchange:
        check_status(exchange.response, url)
        reading = threading.Event()
        reading.set()
        scope.on_cancel(lambda: exchange.interrupt() if reading.is_set() else None)
        try:
            for chunk in exchange.chunks():
                scope.check("download")
                data += chunk
                if len(data) > limit:
                    raise TooLarge(f"{url} has more than {limit} bytes (MAX_VIDEO_MB)", stage="download")
        finally:
            reading.clear()
    return bytes(data)
