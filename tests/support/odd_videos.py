"""Videos as cameras, phones, editors and cutters make them; names are rows of docs/reference/videos.md."""

from __future__ import annotations

import io
import struct
import tempfile
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from tests.support.mp4_boxes import box, edit_boxes
from tests.support.videos import make_video, numbered_picture

Maker = Callable[[], bytes]
Picture = npt.NDArray[np.uint8]
FAST_VP9 = {"deadline": "realtime", "cpu-used": "8"}
QUIET_X265 = "log-level=none"
FRAGMENTED = {"movflags": "frag_keyframe+empty_moov"}
TICK = 512
"""Time of a frame in the track's units, as FFmpeg's MP4 muxer chooses them for 25 fps."""
DELAY = 2 * TICK
"""Time of the first picture, since B-frames are decoded ahead."""
_MATRICES = {
    1: (0, 65536, 0, -65536, 0, 0),
    2: (-65536, 0, 0, 0, -65536, 0),
    3: (0, -65536, 0, 65536, 0, 0),
}


def encode(
    pictures: list[Picture],
    codec: str = "libx264",
    container: str = "mp4",
    pixels: str = "yuv420p",
    codec_options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    start: int = 0,
    first_packet: int = 0,
    key_frames: int | None = None,
    shape: Fraction | None = None,
    audio: bool = False,
    tracks: int = 1,
) -> bytes:
    """Encode pictures of one size, 25 a second.

    Args:
        pictures: RGB.
        codec: An encoder of FFmpeg's.
        container: A muxer of FFmpeg's.
        pixels: Pixel format.
        codec_options: For the encoder.
        container_options: For the muxer.
        start: Time of the first picture, in frames.
        first_packet: Packets before it are left out, as by a cutter that does not look for key frames.
        key_frames: How many of them are kept; what refers to the others has nothing to refer to.
        shape: Width of a pixel divided by its height.
        audio: Whether a sound track comes first, and is interleaved.
        tracks: Video tracks; each but the first shows the pictures upside down.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "video"
        with av.open(str(file), "w", format=container, options=container_options or {}) as out:
            sound: Any = out.add_stream("aac", rate=48000) if audio else None
            streams = [_video_stream(out, codec, pictures[0], pixels, codec_options) for _ in range(tracks)]
            for stream in streams if shape else []:
                stream.codec_context.sample_aspect_ratio = shape
            packets = keys = 0
            for number, picture in enumerate([*pictures, None]):
                for which, stream in enumerate(streams):
                    frame = None if picture is None else _frame(picture[::-1] if which else picture)
                    if frame is not None:
                        frame.pts, frame.time_base = start + number, Fraction(1, 25)
                    for packet in stream.encode(frame):
                        keys += packet.is_keyframe
                        lost = key_frames is not None and packet.is_keyframe and keys > key_frames
                        if packets >= first_packet and not lost:
                            out.mux(packet)
                        packets += 1
                if sound is not None:
                    out.mux(sound.encode(None if picture is None else silence(number)))
        return file.read_bytes()


def _video_stream(out: Any, codec: str, picture: Picture, pixels: str, options: dict[str, str] | None) -> Any:
    stream = out.add_stream(codec, rate=25, options=options or {})
    stream.height, stream.width = picture.shape[:2]
    stream.pix_fmt = pixels
    stream.gop_size = 12
    stream.codec_context.thread_count = 1  # the same bytes each time
    return stream


def _frame(picture: Picture) -> av.VideoFrame:
    return av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")


def silence(number: int) -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray(np.zeros((2, 1920), np.float32), format="fltp", layout="stereo")
    frame.rate, frame.pts = 48000, number * 1920
    return frame


def numbered(width: int = 320, height: int = 192, count: int = 30) -> list[Picture]:
    """Numbered pictures of that size."""
    return [numbered_picture(number, width, height) for number in range(count)]


def with_matrix(data: bytes, matrix: tuple[int, ...]) -> bytes:
    """The same file with that display matrix (a, b, u, c, d, v; 16.16)."""
    entry = struct.pack(">9i", *matrix, 0, 0, 1 << 30)
    return edit_boxes(data, b"tkhd", lambda content: content[:40] + entry + content[76:])


def turned(turns: int, container_options: dict[str, str] | None = None) -> bytes:
    """A video stored turned; its matrix turns it back, clockwise by so many quarters."""
    pictures = [np.rot90(picture, turns) for picture in numbered()]
    return turn(encode(pictures, container_options=container_options), turns)


def turn(data: bytes, turns: int) -> bytes:
    """The same file, shown turned clockwise by so many quarters."""
    return with_matrix(data, _MATRICES[turns])


def edited(rows: list[tuple[int, int]], **options: Any) -> bytes:
    """A video of 1200 ms with an edit list of (duration in ms, start in the track's units, -1: nothing)."""
    content = struct.pack(">II", 0, len(rows))
    content += b"".join(struct.pack(">Iii", *row, 65536) for row in rows)
    return edit_boxes(make_video(**options), b"edts", lambda _: box(b"elst", content))


def of_two_sizes(container: str, codec: str = "libx264", *, large_first: bool = False) -> bytes:
    """A video whose 16th picture, a key frame, and all later ones have twice or half the first ones' size."""
    sizes = ((640, 384), (320, 192)) if large_first else ((320, 192), (640, 384))
    parts = ((numbered(*sizes[0])[:15], 0), (numbered(*sizes[1])[15:], 15))
    file = io.BytesIO()
    with av.open(file, "w", format=container) as out:
        stream = _video_stream(out, codec, parts[0][0][0], "yuv420p", None)
        stream.codec_context.flags &= ~av.codec.context.Flags.global_header
        for pictures, start in parts:
            encoder: Any = av.CodecContext.create(codec, "w")
            encoder.height, encoder.width = pictures[0].shape[:2]
            encoder.pix_fmt, encoder.time_base = "yuv420p", Fraction(1, 25)
            encoder.framerate = Fraction(25)
            if not start:
                encoder = stream
            for number, picture in enumerate([*pictures, None]):
                frame = None if picture is None else _frame(picture)
                if frame is not None:
                    frame.pts, frame.time_base = start + number, Fraction(1, 25)
                for packet in encoder.encode(frame):
                    packet.stream = stream
                    if start:
                        packet.time_base = Fraction(1, 25)
                    out.mux(packet)
    return file.getvalue()


def with_times(runs: list[tuple[int, int]]) -> bytes:
    """A video without B-frames whose frames last as long as (how many, units) says."""
    content = struct.pack(">II", 0, len(runs)) + b"".join(struct.pack(">II", *run) for run in runs)
    return edit_boxes(make_video(codec_options={"bf": "0"}), b"stts", lambda _: content)


def without_order() -> bytes:
    """A video with B-frames whose index gives times in the order in which the frames are stored."""
    data = edit_boxes(make_video(), b"edts", lambda _: b"")
    return edit_boxes(data, b"ctts", lambda _: struct.pack(">IIII", 0, 1, 30, 0))


OPEN_GOP = {"x264-params": "open-gop=1:keyint=12:bframes=3:b-adapt=0:scenecut=0"}

ODD: dict[str, Maker] = {
    "H.264 with B-frames, index last": make_video,
    "index first": partial(make_video, container_options={"movflags": "faststart"}),
    "no B-frames": partial(make_video, codec_options={"bf": "0"}),
    "B-pyramid": partial(make_video, codec_options={"x264-params": "bframes=5:b-pyramid=normal"}),
    "every frame a key frame": partial(make_video, gop=1),
    "a single frame": partial(make_video, frames=1),
    "a single frame, WebM": partial(make_video, frames=1, codec="libvpx", container="webm"),
    "a still picture for 30 frames": lambda: encode([numbered_picture(7, 320, 192)] * 30),
    "a still picture in a video's file (MOV with one JPEG)": partial(
        make_video, frames=1, codec="mjpeg", container="mov", pixels="yuvj420p"
    ),
    "HEVC": partial(make_video, codec="libx265", codec_options={"x265-params": QUIET_X265}),
    "HEVC, 10 bit": partial(
        make_video, codec="libx265", pixels="yuv420p10le", codec_options={"x265-params": QUIET_X265}
    ),
    "VP9, MP4": partial(make_video, codec="libvpx-vp9", codec_options=FAST_VP9),
    "VP9, WebM": partial(make_video, codec="libvpx-vp9", container="webm", codec_options=FAST_VP9),
    "VP9 with hidden frames": partial(
        make_video,
        codec="libvpx-vp9",
        container="webm",
        codec_options={**FAST_VP9, "deadline": "good", "auto-alt-ref": "1", "lag-in-frames": "16"},
    ),
    "VP8, WebM": partial(make_video, codec="libvpx", container="webm", codec_options={"b": "2M"}),
    "AV1, MP4": partial(make_video, codec="libsvtav1", codec_options={"preset": "12"}),
    "AV1, WebM": partial(make_video, codec="libsvtav1", container="webm", codec_options={"preset": "12"}),
    "MPEG-4 part 2, AVI": partial(make_video, codec="mpeg4", container="avi"),
    "H.264, AVI": partial(make_video, container="avi"),
    "H.264, Matroska": partial(make_video, container="matroska"),
    "H.264, MOV": partial(make_video, container="mov"),
    "ProRes, MOV": partial(make_video, codec="prores_ks", container="mov", pixels="yuv422p10le"),
    "H.264, MPEG-TS": partial(make_video, container="mpegts"),
    "fragmented": partial(make_video, container_options=FRAGMENTED),
    "fragmented, first frames in the index": partial(
        make_video, container_options={"movflags": "frag_keyframe"}
    ),
    "fragmented, for DASH": partial(
        make_video, container_options={"movflags": "dash+frag_keyframe+empty_moov+global_sidx"}
    ),
    "variable frame rate": partial(make_video, times=[i * 40 + (i % 3) * 9 for i in range(30)]),
    "two frames at one time": lambda: with_times([(10, TICK), (1, 0), (19, TICK)]),
    "all frames at one time": lambda: with_times([(30, 0)]),
    "B-frames without their times": without_order,
    "time table too short": lambda: with_times([(20, TICK)]),
    "negative times": lambda: encode(numbered(), start=-10, container_options={"use_editlist": "0"}),
    "negative times cut by an edit": lambda: encode(numbered(), start=-10),
    "late start": lambda: encode(numbered(), start=50),
    "edit: a shift": partial(edited, [(1200, DELAY)]),
    "edit: a pause, then all": partial(edited, [(400, -1), (1200, DELAY)]),
    "edit: start cut": partial(edited, [(920, DELAY + 7 * TICK)]),
    "edit: end cut": partial(edited, [(600, DELAY)]),
    "edit: two parts": partial(edited, [(400, DELAY), (400, DELAY + 20 * TICK)]),
    "edit: a part twice": partial(edited, [(400, DELAY), (400, DELAY)]),
    "edit: nothing is left": partial(edited, [(1200, DELAY + 50 * TICK)]),
    "turned by 90°": partial(turned, 1),
    "turned by 180°": partial(turned, 2),
    "turned by 270°": partial(turned, 3),
    "turned by 90°, fragmented": partial(turned, 1, FRAGMENTED),
    "turned by 45°": lambda: with_matrix(make_video(), (46341, 46341, 0, -46341, 46341, 0)),
    "mirrored upside down": lambda: with_matrix(make_video(), (65536, 0, 0, 0, -65536, 0)),
    "853x481, VP9": partial(
        make_video, size=(853, 481), codec="libvpx-vp9", container="webm", codec_options=FAST_VP9
    ),
    "853x481, MPEG-4 part 2": partial(make_video, size=(853, 481), codec="mpeg4"),
    "853x481, H.264 4:4:4": partial(make_video, size=(853, 481), pixels="yuv444p"),
    "4:2:2": partial(make_video, pixels="yuv422p"),
    "4:2:2, 10 bit": partial(make_video, pixels="yuv422p10le"),
    "4:2:0, 10 bit": partial(make_video, pixels="yuv420p10le"),
    "full range": partial(make_video, pixels="yuvj420p"),
    "grey": partial(make_video, pixels="gray"),
    "interlaced": partial(make_video, codec_options={"x264-params": "tff=1"}),
    "interlaced, 4:2:2": partial(make_video, pixels="yuv422p", codec_options={"x264-params": "tff=1"}),
    "anamorphic pixels": lambda: encode(numbered(), shape=Fraction(4, 3)),
    "sound, interleaved": lambda: encode(numbered(), audio=True),
    "sound, fragmented": lambda: encode(numbered(), audio=True, container_options=FRAGMENTED),
    "two video tracks": lambda: encode(numbered(), tracks=2),
    "picture size changes, MP4": partial(of_two_sizes, "mp4"),
    "picture size changes, MPEG-TS": partial(of_two_sizes, "mpegts"),
    "picture size changes, WebM": partial(of_two_sizes, "webm", "libvpx-vp9"),
    "cut: no key frame first": lambda: encode(numbered(), first_packet=5),
    "cut: open group first": lambda: encode(numbered(count=60), codec_options=OPEN_GOP, first_packet=12),
}
