"""Videos whose index disagrees with their pictures, or names several tracks; rows of videos.md."""

from __future__ import annotations

import io
from functools import partial

import av
import cv2

from tests.support.field_video import field_coded, record
from tests.support.mp4_boxes import box, boxes, edit_boxes
from tests.support.mp4_samples import TICK, Packets, entry_of, packet, packets_of, rebuilt, units
from tests.support.odd_videos import (
    FAST_VP9,
    FRAGMENTED,
    OPEN_GOP,
    Maker,
    edited,
    encode,
    numbered,
    of_two_sizes,
)
from tests.support.videos import make_video, numbered_picture

NO_B = {"bf": "0"}
IN_BAND = {"x264-params": "repeat-headers=1:bframes=2"}
HEVC_OPEN = "log-level=none:open-gop=1:keyint=12:min-keyint=12:bframes=3:b-adapt=0:scenecut=0:no-info=1"
AV1 = {"codec": "libsvtav1", "codec_options": {"preset": "12"}}
HEVC = {"codec": "libx265", "codec_options": {"x265-params": "log-level=none"}}
_CRA, _BLA, _HEVC_END = 21, 16, bytes([36 << 1, 1])
_DELIMITER, _SEI = b"\x09\x30", bytes([6, 5, 2, 1, 1, 0x80])
EMPTY = packet(_DELIMITER, _SEI)


def with_record(content: bytes, name: bytes, kind: bytes, new: bytes) -> bytes:
    """The content of `stsd` with another name of its entry, and another configuration record in it."""
    at = content.index(kind) - 4
    end = at + int.from_bytes(content[at : at + 4], "big")
    body = content[:12] + name + content[16:at] + box(kind, new) + content[end:]
    return body[:8] + (len(body) - 8).to_bytes(4, "big") + body[12:]


