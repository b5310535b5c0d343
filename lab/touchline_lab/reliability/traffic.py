"""Challenges as they come to a system that is open to the world: good, bad and hostile ones."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from touchline_lab.reliability.rig import Rig

DEADLINE_S: Final = 20.0
"""Of challenges that can be answered."""
SHORT_S: Final = 1.0
"""Of those whose origin never ends, in seconds: the worker is not to spend the soak on them."""
BOMB: Final = "bomb.mp4"
NO_VIDEO: Final = "page.html"
CUT_OFF: Final = "cut.mp4"


@dataclass(frozen=True, slots=True)
class Request:
    """One challenge.

    Attributes:
        sort: What it is an example of.
        challenge_id: Its id.
        url: What it points at.
        deadline_s: Its deadline.
        answered: Whether it has to end in an answer; otherwise in a typed error.
    """

    sort: str
    challenge_id: str
    url: str
    deadline_s: float
    answered: bool


def hostile_files(clip: bytes) -> dict[str, bytes]:
    """Files that the origin serves beside the good clip."""
    run = struct.pack(">I4s3I", 20, b"trun", 1, 4_000_000_000, 8)
    return {
        BOMB: struct.pack(">I4s4sI", 16, b"ftyp", b"isom", 512) + struct.pack(">I4s", 28, b"moof") + run,
        NO_VIDEO: b"<html>the link has expired</html>" * 100,
        CUT_OFF: clip[: len(clip) // 3],
    }


def mixed(
    rig: Rig, count: int, seed: int, good_share: float, deadline_s: float = DEADLINE_S
) -> Iterator[Request]:
    """Challenges in an order that depends on the seed alone; the deadline is that of all that may end."""
    chance = random.Random(seed)
    for number in range(count):
        name = f"soak-{number}"
        if chance.random() < good_share:
            yield Request("good", name, rig.url(), deadline_s, True)
            continue
        yield chance.choice(
            (
                Request("missing", name, rig.url(file="missing.mp4"), deadline_s, False),
                Request("no video", name, rig.url(file=NO_VIDEO), deadline_s, False),
                Request("cut off", name, rig.url(file=CUT_OFF), deadline_s, False),
                Request("unfolds", name, rig.url(file=BOMB), deadline_s, False),
                Request("unreachable address", name, "https://169.254.169.254/latest", deadline_s, False),
                Request("never begins", name, rig.url("delay=60&no_range=1"), SHORT_S, False),
                Request("stalls", name, rig.url("stall_after=50000&no_range=1"), SHORT_S, False),
                Request("one byte at a time", name, rig.url("rate=2000&no_range=1"), SHORT_S, False),
                Request("breaks off", name, rig.url("cut_after=100000&no_range=1"), SHORT_S, False),
            )
        )
