"""Decoding the frames that a plan wants, from bytes that may still be arriving."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import av
import av.error

from services.errors import ChallengeError, CorruptVideo, TooLarge, UnsupportedVideo
from services.video.mp4_index import Mp4Index, read_index
from services.video.picture import Frame, Letterbox, to_network
from services.video.plan import FramePlan
from services.video.source import ByteSource, SourceFile

CONTAINERS = "mov,mp4,matroska,webm,mpegts,avi"
"""Formats that the general demuxer may open; none of them follows references to other files or URLs."""


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
        return self.threads or min(4, os.cpu_count() or 1)


@dataclass(slots=True)
class DecodeStats:
    """What happened while decoding: packets dropped unseen, damaged ones, and frames in the clip."""

    dropped: int = 0
    damaged: int = 0
    decoded: int = 0
    count: int = 0


class Clip(Protocol):
    """An opened video: its shape is known, its frames can be had once, in order of display."""

    width: int
    height: int
    count: int | None
    stats: DecodeStats
    reader: str

    def frames(self, plan: FramePlan, box: Letterbox) -> Iterator[Frame]:
        """Decode; gives the frames that the plan wants."""


def open_clip(source: ByteSource, limits: DecodeLimits) -> Clip:
    """Open a video as soon as its index has arrived.

    Raises:
        UnsupportedVideo, CorruptVideo, TooLarge: As their names say.
    """
    index = read_index(source)
    clip: Clip = IndexedClip(source, index, limits) if index is not None else ContainerClip(source, limits)
    if clip.width * clip.height > limits.max_pixels:
        raise TooLarge(f"pictures of {clip.width}x{clip.height}; MAX_PIXELS allows {limits.max_pixels}")
    if clip.width < 16 or clip.height < 16:
        raise UnsupportedVideo(f"pictures of {clip.width}x{clip.height} are too small")
    if clip.count is not None and clip.count > limits.max_frames:
        raise TooLarge(f"{clip.count} frames; MAX_FRAMES allows {limits.max_frames}")
    return clip


class IndexedClip:
    """A plain MP4 file: frames are read by our own index, and those that nothing refers to are skipped."""

    reader = "index"

    def __init__(self, source: ByteSource, index: Mp4Index, limits: DecodeLimits) -> None:
        self._source = source
        self._index = index
        self._limits = limits
        self.width, self.height = index.width, index.height
        self.count: int | None = index.count
        self.stats = DecodeStats(count=index.count)

    def frames(self, plan: FramePlan, box: Letterbox) -> Iterator[Frame]:
        """See `Clip`."""
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
            raise CorruptVideo("no frame of the video could be decoded")

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
        self.stats.decoded += 1
        number = number_of.get(picture.pts if picture.pts is not None else -1)
        if number is not None and plan.wants(number):
            yield Frame(number, to_network(picture, box), plan.wants_keypoints(number))


class ContainerClip:
    """Any other video, through FFmpeg's demuxers: fragmented MP4, WebM, MPEG-TS, edit lists that cut."""

    reader = "container"

    def __init__(self, source: ByteSource, limits: DecodeLimits) -> None:
        self._limits = limits
        self._file = SourceFile(source)
        source.wait_for(limits.min_start_bytes, limits.start_timeout_s)
        with _mapped(self._file, "the bytes are not a video that can be read"):
            self._container = av.open(
                self._file,
                mode="r",
                options={"format_whitelist": CONTAINERS, "protocol_whitelist": ""},
                metadata_errors="replace",
            )
        if not self._container.streams.video:
            raise UnsupportedVideo("the file has no video track")
        self._stream = self._container.streams.video[0]
        self.width, self.height = self._stream.codec_context.width, self._stream.codec_context.height
        self.count: int | None = None
        self.stats = DecodeStats()

    def frames(self, plan: FramePlan, box: Letterbox) -> Iterator[Frame]:
        """See `Clip`."""
        self._stream.codec_context.thread_type = "AUTO"
        self._stream.codec_context.thread_count = self._limits.thread_count
        packets = self._container.demux(self._stream)
        while True:
            with _mapped(self._file, "the video is damaged"):
                packet = next(packets, None)
            if packet is None:
                break
            for picture in self._decode(packet):
                number = self.stats.decoded
                if number >= self._limits.max_frames:
                    raise TooLarge(f"more than {self._limits.max_frames} frames (MAX_FRAMES)")
                self.stats.decoded += 1
                if plan.wants(number):
                    yield Frame(number, to_network(picture, box), plan.wants_keypoints(number))
        self.stats.count = self.stats.decoded
        if not self.stats.decoded:
            raise CorruptVideo("the video has no frames that can be decoded")

    def _decode(self, packet: av.Packet[Any]) -> list[av.VideoFrame]:
        try:
            return [frame for frame in packet.decode() if isinstance(frame, av.VideoFrame)]
        except av.error.FFmpegError:
            self.stats.damaged += 1
            return []


def is_unreferenced(sample: bytes, length_size: int) -> bool:
    """Whether no other frame refers to this H.264 sample: all its slices have nal_ref_idc 0.

    Source: ITU-T H.264, 7.4.1 (NAL unit header).

    Args:
        sample: Length-prefixed NAL units, as in an MP4 file.
        length_size: Bytes of each length.
    """
    at, slices = 0, 0
    while at + length_size < len(sample):
        length = int.from_bytes(sample[at : at + length_size], "big")
        header = sample[at + length_size]
        if 1 <= header & 0x1F <= 5:
            if header & 0x60:
                return False
            slices += 1
        at += length_size + length
    return slices > 0


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


class _mapped:  # noqa: N801 - reads as a verb where it is used
    """FFmpeg's errors become ours; an error of the byte source under it goes first."""

    def __init__(self, file: SourceFile, what: str) -> None:
        self._file = file
        self._what = what

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if error is None or isinstance(error, ChallengeError):
            return
        if self._file.failure is not None:
            raise self._file.failure from error
        if isinstance(error, av.error.FFmpegError | ValueError):
            raise UnsupportedVideo(f"{self._what}: {error}") from error