def of_fields(*, apart: bool, whole: range = range(0)) -> bytes:
    """A video coded as fields, each in a packet of its own or both in one."""
    data = make_video()
    packets = Packets([], [], ticks=TICK // 2 if apart else TICK)
    for number, nal_units, key in field_coded(30, whole):
        if key:
            packets.sync.append(len(packets.data))
        for place, unit in enumerate(nal_units if apart else [b""]):
            packets.data.append(packet(unit) if apart else packet(*nal_units))
            packets.numbers.append(2 * number + place if apart else number)
    return rebuilt(data, packets, lambda content: with_record(content, b"avc1", b"avcC", record()))


def sets_apart() -> bytes:
    """The parameter sets of every key frame are a packet of their own, as some cameras write them."""
    data = make_video(codec_options=NO_B)
    packets = packets_of(data)
    sets = packet(*_sets_of(data))
    return rebuilt(data, packets.with_each(lambda at, own: [sets, own] if at in packets.sync else [own]))


def _sets_of(data: bytes) -> list[bytes]:
    """SPS and PPS of an avcC record with one of each."""
    content = entry_of(data)
    at = content.index(b"avcC") + 4
    size = int.from_bytes(content[at + 6 : at + 8], "big")
    end = at + 11 + size + int.from_bytes(content[at + 9 + size : at + 11 + size], "big")
    return [content[at + 8 : at + 8 + size], content[at + 11 + size : end]]


def with_empty(first: int, step: int, options: dict[str, str]) -> bytes:
    """A packet without a picture behind each `step`-th one from `first` on, as for dropped frames."""
    data = make_video(codec_options=options)
    packets = packets_of(data)
    return rebuilt(
        data,
        packets.with_each(lambda at, own: [own, EMPTY] if at >= first and at % step == 3 else [own]),
    )


def two_in_one() -> bytes:
    """The packets of frames 20 and 21 are one."""
    data = make_video(codec_options=NO_B)
    packets = packets_of(data)
    packets.data[20] += packets.data.pop(21)
    packets.numbers.pop()
    packets.sync = [at - (at > 20) for at in packets.sync]
    return rebuilt(data, packets)


def spliced(*, broken_link: bool) -> bytes:
    """HEVC with open groups, joined at the third one: its leading pictures refer to what is not there."""
    data = make_video(codec="libx265", codec_options={"x265-params": HEVC_OPEN})
    packets = packets_of(data)
    points = [at for at, own in enumerate(packets.data) if any(u[0] >> 1 == _CRA for u in units(own))]
    at = points[1]
    if broken_link:
        changed = [bytes([_BLA << 1]) + u[1:] if u[0] >> 1 == _CRA else u for u in units(packets.data[at])]
        packets.data[at] = packet(*changed)
    else:
        packets.data[at - 1] += packet(_HEVC_END)
    return rebuilt(data, packets)


def throws_away() -> bytes:
    """HEVC whose second key frame says that pictures which are not shown yet never are."""
    options = "log-level=none:open-gop=0:keyint=12:min-keyint=12:bframes=3:b-adapt=0:scenecut=0"
    data = make_video(codec="libx265", codec_options={"x265-params": options})
    packets = packets_of(data)
    key = packets.sync[1]
    changed = [
        u[:2] + bytes([u[2] | 0x40]) + u[3:] if u[0] >> 1 in (19, 20) else u for u in units(packets.data[key])
    ]
    packets.data[key] = packet(*changed)
    return rebuilt(data, packets)


def cut_at_recovery() -> bytes:
    """H.264 with intra refresh, cut where a refresh begins; the index calls its first frame a key frame."""
    options = {"x264-params": "intra-refresh=1:keyint=10:min-keyint=10:bframes=0:repeat-headers=1"}
    data = encode(numbered(count=45), codec_options=options)
    packets = packets_of(data)
    kept = Packets(packets.data[12:42], list(range(30)), [0])
    return rebuilt(data, kept)


def wrong_times() -> bytes:
    """B-frames whose times say another order than the pictures themselves: two of them changed places."""
    data = make_video(codec_options={"x264-params": "bframes=3:b-pyramid=none:b-adapt=0:scenecut=0"})
    packets = packets_of(data)
    first, second = packets.numbers.index(14), packets.numbers.index(15)
    packets.numbers[first], packets.numbers[second] = 15, 14
    return rebuilt(data, packets)


def of_another_size() -> bytes:
    """An index left over from another recording: 640x384 where the pictures say 320x192 themselves."""
    big = entry_of(make_video(size=(640, 384), codec_options=IN_BAND))
    own = make_video(codec_options=IN_BAND)
    return edit_boxes(own, b"stsd", lambda _: big)


def sets_in_band(name: bytes) -> bytes:
    """An empty configuration record; each key frame brings its parameter sets."""
    own = make_video(codec_options=IN_BAND)
    return edit_boxes(
        own,
        b"stsd",
        lambda content: with_record(content, name, b"avcC", bytes([1, 77, 0, 13, 0xFF, 0xE0, 0])),
    )


def with_track_first(trak: bytes, flags: int = 3) -> bytes:
    """A video with that track in front of its own."""
    data = make_video()
    inside = boxes(dict(boxes(data))[b"moov"])
    trak = edit_boxes(trak, b"tkhd", lambda content: content[:3] + bytes([flags]) + content[4:])
    moov = b"".join((trak if kind == b"trak" else b"") + box(kind, content) for kind, content in inside)
    return b"".join(box(kind, moov if kind == b"moov" else content) for kind, content in boxes(data))


def own_track() -> bytes:
    """The track of a video."""
    return box(b"trak", dict(boxes(dict(boxes(make_video()))[b"moov"]))[b"trak"])


def emptied(trak: bytes) -> bytes:
    """The same track without frames."""
    for kind in (b"stsz", b"stts", b"stsc", b"stco", b"ctts", b"stss"):
        trak = edit_boxes(trak, kind, lambda _, kind=kind: bytes(12 if kind == b"stsz" else 8))  # type: ignore[misc]
    return edit_boxes(trak, b"edts", lambda _: b"")


def thumbnail_first(container: str, *, cover: bool) -> bytes:
    """A small picture as a video track in front of the match."""
    file = io.BytesIO()
    jpeg = bytes(cv2.imencode(".jpg", numbered_picture(99, 160, 96))[1])
    with av.open(io.BytesIO(make_video())) as source, av.open(file, "w", format=container) as out:
        thumbnail = out.add_stream("mjpeg", rate=1)
        thumbnail.width, thumbnail.height, thumbnail.pix_fmt = 160, 96, "yuvj420p"
        if cover:
            thumbnail.disposition = av.stream.Disposition.attached_pic
        match = out.add_stream_from_template(source.streams.video[0])
        picture = av.Packet(jpeg)
        picture.stream, picture.pts, picture.dts, picture.is_keyframe = thumbnail, 0, 0, True
        picture.time_base = thumbnail.time_base or 1
        out.mux(picture)
        for piece in source.demux(video=0):
            if piece.dts is not None:
                piece.stream = match
                out.mux(piece)
    return file.getvalue()


def preview_first() -> bytes:
    """A preview of a quarter of the size, as long as the match, in front of it."""
    file = io.BytesIO()
    small, large = make_video(size=(160, 96)), make_video()
    with (
        av.open(io.BytesIO(small)) as first,
        av.open(io.BytesIO(large)) as second,
        av.open(file, "w", format="mp4") as out,
    ):
        for source in (first, second):
            out.add_stream_from_template(source.streams.video[0])
        for number, source in enumerate((first, second)):
            for piece in source.demux(video=0):
                if piece.dts is not None:
                    piece.stream = out.streams.video[number]
                    out.mux(piece)
    return file.getvalue()


def with_boxes(*, before: bytes = b"", behind: bytes = b"", inside: bytes = b"") -> bytes:
    """A video with further bytes between frames and index, behind the index, and at the index's end."""
    out = b""
    for kind, content in boxes(make_video()):
        index = kind == b"moov"
        out += (before if index else b"") + box(kind, content + (inside if index else b""))
    return out + behind


def index_to_the_end() -> bytes:
    """An index whose size is 0: it goes on to the end of the file."""
    data = make_video()
    at = data.rindex(b"moov") - 4
    return data[:at] + bytes(4) + data[at + 4 :]


def growing_smaller(container: str, codec: str) -> bytes:
    """A video whose pictures become smaller at the 16th."""
    return of_two_sizes(container, codec, large_first=True)


VENDOR = box(b"\x00\xff\x01\xfe", b"what nobody knows")

SAMPLES: dict[str, Maker] = {
    "fields, each in a packet": partial(of_fields, apart=True),
    "fields, both in a packet": partial(of_fields, apart=False),
    "frames, then fields, each in a packet": partial(of_fields, apart=True, whole=range(12)),
    "parameter sets in packets of their own": sets_apart,
    "packets without a picture": partial(with_empty, 0, 7, NO_B),
    "packets without a picture, later": partial(with_empty, 16, 7, NO_B),
    "packets without a picture, B-frames": partial(with_empty, 8, 11, {}),
    "two pictures in a packet": two_in_one,
    "HEVC, open groups": partial(make_video, codec="libx265", codec_options={"x265-params": HEVC_OPEN}),
    "HEVC, broken link in the middle": partial(spliced, broken_link=True),
    "HEVC, leading pictures behind an end of the sequence": partial(spliced, broken_link=False),
    "HEVC, pictures thrown away at a key frame": throws_away,
    "HEVC, cut: open group first": lambda: encode(
        numbered(count=60), "libx265", codec_options={"x265-params": HEVC_OPEN}, first_packet=12
    ),
    "intra refresh, cut at a recovery point": cut_at_recovery,
    "B-frames with wrong times": wrong_times,
    "key frames lost": lambda: encode(numbered(count=60), key_frames=1),
    "key frames lost, HEVC": lambda: encode(
        numbered(count=60), "libx265", codec_options={"x265-params": "log-level=none"}, key_frames=1
    ),
    "index of another recording, of 640x384": of_another_size,
    "parameter sets in the packets, avc3": partial(sets_in_band, b"avc3"),
    "parameter sets in the packets, avc1": partial(sets_in_band, b"avc1"),
    "negative composition offsets": partial(
        make_video, container_options={"movflags": "negative_cts_offsets", "use_editlist": "0"}
    ),
    "edit: a gap between two parts": partial(edited, [(400, 2 * TICK), (200, -1), (400, 12 * TICK)]),
    "HEVC, fragmented": partial(make_video, container_options=FRAGMENTED, **HEVC),
    "VP9, fragmented": partial(
        make_video, codec="libvpx-vp9", codec_options=FAST_VP9, container_options=FRAGMENTED
    ),
    "AV1, fragmented": partial(make_video, container_options=FRAGMENTED, **AV1),
    "open groups": partial(make_video, codec_options=OPEN_GOP),
    "picture size shrinks, MP4": partial(growing_smaller, "mp4", "libx264"),
    "picture size shrinks, VP9": partial(growing_smaller, "mp4", "libvpx-vp9"),
    "thumbnail track first": partial(thumbnail_first, "mp4", cover=False),
    "cover picture first, Matroska": partial(thumbnail_first, "matroska", cover=True),
    "empty track first": lambda: with_track_first(emptied(own_track())),
    "smaller preview first": preview_first,
    "a box with an unprintable name before the index": partial(with_boxes, before=VENDOR + box(b"    ", b"")),
    "boxes within and behind the index": partial(
        with_boxes, inside=VENDOR + bytes(4), behind=VENDOR + b"\1\2"
    ),
    "zeros behind the index": partial(with_boxes, behind=bytes(5000)),
    "index of size 0": index_to_the_end,
    "a box of size 0 before the index": partial(with_boxes, before=bytes(4) + b"free"),
}
