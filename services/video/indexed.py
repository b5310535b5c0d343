"""Decoding a plain MP4 file by our own index, which says where each frame is before it arrives."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import av
import av.error
import numpy as np

from services.concurrency import run_in_order
from services.errors import CorruptVideo, TooLarge, UnsupportedVideo
from services.frame_plan import FramePlan
from services.results import LumaPicture
from services.video.clip import DecodeLimits, DecodeStats, rising
from services.video.groups import Groups, Mask
from services.video.letterbox import Frame, Letterbox, letterboxed
from services.video.luma import LumaSelector, attach_luma_pictures, frames_with_luma, luma_bytes
from services.video.mp4_index import Mp4Index
from services.video.nal import NalReader
from services.video.orientation import shown_size
from services.video.source import ByteSource

AHEAD_BYTES = 32 << 20
"""Most pixels, in bytes, that wait because an earlier group is not done yet."""


@dataclass(frozen=True, slots=True)
class _Ask:
    """What is asked of the clip: a plan, the same as a mask by position in decoding order, size and looks."""

    plan: FramePlan
    wanted: Mask
    box: Letterbox
    looking: LumaSelector

    def without(self, position: int) -> _Ask:
        """The same, but for one frame."""
        wanted = self.wanted.copy()
        wanted[position] = False
        return replace(self, wanted=wanted)

    def anew(self) -> _Ask:
        """The same, for a group of its own."""
        return replace(self, looking=self.looking.for_another_decoder())


class IndexedClip:
    """A plain MP4 file: its closed groups are decoded side by side, and only what wanted frames depend on."""

    reader = "index"

    def __init__(self, source: ByteSource, index: Mp4Index, limits: DecodeLimits) -> None:
        self._index = index
        self._nals = NalReader(index.codec, index.extradata)
        self._groups = Groups(source, index, self._nals, limits)
        self.index: Mp4Index | None = index
        self._limits = limits
        self._reordered = bool(np.any(np.diff(index.display) < 0))
        self.width, self.height = shown_size(index.width, index.height, index.turns)
        self.count: int | None = index.count
        self.stats = DecodeStats(count=index.count)

    def frames(self, plan: FramePlan, box: Letterbox) -> Iterator[Frame]:
        """See `Clip`."""
        return rising(frames_with_luma(self._pictures(plan, box)))

    def _pictures(self, plan: FramePlan, box: Letterbox) -> Iterator[Frame | LumaPicture]:
        wanted = np.array([plan.is_sampled(int(number)) for number in self._index.display], np.bool_)
        looking = LumaSelector(plan, (box.source_width, box.source_height), self._index.turns)
        ask = _Ask(plan, wanted, box, looking)
        if self._groups.many:
            room = AHEAD_BYTES // (box.input_width * box.input_height * 3 + luma_bytes(plan))
            threads = self._limits.thread_count
            jobs = (attach_luma_pictures(job) for job in self._jobs(ask))
            for frame in run_in_order(jobs, threads, max(1, room), "touchline-group"):
                self._groups.done_before(frame.index)  # those of earlier groups have all come
                yield frame
        else:
            yield from self._group(0, ask, threads=self._limits.thread_count, on=True)
        if not self.stats.decoded:
            raise CorruptVideo("no frame of the video can be decoded; check the file")

    def _jobs(self, ask: _Ask) -> Iterator[Iterator[Frame | LumaPicture]]:
        """One for each group. Others begin behind the first frame, which inference waits for."""
        begun = threading.Event()
        for start in self._groups.starts(ask.wanted):
            if start == 0:
                yield _telling(self._group(0, ask), begun)
                continue
            if ask.wanted[0]:
                begun.wait()
            yield self._group(start, ask)

    def _group(
        self, start: int, ask: _Ask, *, threads: int = 1, on: bool = False
    ) -> Iterator[Frame | LumaPicture]:
        """Decode a group, or with `on` everything from a group on."""
        ask = ask.anew()
        codec: av.VideoCodecContext | None = None
        held: bytes | None = None
        for position in self._groups.needed(start, ask.wanted, on=on):
            data = self._groups.read(position)
            if data is None:
                break
            facts = self._nals.look(data)
            if facts.unreferenced and not ask.wanted[position]:
                continue
            if position == start and facts.restarts and self._one_shot_pays(start, ask, threads):
                frame = self._in_one_shot(start, data, ask)
                if frame is not None:
                    yield frame
                    held, ask = data, ask.without(start)
                    continue
            if codec is None:
                codec = self._open(threads)
            if held is not None:
                # what follows refers to it
                yield from self._decode(codec, start, held, ask)
                held = None
            yield from self._decode(codec, position, data, ask)
        if codec is not None:
            yield from self._decode(codec, None, None, ask)
        elif held is not None:
            self.stats.add(packets=1, decoded=1)

    def _one_shot_pays(self, start: int, ask: _Ask, threads: int) -> bool:
        """Whether a group's first picture is decoded by itself, so that it comes out before others go in.

        The clip's very first frame is waited for. And where it is all that is wanted of a group, it need not
        wait until the end of the group is known.
        """
        if not ask.wanted[start]:
            return False
        late = threads > 1 or self._reordered
        return (start == 0 and late) or not ask.wanted[start + 1 : self._groups.next_mark(start)].any()

    def _in_one_shot(self, position: int, data: bytes, ask: _Ask) -> Frame | LumaPicture | None:
        begun = time.perf_counter()
        codec = self._open(1)
        try:
            pictures = codec.decode(self._packet(position, data)) + codec.decode(None)
        except av.error.FFmpegError:
            return None
        frame = self._frame(pictures[0], ask) if pictures else None
        self.stats.add(busy_s=time.perf_counter() - begun)
        return frame

    def _decode(
        self, codec: av.VideoCodecContext, position: int | None, data: bytes | None, ask: _Ask
    ) -> Iterator[Frame | LumaPicture]:
        """Put a sample in, or the end; give the wanted frames that come out."""
        begun = time.perf_counter()
        packet = None if position is None or data is None else self._packet(position, data)
        try:
            pictures = codec.decode(packet)
        except av.error.FFmpegError:
            # one bad packet costs its frames, not the clip
            pictures = []
            self.stats.add(damaged=1)
        self.stats.add(packets=int(packet is not None), decoded=len(pictures))
        for picture in pictures:
            frame = self._frame(picture, ask)
            self.stats.add(busy_s=time.perf_counter() - begun)
            if frame is not None:
                yield frame
            begun = time.perf_counter()
        self.stats.add(busy_s=time.perf_counter() - begun)

    def _packet(self, position: int, data: bytes) -> av.Packet[Any]:
        """A sample for the decoder; its time stamp is its position, which comes out with the picture.

        The bytes are copied into memory of FFmpeg's. A packet over Python's bytes would be freed by one of
        the decoder's threads, which takes the interpreter's lock for it, and a decoder that is given up
        early waits for its threads while holding that lock.
        """
        packet: av.Packet[Any] = av.Packet(len(data))
        packet.update(data)
        packet.pts = packet.dts = position
        return packet

    def _frame(self, picture: av.VideoFrame, ask: _Ask) -> Frame | LumaPicture | None:
        if picture.width * picture.height > self._limits.max_pixels:
            size = f"{picture.width}x{picture.height}"
            raise TooLarge(f"pictures of {size}; MAX_PIXELS allows {self._limits.max_pixels}")
        position = picture.pts
        if position is None or not 0 <= position < len(ask.wanted):
            return None
        number, turns = int(self._index.display[position]), self._index.turns
        if not ask.wanted[position]:
            return ask.looking.of_other_frame(number, picture)
        image, keypoints = letterboxed(picture, ask.box, turns), ask.plan.needs_keypoints(number)
        return Frame(number, image, keypoints, ask.looking.of_sampled_frame(number, picture))

    def _open(self, threads: int) -> av.VideoCodecContext:
        name = self._index.codec
        try:
            codec = av.CodecContext.create(name, "r")
        except av.error.FFmpegError as error:
            raise UnsupportedVideo(f"no decoder for {name}: {error}") from error
        assert isinstance(codec, av.VideoCodecContext)
        codec.extradata = self._index.extradata
        codec.thread_type = "AUTO"
        codec.thread_count = threads
        if self._reordered:
            # a file need not say how far its pictures are reordered; guessing, the decoder would lose some
            codec.options = {"strict": "1"}
        return codec


def _telling(frames: Iterator[Frame | LumaPicture], begun: threading.Event) -> Iterator[Frame | LumaPicture]:
    """The same frames; the event is set at the first, or at the end when there are none."""
    try:
        for frame in frames:
            begun.set()
            yield frame
    finally:
        begun.set()
