"""httpx's errors become ours here, and nowhere else."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import h2.exceptions
import httpcore
import httpx

from services.errors import ConnectFailed, StreamStalled, UrlRefused


@contextmanager
def mapped_errors(stage: str) -> Iterator[None]:
    """Raise `ConnectFailed`, `StreamStalled` or `UrlRefused` for what httpx, httpcore or h2 raise inside."""
    try:
        yield
    except (
        httpx.ConnectError,
        httpx.ConnectTimeout,
        httpcore.ConnectError,
        httpcore.ConnectTimeout,
    ) as error:
        raise ConnectFailed(f"the origin could not be reached: {_text(error)}") from error
    except (httpx.TimeoutException, httpcore.TimeoutException) as error:
        raise StreamStalled(f"the origin went silent: {_text(error)}", stage=stage) from error
    except (httpx.TransportError, httpcore.NetworkError, httpcore.ProtocolError) as error:
        raise StreamStalled(f"the origin broke off: {_text(error)}", stage=stage) from error
    except h2.exceptions.H2Error as error:
        raise StreamStalled(f"the origin spoke broken HTTP/2: {_text(error)}", stage=stage) from error
    except ssl.SSLError as error:
        raise ConnectFailed(f"TLS failed: {_text(error)}") from error
    except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        raise UrlRefused(f"not a URL that can be fetched: {_text(error)}") from error


def _text(error: Exception) -> str:
    return str(error) or type(error).__name__
