"""Which frames of a clip are looked at. A pure function, so that the same clip gives the same answer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FramePlan:
    """Every `stride`-th frame over the whole clip, and its last one.

    Attributes:
        stride: Distance of the sampled frames.
        count: Frames in the clip, or None where only the end will tell.
        pitch_stride: Every n-th sampled frame (and the last one of the clip) is looked at for keypoints:
            a camera moves more smoothly than people do.
    """

    stride: int
    count: int | None
    pitch_stride: int = 1

    def wants(self, index: int) -> bool:
        """Whether a frame (source number, from 0) is to be inferred."""
        return index % self.stride == 0 or (self.count is not None and index == self.count - 1)

    def wants_keypoints(self, index: int) -> bool:
        """Whether a sampled frame is looked at for keypoints."""
        last = self.count is not None and index == self.count - 1
        return last or index % (self.stride * self.pitch_stride) == 0

    @property
    def samples(self) -> int | None:
        """How many frames that are, if the length is known."""
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
