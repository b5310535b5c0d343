"""What a frame costs on this machine, rounded, so that plans repeat."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

PIXELS: Final = 1280 * 720
"""Decoding is measured on pictures of this size; it costs in proportion to their pixels."""


@dataclass(frozen=True, slots=True)
class Costs:
    """Seconds that a frame takes while all cores, or the device, work on it.

    Attributes:
        inference_s: Per inferred frame.
        decode_s: Per decoded frame of 1280x720.
    """

    inference_s: float
    decode_s: float

    def estimate(self, sampled_count: int, decoded: int, pixels: int) -> float:
        """Seconds for a clip: both stages, one after the other, as on a CPU that they share."""
        return sampled_count * self.inference_s + decoded * self.decode_s * pixels / PIXELS


def rounded(seconds: float) -> float:
    """The nearest power of two, in milliseconds: two starts on one machine agree on it."""
    return float(2.0 ** round(math.log2(max(seconds * 1000, 1 / 1024))) / 1000)
