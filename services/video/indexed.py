"""An MP4 file decoded by its index, which says where each packet is before it arrives.

Closed groups of pictures are decoded side by side, each by a `GroupDecoder`, and handed on in order. A clip
with open or few groups is decoded by one `GroupDecoder` with several threads.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import av
import numpy as np

from services.concurrency import run_in_order
from services.errors import CorruptVideo
from services.frame_plan import FramePlan
from services.results import LumaPicture
from services.video.clip import DecodeLimits, DecodeStats, rising
from services.video.container import ContainerClip
from services.video.group_decoder import DecodeRequest, GroupDecoder
from services.video.groups import Groups
from services.video.letterbox import Frame, Letterbox
from services.video.luma import LumaSelector, attach_luma_pictures, frames_with_luma, luma_bytes
from services.video.mp4_index import Mp4Index
from services.video.nal import NalReader
from services.video.orientation import shown_size
from services.video.promise import IndexDisagrees
from services.video.source import ByteSource

MAX_WAITING_BYTES: Final = 32 << 20
"""Maximum size of the frames that wait because an earlier group is not decoded yet."""


class IndexedClip:
    """A plain MP4 file; see `Clip`.

    Args:
        source: The bytes of the file.
        index: Its index.
        limits: What is accepted, and how many threads decode.
        first: Its first picture, if it is decoded already.
    """

    def __init__(
        self,
        source: ByteSource,
        index: Mp4Index,
        limits: DecodeLimits,
        first: av.VideoFrame | None = None,
    ) -> None:
        self.reader = "index"
        self._source = source
        self._first = first
        self._index = index
        self._nals = NalReader(index.codec, index.extradata, limits.max_pixels)
        self._groups = Groups(source, index, self._nals, limits)
        self._limits = limits
        self.index: Mp4Index | None = index
        self.width, self.height = shown_size(index.width, index.height, index.turns)
        self.count: int | None = index.count
        self.stats = DecodeStats(count=index.count)

    def frames(self, plan: FramePlan, letterbox: Letterbox) -> Iterator[Frame]:
        """See `Clip`.

        Where a picture is not what the index promises, frames go on from there with the numbers that the
        general demuxer gives them.
        """
        last = -1
        try:
            for frame in rising(frames_with_luma(self._pictures(plan, letterbox))):
                last = frame.index
                yield frame
        except IndexDisagrees as difference:
            yield from self._demuxed(plan, letterbox, last, difference)

    def _demuxed(
        self, plan: FramePlan, letterbox: Letterbox, last: int, difference: IndexDisagrees
    ) -> Iterator[Frame]:
        """The sampled frames behind `last`, counted as they are decoded from the beginning of the file."""
        if not self._groups.keeps_all:
            raise CorruptVideo(
                f"the index of the video disagrees with its pictures ({difference}), and it is too large to "
                "be read again; check the file, or copy it into a new container"
            ) from difference
        clip = ContainerClip(self._source, self._limits)
        clip.stats.index_disagrees = str(difference)
        clip.stats.add(busy_s=self.stats.busy_s)
        self.stats, self.reader, self.count, self.index = clip.stats, clip.reader, None, None
        for frame in clip.frames(replace(plan, count=None), letterbox):
            if frame.index > last:
                yield frame

    def _pictures(self, plan: FramePlan, letterbox: Letterbox) -> Iterator[Frame | LumaPicture]:
        sampled = np.array([plan.is_sampled(int(number)) for number in self._index.display], np.bool_)
        luma = LumaSelector(plan, (letterbox.source_width, letterbox.source_height), self._index.turns)
        request = DecodeRequest(plan, sampled, letterbox, luma, self._first)
        self._first = None
        threads = self._limits.thread_count
        if not self._groups.many:
            yield from self._decoder(request, threads).decode(0, to_end=True)
        else:
            size = letterbox.source_width, letterbox.source_height
            frame_bytes = letterbox.input_width * letterbox.input_height * 3 + luma_bytes(plan, size)
            jobs = (attach_luma_pictures(job) for job in self._group_jobs(request))
            room = max(1, MAX_WAITING_BYTES // frame_bytes)
            for picture in run_in_order(jobs, threads, room, "touchline-group"):
                self._groups.done_before(picture.index)  # those of earlier groups have all arrived
                yield picture
        if not self.stats.decoded:
            raise CorruptVideo("no frame of the video can be decoded; check the file")

    def _group_jobs(self, request: DecodeRequest) -> Iterator[Iterator[Frame | LumaPicture]]:
        """One job per group. Later groups begin after the first frame, which inference waits for."""
        first_is_out = threading.Event()
        for start in self._groups.starts(request.sampled):
            job = self._decoder(request, threads=1).decode(start)
            if start == 0:
                yield _set_at_first(job, first_is_out)
                continue
            if request.sampled[0]:
                first_is_out.wait()
            yield job

    def _decoder(self, request: DecodeRequest, threads: int) -> GroupDecoder:
        return GroupDecoder(
            self._index, self._groups, self._nals, request, self.stats, self._limits.max_pixels, threads
        )


def _set_at_first(
    pictures: Iterator[Frame | LumaPicture], event: threading.Event
) -> Iterator[Frame | LumaPicture]:
    """The same pictures; the event is set at the first one, or at the end when there is none."""
    try:
        for picture in pictures:
            event.set()
            yield picture
    finally:
        event.set()
