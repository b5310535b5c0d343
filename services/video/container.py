"""Decoding any other video, through FFmpeg's demuxers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import av
import av.error

from services.errors import ChallengeError, CorruptVideo, TooLarge, UnsupportedVideo
from services.video.clip import DecodeLimits, DecodeStats
from services.video.picture import Frame, Letterbox, to_network
from services.video.plan import FramePlan
from services.video.source import ByteSource, SourceFile

CONTAINERS = "mov,mp4,matroska,webm,mpegts,avi"
"""Formats that the general demuxer may open; none of them follows references to other files or URLs."""


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
