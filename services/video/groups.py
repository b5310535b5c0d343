"""Closed groups of pictures: parts of a clip that can each be decoded by itself."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from services.errors import CorruptVideo
from services.video.clip import DecodeLimits
from services.video.mp4_index import Mp4Index
from services.video.nal import NalReader
from services.video.source import ByteSource

Mask = npt.NDArray[np.bool_]

KEPT_BYTES: Final = 64 << 20
"""A file up to this size, four times a large clip, is kept whole; of larger ones decoded groups are freed."""
_MAX_WAIT_S: Final = 3600.0
"""Seconds; the deadline of the source ends the wait long before."""
_MAX_GROUP_SHARE: Final = 0.25
"""Longest group, as a share of the clip, with which groups are decoded side by side: with longer ones cores
would be idle at the end.

The number of cores must not matter, since a damaged clip gives the same pixels on all."""


class Groups:
    """The groups of an indexed clip, found as its bytes arrive.

    A group begins with an IDR picture: the decoder forgets everything there, and what is shown after it was
    decoded after it. A mark in the file's table of key frames is not enough, since it may mark an open group:
    the header of the picture has to say so. The parameter sets that a key frame needs are in the sample entry
    or in the packet itself (ISO/IEC 14496-15), so a new decoder has them.

    Args:
        source: The clip's bytes.
        index: Its index.
        nals: Reads its pictures' headers.
        limits: Whether it may be cut off.
    """

    def __init__(self, source: ByteSource, index: Mp4Index, nals: NalReader, limits: DecodeLimits) -> None:
        self._source = source
        self._index = index
        self._nals = nals
        self._allow_cut = limits.allow_cut
        self._marks = possible_starts(index)
        self._known: dict[int, bool] = {}
        self._lowest = np.minimum.accumulate(index.offsets[::-1])[::-1]

    @property
    def keeps_all(self) -> bool:
        """Whether the whole file is kept, so that it can be read once more from its beginning."""
        return self._index.end <= KEPT_BYTES

    @property
    def many(self) -> bool:
        """Whether there are enough groups to decode them side by side, as far as the index alone tells."""
        longest = int(np.diff([*self._marks, self._index.count]).max())
        return longest <= _MAX_GROUP_SHARE * self._index.count

    def read(self, position: int) -> bytes | None:
        """The data of a packet; None where the body ends early and is allowed to.

        Raises:
            CorruptVideo: The body ends early and is not allowed to.
            ChallengeError: The source failed.
        """
        index = self._index
        size = int(index.sizes[position])
        data = self._source.read_at(int(index.offsets[position]), size)
        if len(data) == size:
            return data
        if self._allow_cut:
            return None
        raise CorruptVideo(
            f"the video is cut off: its index names {index.end} bytes, {self._source.size} arrived"
        )

    def begins(self, position: int) -> bool:
        """Whether a group begins at a marked packet; waits for its bytes."""
        known = self._known.get(position)
        if known is None:
            place = int(self._index.offsets[position]), int(self._index.sizes[position])
            # requesting these bytes now would have them downloaded before earlier ones
            self._source.wait_for(*place, _MAX_WAIT_S)
            data = self.read(position)
            known = data is not None and self._nals.read(data).restarts
            self._known[position] = known
        return known

    def starts(self, wanted: Mask) -> Iterator[int]:
        """Positions at which groups begin, up to the last with a sampled frame; waits for the bytes there.

        Args:
            wanted: (packets,) the sampled frames, by position in decoding order.
        """
        last = _last(wanted)
        yield 0
        for mark in self._marks[1:]:
            if mark > last:
                return
            if self.begins(mark):
                yield mark

    def fetched(self, position: int) -> bool:
        """Whether a packet is downloaded even if nobody reads it."""
        return self._source.fetches(int(self._index.offsets[position]), int(self._index.sizes[position]))

    def positions(self, start: int, wanted: Mask, *, on: bool) -> Iterator[tuple[int, bool]]:
        """The packets of a group in decoding order, each with whether sampled frames may depend on it.

        Nothing depends on what follows the last sampled frame of a group. Whether the group ends there is
        known only with the first bytes behind it.

        Args:
            start: Where the group begins.
            wanted: (packets,) the sampled frames, by position in decoding order.
            on: Go on through all later groups, for one decoder that decodes the whole clip.
        """
        final, at, begin = _last(wanted), start, start
        while begin <= final:
            end = self.next_mark(begin)
            here = _last(wanted[begin:end])
            if here >= 0:
                yield from ((position, True) for position in range(at, begin + here + 1))
                at = begin + here + 1
            if end > final:
                break
            if self.begins(end):
                yield from ((position, False) for position in range(at, end))
                if not on:
                    return
                at = end
            begin = end
        yield from ((position, False) for position in range(at, self._index.count))

    def done_before(self, number: int) -> None:
        """Free the bytes before the group that a frame, given by its number, belongs to.

        Groups are closed, so as many frames are shown before a group as were decoded before it.
        """
        if self.keeps_all:
            return
        place = bisect_right(self._marks, number) - 1
        while place > 0 and not self._known.get(self._marks[place]):
            place -= 1
        self._source.release(int(self._lowest[self._marks[place]]) if place else 0)

    def next_mark(self, position: int) -> int:
        """The next position at which a group may begin, or the end."""
        place = bisect_right(self._marks, position)
        return self._marks[place] if place < len(self._marks) else self._index.count


def possible_starts(index: Mp4Index) -> list[int]:
    """Where groups may begin: the first packet, and key frames before which no later one is shown."""
    shown_later = np.minimum.accumulate(index.display[::-1])[::-1] == index.display
    marks = {0} | {int(position) for position in index.sync if shown_later[position]}
    return sorted(marks)


def _last(wanted: Mask) -> int:
    found = np.flatnonzero(wanted)
    return int(found[-1]) if len(found) else -1
