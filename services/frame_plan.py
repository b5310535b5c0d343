"""Which frames of a clip are looked at. A pure function, so that the same clip gives the same answer."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import Final

COARSER_MARK: Final = "(deadline)"
"""The name of a plan ends with this where it was made coarser for want of time."""


@dataclass(frozen=True, slots=True)
class FramePlan:
    """Every `stride`-th frame over the whole clip and its last one, or those that a profile has chosen.

    Attributes:
        stride: Usual distance of the sampled frames.
        count: Frames in the clip, or None where only the end will tell.
        pitch_stride: Every n-th sampled frame (and the last one of the clip) is sampled for keypoints:
            a camera moves more smoothly than people do.
        chosen: Numbers of the sampled frames, rising, where a profile has chosen them; None: by the stride.
        decoded: About how many frames have to be decoded for it, for estimates; None where that is not known.
        name: How the timeline calls it; empty: after the stride.
        second_ball_pass: Whether luma pictures are made for the second ball pass.
        full_luma: Whether sampled frames come with their luma at full size, for the fine ball detector.
    """

    stride: int
    count: int | None
    pitch_stride: int = 1
    chosen: tuple[int, ...] | None = None
    decoded: int | None = None
    name: str = ""
    second_ball_pass: bool = False
    full_luma: bool = False

    def __str__(self) -> str:
        return self.name or f"stride {self.stride}"

    def is_sampled(self, index: int) -> bool:
        """Whether a frame (source number, from 0) is to be inferred."""
        if self.chosen is not None:
            at = bisect_left(self.chosen, index)
            return at < len(self.chosen) and self.chosen[at] == index
        return index % self.stride == 0 or (self.count is not None and index == self.count - 1)

    def needs_keypoints(self, index: int) -> bool:
        """Whether a sampled frame is sampled for keypoints."""
        if self.count is not None and index == self.count - 1:
            return True
        if self.chosen is not None:
            return self.is_sampled(index) and bisect_left(self.chosen, index) % self.pitch_stride == 0
        return index % (self.stride * self.pitch_stride) == 0

    @property
    def sampled_count(self) -> int | None:
        """How many frames that are, if the length is known."""
        if self.chosen is not None:
            return len(self.chosen)
        if self.count is None:
            return None
        return -(-self.count // self.stride) + ((self.count - 1) % self.stride != 0)


def batch_sizes(first: int, full: int) -> list[int]:
    """The sizes of the first batches: `first`, doubled until `full`, which all later ones have.

    A small first batch starts the device early; doubling keeps it fed while frames are still arriving.
    The sizes depend on nothing but the settings, so the same frames always share a batch.
    """
    sizes = [min(first, full)]
    while sizes[-1] < full:
        sizes.append(min(full, sizes[-1] * 2))
    return sizes
