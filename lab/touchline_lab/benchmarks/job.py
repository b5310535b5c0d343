"""What travels between the benchmark and the processes that run its ways: JSON lines."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

Row = dict[str, float]
METRICS = ("first_frame_s", "first_detections_s", "all_decoded_s", "all_sampled_s", "answer_s")
"""Times of a row, from its beginning; a way leaves out those that it does not have."""


@dataclass(frozen=True, slots=True)
class Job:
    """One run of one way.

    Attributes:
        url: The clip on the ordinary port.
        short_url: The clip on the port with a short idle time-out, or empty.
        path: The same clip as a file, for floors that need no network.
        idle_s: How long an open connection is left alone before it is used.
        down_mbit: The link's rate, 0 where it is not known.
    """

    url: str
    short_url: str
    path: str
    idle_s: float
    down_mbit: float

    def to_line(self) -> str:
        """As one line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_line(cls, line: str) -> Job:
        """Back from `to_line`."""
        return cls(**json.loads(line))


@dataclass(frozen=True, slots=True)
class Context:
    """What a way is made with; the other settings come from the environment.

    Attributes:
        ca_file: The authority of the origin.
        device: As the setting.
    """

    ca_file: str
    device: str

    def settings(self, **more: Any) -> Any:
        """The settings of the ways."""
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
