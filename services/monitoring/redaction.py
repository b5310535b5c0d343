"""Takes passwords in addresses, and the query strings that sign addresses, out of text."""

from __future__ import annotations

import re
from typing import Final

_USER: Final = re.compile(r"://[^/\s@'\"\\]+@")
_QUERY: Final = re.compile(r"\?[^\s'\"\\<>]*?=[^\s'\"\\<>]*")


def redact(text: str) -> str:
    """The text with `***` in place of what stands before an `@` in an address, and of query strings."""
    return _QUERY.sub("?***", _USER.sub("://***@", text))
