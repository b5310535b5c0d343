"""Decoding a plain MP4 file by our own index, which says where each frame is before it arrives."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import av
import av.error

from services.errors import CorruptVideo, TooLarge, UnsupportedVideo
from services.video.clip import DecodeLimits, DecodeStats, rising
from services.video.mp4_index import Mp4Index
from services.video.nal import is_unreferenced
from services.video.orientation import shown_size
from services.video.picture import Frame, Letterbox, to_network
from services.video.plan import FramePlan
from services.video.source import ByteSource


class IndexedClip:
    """A plain MP4 file: frames are read by our own index, and those that nothing refers to are skipped."""

    reader = "index"

    def __init__(self, source: ByteSource, index: Mp4Index, limits: DecodeLimits) -> None:
        self._source = source
        self._index = index
        self._limits = limits
        self.width, self.height = shown_size(index.width, index.height, index.turns)
        self.count: int | None = index.count
        self.stats = DecodeStats(count=index.count)

    def frames(self, plan: FramePlan, box: Letterbox) -> Iterator[Frame]:
        """See `Clip`."""
        return rising(self._frames(plan, box))

    def _frames(self, plan: FramePlan, box: Letterbox) -> Iterator[Frame]:
        index = self._index
        number_of = {int(pts): int(number) for pts, number in zip(index.pts, index.display, strict=True)}
        codec = _make_decoder(index.codec, index.extradata, self._limits.thread_count)
        length_size = (index.extradata[4] & 3) + 1 if index.codec == "h264" else 0
        for position in range(index.count):
            offset, size = int(index.offsets[position]), int(index.sizes[position])
            data = self._source.read_at(offset, size)
            if len(data) < size:
                if self._limits.allow_cut:
                    break
                raise CorruptVideo(
                    f"the video is cut off: its index names {index.end} bytes, {self._source.size} came"
                )
            wanted = plan.wants(int(index.display[position]))
            if not wanted and length_size and is_unreferenced(data, length_size):
                self.stats.dropped += 1
                continue
            packet = av.Packet(data)
            packet.pts = packet.dts = int(index.pts[position])
            for picture in self._decode(codec, packet):
                yield from self._give(picture, number_of, plan, box)
        for picture in self._decode(codec, None):
            yield from self._give(picture, number_of, plan, box)
        if not self.stats.decoded:
            raise CorruptVideo("no frame of the video can be decoded; check the file")

    def _decode(self, codec: av.VideoCodecContext, packet: av.Packet[Any] | None) -> list[av.VideoFrame]:
        try:
            return codec.decode(packet)
        except av.error.FFmpegError:
            # one bad packet costs its frames, not the clip
            self.stats.damaged += 1
            return []

    def _give(
        self, picture: av.VideoFrame, number_of: dict[int, int], plan: FramePlan, box: Letterbox
    ) -> Iterator[Frame]:
        if picture.width * picture.height > self._limits.max_pixels:
            raise TooLarge(
                f"pictures of {picture.width}x{picture.height}; MAX_PIXELS allows {self._limits.max_pixels}"
            )
        self.stats.decoded += 1
        number = number_of.get(picture.pts if picture.pts is not None else -1)
        if number is not None and plan.wants(number):
            yield Frame(number, to_network(picture, box, self._index.turns), plan.wants_keypoints(number))


def _make_decoder(name: str, extradata: bytes, threads: int) -> av.VideoCodecContext:
    try:
        codec = av.CodecContext.create(name, "r")
    except av.error.FFmpegError as error:
        raise UnsupportedVideo(f"no decoder for {name}: {error}") from error
    assert isinstance(codec, av.VideoCodecContext)
    codec.extradata = extradata
    codec.thread_type = "AUTO"
    codec.thread_count = threads
    return codec
