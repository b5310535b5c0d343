"""How sampled frames are put together to batches, and run several at a time."""

from __future__ import annotations

from services.frame_plan import batch_sizes

TAIL_BATCH = 4
"""The batches that share out the end of a clip do not get smaller than this."""


class BatchSchedule:
    """The size of each batch of a clip.

    It starts with a small batch, so that the device starts early, doubles up to the full size and, where
    several batches run at once and the number of sampled frames is known, gets smaller again towards the end,
    so that no inference slot works on a full batch while the others have nothing left. It depends on nothing
    that varies between two runs, so the same frames always share a batch.

    Args:
        first: Frames of the first batch.
        full: Maximum number of frames of a batch.
        sampled_count: Sampled frames of the clip, or None where only the end will tell.
        slots: Batches that run at once.
    """

    def __init__(self, first: int, full: int, sampled_count: int | None, slots: int) -> None:
        self._sizes = batch_sizes(first, full)
        self._sampled_count = sampled_count
        self._slots = slots
        self._number = 0
        self._taken = 0

    def next(self) -> int:
        """Frames of the next batch."""
        size = self._sizes[min(self._number, len(self._sizes) - 1)]
        if self._slots > 1 and self._sampled_count is not None:
            share = max(TAIL_BATCH, (self._sampled_count - self._taken) // (2 * self._slots))
            # one of the sizes that runtimes were warmed with
            size = min(size, max((s for s in self._sizes if s <= share), default=size))
        self._number += 1
        self._taken += size
        return size
