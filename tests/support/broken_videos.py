"""Files that are damaged, cut off, lie, or are no videos; the names are rows of docs/reference/videos.md."""

from __future__ import annotations

import io
import struct
from functools import partial

import av
import cv2
import numpy as np

from tests.support.mp4_boxes import box, boxes, edit_boxes
from tests.support.odd_videos import FAST_VP9, FRAGMENTED, Maker, silence
from tests.support.videos import make_video, numbered_picture

FIRST = {"movflags": "faststart"}


def noisy(data: bytes, at: float, length: int) -> bytes:
    """Random bytes from that part of the file on."""
    damaged, start = bytearray(data), int(len(data) * at)
    damaged[start : start + length] = np.random.default_rng(0).bytes(length)
    return bytes(damaged)


def cut(data: bytes, share: float = 0.67) -> bytes:
    """The first part of the file."""
    return data[: int(len(data) * share)]


def with_table(kind: bytes, content: bytes) -> bytes:
    """A video whose index has that content in the tables of a kind."""
    return edit_boxes(make_video(codec_options={"bf": "0"}), kind, lambda _: content)


def with_moov_size(size: int) -> bytes:
    """A video whose index says that it is as long as that."""
    data = make_video()
    start = data.rindex(b"moov") - 4
    return data[:start] + struct.pack(">I", size) + data[start + 4 :]


def with_entry_size(width: int, height: int) -> bytes:
    """A video whose index says that its pictures, of 320x192, have another size."""
    size = struct.pack(">HH", width, height)
    return edit_boxes(make_video(), b"stsd", lambda content: content[:40] + size + content[44:])


def long_video(*, first: bool) -> bytes:
    """The index of two hours, 180 000 frames, first or last; behind or before it stand zeros for frames."""
    count, size = 180_000, 100
    data = make_video(codec_options={"bf": "0"})
    moov = dict(boxes(data))[b"moov"]
    tables = {
        b"stts": struct.pack(">IIII", 0, 1, count, 512),
        b"stsz": struct.pack(">III", 0, size, count),
        b"stsc": struct.pack(">IIIII", 0, 1, 1, count, 1),
        b"edts": b"",
    }
    moov = box(b"moov", moov)
    for kind, content in tables.items():
        moov = edit_boxes(moov, kind, lambda _, content=content: content)  # type: ignore[misc]
    head, body = data[:32], box(b"mdat", bytes(count * size))
    start = len(head) + 8 + (len(moov) if first else 0)
    moov = edit_boxes(moov, b"stco", lambda _: struct.pack(">III", 0, 1, start))
    return head + (moov + body if first else body + moov)


def sound_only(container: str) -> bytes:
    """A file with a sound track and nothing to see."""
    file = io.BytesIO()
    with av.open(file, "w", format=container) as out:
        stream = out.add_stream("aac", rate=48000)
        for number in range(20):
            out.mux(stream.encode(silence(number)))
        out.mux(stream.encode(None))
    return file.getvalue()


def sound_with_cover() -> bytes:
    """A Matroska file with a sound track and a picture to show beside it."""
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as out:
        stream = out.add_stream("aac", rate=48000)
        out.add_attachment("cover.jpg", "image/jpeg", picture_file(".jpg"))
        for number in range(20):
            out.mux(stream.encode(silence(number)))
        out.mux(stream.encode(None))
    return file.getvalue()


def picture_file(kind: str) -> bytes:
    """A picture as a file of its own."""
    return bytes(cv2.imencode(kind, numbered_picture(0, 320, 192))[1])


def _vp9() -> bytes:
    return make_video(60, codec="libvpx-vp9", container="webm", codec_options=FAST_VP9)


BROKEN: dict[str, Maker] = {
    "damaged in the middle": lambda: noisy(make_video(60), 0.5, 3000),
    "damaged in the middle, HEVC": lambda: noisy(
        make_video(60, codec="libx265", codec_options={"x265-params": "log-level=none"}), 0.5, 2000
    ),
    "damaged in the middle, fragmented": lambda: noisy(
        make_video(60, container_options=FRAGMENTED), 0.5, 2000
    ),
    "damaged in the middle, WebM": lambda: noisy(_vp9(), 0.5, 2000),
    "damaged in the middle, MPEG-TS": lambda: noisy(make_video(60, container="mpegts"), 0.5, 2000),
    "damaged first frames": lambda: noisy(make_video(60), 0.002, 3000),
    "damaged everywhere": lambda: noisy(make_video(60), 0.002, 80_000),
    "cut off, index first": lambda: cut(make_video(60, container_options=FIRST)),
    "cut off, index last": lambda: cut(make_video(60)),
    "cut off within the index": lambda: cut(make_video(60, container_options=FIRST), 0.01),
    "cut off, fragmented": lambda: cut(make_video(60, container_options=FRAGMENTED)),
    "cut off, WebM": lambda: cut(_vp9()),
    "cut off within the head, WebM": lambda: _vp9()[:300],
    "cut off, MPEG-TS": lambda: cut(make_video(60, container="mpegts")),
    "index says 4 GB": partial(with_moov_size, 0xFFFFFFF0),
    "index says 40 MB": partial(with_moov_size, 40 << 20),
    "index names bytes outside the file": partial(with_table, b"stco", struct.pack(">III", 0, 1, 1 << 30)),
    "index says 4 000 000 000 frames of one size": partial(
        with_table, b"stsz", struct.pack(">III", 0, 1, 4_000_000_000)
    ),
    "index says 4 000 000 000 frames of one time": partial(
        with_table, b"stts", struct.pack(">IIII", 0, 1, 4_000_000_000, 512)
    ),
    "index says 2 000 000 000 frames in one chunk": partial(
        with_table, b"stsc", struct.pack(">IIIII", 0, 1, 1, 2_000_000_000, 1)
    ),
    "index without frames": partial(with_table, b"stsz", bytes(12)),
    "index without chunks": partial(with_table, b"stco", bytes(8)),
    "index says the pictures have no size": partial(with_entry_size, 0, 0),
    "index says 640x384, pictures are 320x192": partial(with_entry_size, 640, 384),
    "two hours, index first": partial(long_video, first=True),
    "two hours, index last": partial(long_video, first=False),
    "thousands of empty boxes": lambda: make_video()[:32] + box(b"free", b"") * 5000 + make_video()[32:],
    "sound only": partial(sound_only, "ipod"),
    "sound only, MPEG-TS": partial(sound_only, "mpegts"),
    "sound with a cover picture": sound_with_cover,
    "a codec that FFmpeg does not know": lambda: make_video().replace(b"avc1", b"xyz1"),
    "a codec whose set-up is damaged": lambda: make_video().replace(b"avcC\x01", b"avcC\x07"),
    "a PNG picture": partial(picture_file, ".png"),
    "a JPEG picture": partial(picture_file, ".jpg"),
    "an animated GIF": partial(make_video, codec="gif", container="gif", pixels="rgb8"),
    "FLV": partial(make_video, container="flv"),
    "H.264 without a container": partial(make_video, container="h264"),
    "a playlist": lambda: b"#EXTM3U\n#EXT-X-TARGETDURATION:1\nhttp://127.0.0.1:1/a.ts\n" * 20,
    "a list of files": lambda: b"ffconcat version 1.0\nfile '/etc/passwd'\n",
    "an HTML page": lambda: b"<!DOCTYPE html><html><body>Not found</body></html>" * 20,
    "zero bytes": lambda: b"",
    "5000 zeros": lambda: bytes(5000),
    "random bytes": lambda: np.random.default_rng(0).bytes(50_000),
}
