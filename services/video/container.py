"""Decoding any other video, through FFmpeg's demuxers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import chain
from typing import Any, cast

import av
import av.error

from services.errors import CorruptVideo, TooLarge, UnsupportedVideo
from services.frame_plan import FramePlan
from services.results import LumaPicture
from services.video.clip import DecodeLimits, DecodeStats
from services.video.fragment_limits import FragmentLimits
from services.video.letterbox import Frame, Letterbox, letterboxed
from services.video.luma import LumaSelector, frames_with_luma
from services.video.mp4_boxes import Moov, find_moov
from services.video.mp4_index import Mp4Index
from services.video.orientation import shown_size, turns_of_angle
from services.video.picture_size import check_coded_size
from services.video.source import ByteSource, SourceFile
from services.video.table_limits import check_tables
from services.video.tracks import TrackFacts, main_track

CONTAINERS = "mov,mp4,matroska,webm,mpegts,avi"
"""Formats that the general demuxer may open; none of them follows references to other files or URLs."""
_TIMED = {"mov", "matroska"}
"""Formats whose header states a duration; elsewhere FFmpeg guesses one."""
_PICTURES = av.stream.Disposition.attached_pic | av.stream.Disposition.timed_thumbnails
"""Marks of a track that shows cover pictures or thumbnails."""
_EBML = b"\x1aE\xdf\xa3"
_CERTAIN = 2
"""A clip whose header states so many times more frames than are allowed is refused before they come."""


_MARGIN = 2
"""Pictures so many times larger than allowed are not decoded; coded sizes are somewhat above shown ones."""


class ContainerClip:
    """Any other video, through FFmpeg's demuxers: fragmented MP4, WebM, MPEG-TS, edit lists that cut.

    Frames are numbered as they come out of the decoder, as OpenCV numbers them. The first picture is decoded
    when the clip is opened: only it says how large the pictures are and how they are turned.
    """

    reader = "container"

    def __init__(self, source: ByteSource, limits: DecodeLimits) -> None:
        self._limits = limits
        source.wait_for(0, limits.min_start_bytes, limits.start_timeout_s)
        is_streamed = _is_streamed(source.read_at(0, 189))
        # of other files FFmpeg reads the head itself
        moov = None if is_streamed else find_moov(source)
        if moov is not None:
            check_tables(moov.content)
        in_order = is_streamed or _has_fragments_in_order(moov)
        self._file = SourceFile(source if is_streamed else FragmentLimits(source), seeks=not in_order)
        self._container = self._open(source)
        self._stream = self._main_stream()
        self._stream.codec_context.thread_type = "AUTO"
        self._stream.codec_context.thread_count = limits.thread_count
        self._stream.codec_context.options = {"max_pixels": str(_MARGIN * limits.max_pixels)}
        self.count: int | None = None
        self.index: Mp4Index | None = None
        self.stats = DecodeStats()
        self._check_size(self._stream.codec_context.width, self._stream.codec_context.height)
        self._check_coded_size()
        self._check_length()
        pictures = self._decoded()
        first = next(pictures, None)
        if first is None:
            raise CorruptVideo("no frame of the video can be decoded; check the file")
        self._check_size(first.width, first.height)
        self._pictures = chain([first], pictures)
        self._turns = turns_of_angle(-first.rotation)
        self.width, self.height = shown_size(first.width, first.height, self._turns)

    def frames(self, plan: FramePlan, letterbox: Letterbox) -> Iterator[Frame]:
        """See `Clip`."""
        return frames_with_luma(self._wanted(plan, letterbox))

    def _wanted(self, plan: FramePlan, letterbox: Letterbox) -> Iterator[Frame | LumaPicture]:
        luma = LumaSelector(plan, (letterbox.source_width, letterbox.source_height), self._turns)
        number, last = 0, None
        for number, last in enumerate(self._pictures):  # noqa: B007 - the last one is looked at behind the loop
            if number >= self._limits.max_frames:
                raise TooLarge(f"more than {self._limits.max_frames} frames; MAX_FRAMES allows no more")
            self._check_size(last.width, last.height)
            self.stats.decoded += 1
            if plan.is_sampled(number):
                begun = time.perf_counter()
                frame = Frame(
                    number,
                    letterboxed(last, letterbox, self._turns),
                    plan.needs_keypoints(number),
                    luma.of_sampled_frame(number, last),
                    luma.at_full_size(number, last),
                )
                self.stats.add(busy_s=time.perf_counter() - begun)
                yield frame
            elif (picture := luma.of_other_frame(number, last)) is not None:
                yield picture
        self.stats.count = self.stats.decoded
        if last is not None and not plan.is_sampled(number):
            # a plan wants the last frame of a clip, and only now it is known which that is
            yield Frame(
                number,
                letterboxed(last, letterbox, self._turns),
                luma_pictures=luma.of_sampled_frame(number, last),
                full_luma=luma.at_full_size(number, last),
            )

    def _open(self, source: ByteSource) -> av.container.InputContainer:
        try:
            return av.open(
                self._file,
                mode="r",
                options={
                    "format_whitelist": CONTAINERS,
                    "protocol_whitelist": "",
                    "skip_estimate_duration_from_pts": "1",  # it would read the end of the file first
                },
                metadata_errors="replace",
            )
        except (av.error.FFmpegError, ValueError) as error:
            self._raise_failure(error)
            if _claims_to_be_a_video(source.read_at(0, 12)):
                raise CorruptVideo("the video is damaged or cut off; check the file") from error
            raise UnsupportedVideo(
                "the bytes are not a video that can be read (MP4, MOV, WebM, Matroska, MPEG-TS or AVI); "
                "check the URL"
            ) from error

    def _main_stream(self) -> av.VideoStream:
        streams = [s for s in self._container.streams.video if not s.disposition & _PICTURES]
        if not streams:
            raise UnsupportedVideo("the file has no video track, at most a cover picture; check the URL")
        # PyAV has no context for a codec that this FFmpeg does not know
        known = [s for s in streams if cast("av.VideoCodecContext | None", s.codec_context) is not None]
        if not known:
            raise UnsupportedVideo("there is no decoder for the video; check the file")
        return known[main_track([_facts(stream) for stream in known])]

    def _check_size(self, width: int, height: int) -> None:
        if width * height > self._limits.max_pixels:
            raise TooLarge(f"pictures of {width}x{height}; MAX_PIXELS allows {self._limits.max_pixels}")

    def _check_coded_size(self) -> None:
        context = self._stream.codec_context
        check_coded_size(context.coded_width, context.coded_height, self._limits.max_pixels)

    def _check_length(self) -> None:
        stream, maximum = self._stream, self._limits.max_frames
        if stream.frames > maximum:
            raise TooLarge(f"{stream.frames} frames; MAX_FRAMES allows {maximum}")
        rate, length = stream.average_rate, self._container.duration
        if rate and length and self._container.format.name.split(",")[0] in _TIMED:
            stated = int(length * rate / av.time_base)
            if stated > _CERTAIN * maximum:
                raise TooLarge(f"about {stated} frames; MAX_FRAMES allows {maximum}")

    def _decoded(self) -> Iterator[av.VideoFrame]:
        """All pictures; damage costs those that it hits, and a file that breaks off ends there."""
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets, None)
            except (av.error.FFmpegError, ValueError) as error:
                self._raise_failure(error)
                self.stats.add(damaged=1)
                yield from self._decode(None)
                return
            if packet is None:
                # the demuxer's last packet was empty, and has brought what the decoder still held
                self._raise_failure(None)
                return
            yield from self._decode(packet)

    def _decode(self, packet: av.Packet[Any] | None) -> list[av.VideoFrame]:
        begun = time.perf_counter()
        try:
            pictures = self._stream.codec_context.decode(packet)
            # a parameter set in mid-stream may enlarge what is coded, and leave what is shown as it was
            self._check_coded_size()
            return pictures
        except av.error.FFmpegError:
            self._check_size(self._stream.codec_context.width, self._stream.codec_context.height)
            self.stats.add(damaged=1)
            return []
        finally:
            self.stats.add(packets=1, busy_s=time.perf_counter() - begun)

    def _raise_failure(self, cause: Exception | None) -> None:
        """An error of the byte source takes precedence over what FFmpeg made of it."""
        if self._file.failure is not None:
            raise self._file.failure from cause


def _facts(stream: av.VideoStream) -> TrackFacts:
    frames, rate = stream.frames, stream.average_rate
    if not frames and stream.duration and stream.time_base and rate:
        frames = int(stream.duration * stream.time_base * rate)
    enabled = bool(stream.disposition & av.stream.Disposition.default)
    return TrackFacts(enabled, frames, stream.codec_context.width * stream.codec_context.height)


def _has_fragments_in_order(moov: Moov | None) -> bool:
    """Whether it is a fragmented MP4 file that can be read from the front to the end.

    FFmpeg looks through the whole of one before its first frame, if it can.
    """
    return moov is not None and not moov.last and moov.announces_fragments


def _is_streamed(head: bytes) -> bool:
    """Whether a file is Matroska or MPEG-TS, which is read from the front to the end."""
    return head[:4] == _EBML or (head[:1] == b"G" == head[188:])


def _claims_to_be_a_video(head: bytes) -> bool:
    return (
        head[4:8] in (b"ftyp", b"moov", b"mdat", b"moof", b"styp", b"wide")
        or head[:4] == _EBML
        or (head[:4] == b"RIFF" and head[8:12] == b"AVI ")
    )
