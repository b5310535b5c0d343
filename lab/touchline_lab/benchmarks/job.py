"""What the benchmark and the processes of its methods exchange: lines of JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

Row = dict[str, float]
"""Measured numbers of one run by name; names that end in `_s` are seconds from its beginning."""


@dataclass(frozen=True, slots=True)
class Job:
    """One run of one method.

    Attributes:
        url: URL of the clip on the ordinary port of the origin.
        short_idle_url: URL of the clip on the port with a short idle time-out, or empty.
        path: The same clip as a file, for floors that need no network.
        idle_s: Seconds that an open connection is left idle before it is used.
        down_mbit: Bandwidth of the link in Mbit/s, 0 where it is not known.
    """

    url: str
    short_idle_url: str
    path: str
    idle_s: float
    down_mbit: float

    def to_line(self) -> str:
        """Encode as one line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_line(cls, line: str) -> Job:
        """Decode what `to_line` returned."""
        return cls(**json.loads(line))


@dataclass(frozen=True, slots=True)
class Context:
    """What a method is made with; all other settings come from the environment.

    Attributes:
        ca_file: File of the certificate authority of the origin.
        device: The setting `DEVICE`.
    """

    ca_file: str
    device: str

    def settings(self, **more: Any) -> Any:
        """Load the settings that all methods share; `more` are further settings by field name."""
        from services.settings import load_settings

        return load_settings(
            ca_file=self.ca_file,
            device=self.device,
            allow_private_addresses=True,
            origins=(),
            connect_timeout_s=15,
            stall_timeout_s=15,
            **more,
        )
