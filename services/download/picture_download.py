"""One small resource, whole: a picture."""

from __future__ import annotations

import threading

from services.cancellation import CancelScope
from services.deadline import Deadline
from services.download.pool import ConnectionPool
from services.errors import SourceRejected, TooLarge
from services.settings import Settings

_AGAIN = (408, 425, 429, 500, 502, 503, 504)


def download_picture(
    pool: ConnectionPool, url: str, settings: Settings, deadline: Deadline, scope: CancelScope, limit: int
) -> bytes:
    """Fetch in this thread.

    Args:
        pool: Where connections come from.
        url: The resource.
        settings: Time-outs.
        deadline: Bounds every wait.
        scope: Its cancel ends the reading.
        limit: Maximum number of bytes.

    Raises:
        TransportError, DeadlineExceeded, Cancelled: As their names say.
        TooLarge: There are more bytes.
    """
    data = bytearray()
    with pool.open(url, deadline) as exchange:
        response = exchange.response
        if response.status_code != 200:
            raise SourceRejected(
                f"the origin answered {response.status_code} for {url}",
                retryable=response.status_code in _AGAIN,
            )
        reading = threading.Event()
        reading.set()
        scope.on_cancel(lambda: exchange.interrupt() if reading.is_set() else None)
        try:
            for chunk in exchange.chunks(lambda: deadline.bound(settings.stall_timeout_s)):
                scope.check("download")
                data += chunk
                if len(data) > limit:
                    raise TooLarge(f"{url} has more than {limit} bytes (MAX_VIDEO_MB)", stage="download")
        finally:
            reading.clear()
    return bytes(data)
