"""Which bytes of a clip a frame plan needs, where that is worth asking for them alone."""

from __future__ import annotations

from collections.abc import Sequence

from services.byte_span import ByteSpan
from services.frame_plan import FramePlan
from services.sampling.profiles import needed_packets, read_positions
from services.video.mp4_index import Mp4Index

WORTH = 0.7
"""Share of the frames' bytes from which on everything is fetched: ranges with small holes save nothing."""
GAP = 13_500
"""A hole of fewer bytes is fetched as well: a request costs as much."""


def needed_bytes(index: Mp4Index | None, plan: FramePlan) -> Sequence[ByteSpan] | None:
    """The bytes that are needed, rising and apart from each other; None for all of them.

    Args:
        index: The clip's own index; without one nobody can tell.
        plan: What is to be decoded.
    """
    if index is None:
        return None
    enough = WORTH * int(index.sizes.sum())
    if int(index.sizes[read_positions(index, plan)].sum()) >= enough:
        return None  # the usual case, on the way to the first frame: nothing is put together for it
    packets = needed_packets(index, plan, GAP)
    if sum(size for _, size in packets) >= enough:
        return None
    return [ByteSpan(offset, offset + size) for offset, size in packets]
