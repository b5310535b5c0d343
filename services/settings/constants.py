"""Values that several settings, and the code that reads them, share."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic_settings import NoDecode

DEVICE_PATTERN: Final = r"^(auto|cpu|mps|cuda(:\d{1,2})?)$"
CsvList = Annotated[tuple[str, ...], NoDecode]


DEFAULT_REDIS_URL = "redis://127.0.0.1:6379/0"
"""Where clients look, and where `touchline up` puts its embedded server, when REDIS_URL is unset."""


BUNDLED = "bundled"
"""The predictor that ships with the project, as PREDICTOR names it."""

DETECTED_CLASSES = ("ball", "goalkeeper", "player", "referee", "none")
"""What CLASS_MAP may say a class is: the classes of the wire in the order of their ids, or none of them."""
