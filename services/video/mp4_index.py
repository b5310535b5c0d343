"""The sample table of an MP4 file: which bytes hold which frame, known before they arrive.

Format: ISO/IEC 14496-12 (boxes, sample tables, edit lists), 14496-15 (avcC, hvcC).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.errors import CorruptVideo, TooLarge, UnsupportedVideo
from services.video.source import ByteSource

MAX_MOOV = 64 << 20
_TOP_LEVEL = {
    b"ftyp",
    b"moov",
    b"mdat",
    b"free",
    b"skip",
    b"wide",
    b"udta",
    b"uuid",
    b"meta",
    b"moof",
    b"sidx",
}
_TOP_LEVEL |= {b"styp", b"pdin", b"emsg", b"prft"}
_CONFIG = {b"avc1": (b"avcC", "h264"), b"hvc1": (b"hvcC", "hevc"), b"hev1": (b"hvcC", "hevc")}
_IDENTITY = (0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)

Int64s = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Mp4Index:
    """All frames of the video track. Arrays have one entry per sample, in decoding order.

    Attributes:
        codec: Name of the decoder, `h264` or `hevc`.
        extradata: The decoder's configuration record (avcC or hvcC).
        width: Coded picture width, pixels.
        height: Coded picture height, pixels.
        timescale: Units of `pts` per second.
        offsets: Byte offset in the file.
        sizes: Bytes.
        pts: Composition time, in units of the time scale.
        display: Frame number in order of display, from 0.
        moov_last: Whether the index stood behind the frames.
    """

    codec: str
    extradata: bytes
    width: int
    height: int
    timescale: int
    offsets: Int64s
    sizes: Int64s
    pts: Int64s
    display: Int64s
    moov_last: bool

    @property
    def count(self) -> int:
        """Frames in the clip."""
        return len(self.sizes)

    @property
    def end(self) -> int:
        """Offset behind the last byte of any frame."""
        return int((self.offsets + self.sizes).max()) if self.count else 0


def read_index(source: ByteSource) -> Mp4Index | None:
    """Find and read the index, waiting only for its bytes, wherever in the file it stands.

    Returns:
        The index, or None where the general demuxer has to do the work: not an MP4 file, a fragmented one,
        a codec other than H.264 and HEVC, or an edit list that cuts.

    Raises:
        CorruptVideo: An MP4 file whose index is missing, cut off or contradicts itself.
        UnsupportedVideo: A rotated picture, or an MP4 file without a video track.
        TooLarge: An index of more than 64 MB.
    """
    offset, seen_mdat = 0, False
    while True:
        head = source.read_at(offset, 16)
        if len(head) < 8:
            if offset == 0:
                return None
            raise CorruptVideo("the video is cut off before its index (moov)", stage="index")
        size, kind = struct.unpack(">I4s", head[:8])
        header = 8
        if size == 1 and len(head) == 16:
            size, header = struct.unpack(">Q", head[8:])[0], 16
        if kind not in _TOP_LEVEL:
            if offset == 0:
                return None
            raise CorruptVideo(f"unknown box {kind!r} at byte {offset} of the MP4 file", stage="index")
        if kind == b"moof":
            return None
        if kind == b"moov":
            if size > MAX_MOOV:
                raise TooLarge(f"the index has {size} bytes, at most {MAX_MOOV} are read", stage="index")
            moov = source.read_at(offset + header, size - header)
            if len(moov) < size - header:
                raise CorruptVideo("the video is cut off within its index (moov)", stage="index")
            return parse_moov(moov, moov_last=seen_mdat)
        if size == 0 or (size < header):
            raise CorruptVideo("the video has no index (moov)", stage="index")
        seen_mdat |= kind == b"mdat"
        offset += size


def parse_moov(moov: bytes, *, moov_last: bool = False) -> Mp4Index | None:
    """Read the content of a `moov` box; see `read_index`."""
    try:
        return _parse_moov(moov, moov_last)
    except (struct.error, IndexError, KeyError, ValueError) as error:
        raise CorruptVideo(f"the index of the MP4 file is damaged: {error}", stage="index") from error


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at + 8 <= len(data):
        size, kind = struct.unpack(">I4s", data[at : at + 8])
        header = 8
        if size == 1:
            size, header = struct.unpack(">Q", data[at + 8 : at + 16])[0], 16
        elif size == 0:
            size = len(data) - at
        if size < header or at + size > len(data):
            raise ValueError(f"box {kind!r} is longer than what holds it")
        yield kind, data[at + header : at + size]
        at += size


def _children(data: bytes) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    for kind, body in _boxes(data):
        found.setdefault(kind, body)
    return found


def _parse_moov(moov: bytes, moov_last: bool) -> Mp4Index | None:
    boxes = list(_boxes(moov))
    if any(kind == b"mvex" for kind, _ in boxes):
        return None
    for kind, body in boxes:
        if kind == b"trak":
            trak = _children(body)
            mdia = _children(trak[b"mdia"])
            if mdia[b"hdlr"][8:12] == b"vide":
                return _parse_video(trak, mdia, moov_last)
    raise UnsupportedVideo("the MP4 file has no video track", stage="index")


def _parse_video(trak: dict[bytes, bytes], mdia: dict[bytes, bytes], moov_last: bool) -> Mp4Index | None:
    tkhd = trak[b"tkhd"]
    matrix = struct.unpack(">9i", tkhd[52:88] if tkhd[0] == 1 else tkhd[40:76])
    if matrix[:2] + matrix[3:5] != _IDENTITY[:2] + _IDENTITY[3:5]:
        raise UnsupportedVideo("the picture is stored rotated or mirrored (tkhd matrix)", stage="index")
    mdhd = mdia[b"mdhd"]
    timescale = struct.unpack(">I", mdhd[20:24] if mdhd[0] == 1 else mdhd[12:16])[0]
    stbl = _children(_children(mdia[b"minf"])[b"stbl"])
    entry = _parse_entry(stbl[b"stsd"])
    if entry is None:
        return None
    codec, extradata, width, height = entry

    sizes = _sizes(stbl[b"stsz"])
    count = len(sizes)
    if count == 0:
        raise CorruptVideo("the video has no frames", stage="index")
    offsets = _offsets(stbl, sizes)
    durations = _runs(stbl[b"stts"], count, ">u4")
    pts: Int64s = np.cumsum(durations) - durations
    if b"ctts" in stbl:
        pts = pts + _runs(stbl[b"ctts"], count, ">i4")
    if len(np.unique(pts)) != count:
        raise CorruptVideo("two frames of the video have the same time", stage="index")
    if b"edts" in trak and _edit_cuts(trak[b"edts"], int(pts.min())):
        return None
    display = np.empty(count, np.int64)
    display[np.argsort(pts, kind="stable")] = np.arange(count)
    return Mp4Index(codec, extradata, width, height, timescale, offsets, sizes, pts, display, moov_last)


def _parse_entry(stsd: bytes) -> tuple[str, bytes, int, int] | None:
    if struct.unpack(">I", stsd[4:8])[0] != 1:
        return None
    kind, body = next(_boxes(stsd[8:]))
    if kind not in _CONFIG:
        return None
    width, height = struct.unpack(">HH", body[24:28])
    box, codec = _CONFIG[kind]
    return codec, _children(body[78:])[box], width, height


def _sizes(stsz: bytes) -> Int64s:
    fixed, count = struct.unpack(">II", stsz[4:12])
    if fixed:
        return np.full(count, fixed, np.int64)
    table = np.frombuffer(stsz, ">u4", offset=12)
    if len(table) < count:
        raise ValueError("stsz is too short")
    return table[:count].astype(np.int64)


def _runs(box: bytes, count: int, second: str) -> Int64s:
    """Expand a table of (run length, value): stts, ctts."""
    rows = struct.unpack(">I", box[4:8])[0]
    table = np.frombuffer(box, np.dtype([("n", ">u4"), ("v", second)]), count=rows, offset=8)
    if int(table["n"].sum(dtype=np.int64)) < count or int(table["n"].max(initial=0)) > max(count, 1) * 2:
        raise ValueError("a time table does not cover all frames")
    return np.repeat(table["v"].astype(np.int64), table["n"].astype(np.int64))[:count]


def _offsets(stbl: dict[bytes, bytes], sizes: Int64s) -> Int64s:
    wide = b"co64" in stbl
    box = stbl[b"co64"] if wide else stbl[b"stco"]
    chunks = np.frombuffer(
        box, ">u8" if wide else ">u4", count=struct.unpack(">I", box[4:8])[0], offset=8
    ).astype(np.int64)
    rows = struct.unpack(">I", stbl[b"stsc"][4:8])[0]
    table = np.frombuffer(stbl[b"stsc"], ">u4", count=rows * 3, offset=8).reshape(rows, 3).astype(np.int64)
    per_chunk = np.zeros(len(chunks), np.int64)
    ends = np.append(table[1:, 0] - 1, len(chunks))
    for (first, samples, _), end in zip(table, ends, strict=True):
        per_chunk[first - 1 : end] = samples
    if int(per_chunk.sum()) < len(sizes):
        raise ValueError("stsc does not cover all frames")
    chunk_of = np.repeat(np.arange(len(chunks)), per_chunk)[: len(sizes)]
    before = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    first_of_chunk = np.concatenate([[0], np.cumsum(per_chunk)[:-1]])[chunk_of]
    offsets: Int64s = chunks[chunk_of] + before - before[np.minimum(first_of_chunk, len(sizes) - 1)]
    return offsets


def _edit_cuts(edts: bytes, first_pts: int) -> bool:
    """Whether an edit list leaves frames out or plays them twice; a mere shift of time does not matter."""
    elst = _children(edts).get(b"elst")
    if elst is None:
        return False
    rows = struct.unpack(">I", elst[4:8])[0]
    layout = ">Qqi" if elst[0] == 1 else ">Iii"
    width = struct.calcsize(layout)
    times = [struct.unpack(layout, elst[8 + i * width : 8 + (i + 1) * width])[1] for i in range(rows)]
    real = [t for t in times if t != -1]
    return len(real) > 1 or any(t > first_pts for t in real)
