"""What every reader of a video gives, and what it is held to."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from services.concurrency import core_count
from services.frame_plan import FramePlan
from services.video.letterbox import Frame, Letterbox
from services.video.mp4_index import Mp4Index


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """What is accepted, and with how many threads it is decoded.

    Attributes:
        max_frames: Longest clip.
        max_pixels: Largest picture, width times height.
        threads: Decoder threads; 0 takes one per core, at most 4.
        allow_cut: Whether a body that ends early is decoded as far as it goes (PARTIAL_DOWNLOAD).
        min_start_bytes: Bytes to wait for before the general demuxer probes.
        start_timeout_s: Longest such wait.
    """

    max_frames: int
    max_pixels: int
    threads: int = 0
    allow_cut: bool = False
    min_start_bytes: int = 262_144
    start_timeout_s: float = 0.1

    @property
    def thread_count(self) -> int:
        """Threads to use here."""
        return self.threads or min(4, core_count())


@dataclass(slots=True)
class DecodeStats:
    """What happened while decoding; threads add to it.

    Attributes:
        packets: Packets that went into the decoder; it is spared those that no wanted frame depends on.
        damaged: Packets that the decoder refused.
        decoded: Pictures that came out of it.
        count: Frames in the clip.
        busy_s: Seconds spent in the decoder and on its pictures, summed over threads.
        index_disagrees: How the pictures differ from what the file's index promises; empty if they do not.
    """

    packets: int = 0
    damaged: int = 0
    decoded: int = 0
    count: int = 0
    busy_s: float = 0.0
    index_disagrees: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    @property
    def dropped(self) -> int:
        """Packets that the decoder never saw."""
        return max(0, self.count - self.packets)

    def add(self, *, packets: int = 0, damaged: int = 0, decoded: int = 0, busy_s: float = 0.0) -> None:
        """Count."""
        with self._lock:
            self.packets += packets
            self.damaged += damaged
            self.decoded += decoded
            self.busy_s += busy_s


def rising(frames: Iterator[Frame]) -> Iterator[Frame]:
    """Leave out frames that come too late: a decoder gives some when packets are missing or damaged."""
    last = -1
    for frame in frames:
        if frame.index > last:
            last = frame.index
            yield frame


class Clip(Protocol):
    """An opened video: its shape is known, its frames can be had once, in order of display.

    `index` is that of a plain MP4 file, from which profiles choose frames; None for all others.
    """

    width: int
    height: int
    count: int | None
    stats: DecodeStats
    reader: str
    index: Mp4Index | None

    def frames(self, plan: FramePlan, letterbox: Letterbox) -> Iterator[Frame]:
        """Decode; gives the frames that the plan wants."""
