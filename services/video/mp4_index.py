"""The sample table of an MP4 file: which bytes hold which frame, known before they arrive.

Format: ISO/IEC 14496-12 (boxes, sample tables, edit lists), 14496-15 (avcC, hvcC).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.errors import CorruptVideo, TooLarge
from services.video.mp4_boxes import boxes, children, find_moov
from services.video.orientation import Matrix, quarter_turns
from services.video.parameter_sets import StreamParameters, read_stream_parameters
from services.video.source import ByteSource
from services.video.tracks import TrackFacts, main_track

MAX_SAMPLES = 1_000_000
"""Tables of more frames are not unfolded, a few bytes can claim 4 000 000 000. MAX_FRAMES ends there."""
_CONFIG = {b"avc1": (b"avcC", "h264"), b"hvc1": (b"hvcC", "hevc"), b"hev1": (b"hvcC", "hevc")}
_NO_EDIT = -1
"""Media time of an entry of an edit list that shows nothing."""
_ENABLED = 1
"""Flag of a track header."""
_NORMAL_RATE = 0x10000
"""A rate of 1 in an edit list, fixed point with 16 bits behind the point."""
_NO_ROOM = 2
"""A key frame and one that follows it: no B-frame between them."""

Int64s = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Mp4Index:
    """All frames of the video track. Arrays have one entry per sample, in decoding order.

    Attributes:
        codec: Name of the decoder, `h264` or `hevc`.
        extradata: The decoder's configuration record (avcC or hvcC).
        width: Coded picture width, pixels.
        height: Coded picture height, pixels.
        offsets: Byte offset in the file.
        sizes: Bytes.
        pts: Composition time, in the track's own units.
        display: Frame number in order of display, from 0.
        sync: Rising positions of the samples that the file marks as sync samples (stss); without marks all.
        turns: Clockwise quarter turns from the stored picture to the one that is shown.
    """

    codec: str
    extradata: bytes
    width: int
    height: int
    offsets: Int64s
    sizes: Int64s
    pts: Int64s
    display: Int64s
    sync: Int64s
    turns: int = 0

    @property
    def count(self) -> int:
        """Frames in the clip."""
        return len(self.sizes)

    @property
    def reordered(self) -> bool:
        """Whether frames are stored in another order than they are shown in."""
        return bool((self.display[1:] < self.display[:-1]).any())

    @property
    def key_frames(self) -> list[int]:
        """Frame numbers of the key frames, rising."""
        return sorted(self.display[self.sync].tolist())

    @property
    def end(self) -> int:
        """Offset behind the last byte of any frame."""
        return int((self.offsets + self.sizes).max()) if self.count else 0


def read_index(source: ByteSource) -> Mp4Index | None:
    """Find and read the index, waiting only for its bytes, wherever in the file it stands.

    Returns:
        The index, or None where the general demuxer has to do the work: not an MP4 file, a fragmented one,
        no video track, a codec other than H.264 and HEVC, pictures that may be coded as fields, a damaged
        table, or one by which frames are not simply shown one after the other, at the size that it says
        (edits that cut, two frames at one time, a start that is no key frame).

    Raises:
        CorruptVideo: An MP4 file whose index is missing or cut off, or which has no frames.
        TooLarge: An index of more than 64 MB or a million frames.
    """
    moov = find_moov(source)
    return None if moov is None else parse_moov(moov.content)


def parse_moov(moov: bytes) -> Mp4Index | None:
    """Read the content of a `moov` box; see `read_index`."""
    try:
        return _parse_moov(moov)
    except (struct.error, IndexError, KeyError, ValueError):
        # FFmpeg, and so whoever checks the answer, repairs much; it decides what the file is worth
        return None


def _parse_moov(moov: bytes) -> Mp4Index | None:
    inside = list(boxes(moov))
    if any(kind == b"mvex" for kind, _ in inside):
        return None
    traks = [children(body) for kind, body in inside if kind == b"trak"]
    videos = [trak for trak in traks if children(trak[b"mdia"])[b"hdlr"][8:12] == b"vide"]
    if not videos:
        return None
    chosen = videos[main_track([_facts(trak) for trak in videos])]
    return _parse_video(chosen, children(chosen[b"mdia"]), dict(inside)[b"mvhd"])


def _facts(trak: dict[bytes, bytes]) -> TrackFacts:
    stbl = children(children(children(trak[b"mdia"])[b"minf"])[b"stbl"])
    frames = struct.unpack(">I", stbl[b"stsz"][8:12])[0]
    _, entry = next(boxes(stbl[b"stsd"][8:]))
    width, height = struct.unpack(">HH", entry[24:28])
    return TrackFacts(bool(trak[b"tkhd"][3] & _ENABLED), frames, width * height)


def _parse_video(trak: dict[bytes, bytes], mdia: dict[bytes, bytes], mvhd: bytes) -> Mp4Index | None:
    movie_timescale = struct.unpack_from(">I", mvhd, 20 if mvhd[0] == 1 else 12)[0]
    movie_matrix = _matrix(mvhd, 48 if mvhd[0] == 1 else 36)
    tkhd = trak[b"tkhd"]
    turns = quarter_turns(_matrix(tkhd, 52 if tkhd[0] == 1 else 40), movie_matrix)
    mdhd = mdia[b"mdhd"]
    timescale = struct.unpack(">I", mdhd[20:24] if mdhd[0] == 1 else mdhd[12:16])[0]
    stbl = children(children(mdia[b"minf"])[b"stbl"])
    entry = _parse_entry(stbl[b"stsd"])
    if entry is None or not timescale or not movie_timescale:
        return None
    codec, extradata, pictures = entry
    width, height = pictures.size

    sizes = _sizes(stbl[b"stsz"])
    count = len(sizes)
    if count == 0:
        raise CorruptVideo("the video has no frames; check the file", stage="index")
    offsets = _offsets(stbl, sizes)
    durations = _runs(stbl[b"stts"], count, ">u4")
    pts: Int64s = np.cumsum(durations) - durations
    if b"ctts" in stbl:
        pts = pts + _runs(stbl[b"ctts"], count, ">i4")
    if len(np.unique(pts)) != count or int(sizes.min()) == 0 or int(offsets.min()) < 0:
        return None
    if b"edts" in trak and _edits_change_frames(trak[b"edts"], pts, timescale, movie_timescale):
        return None
    display = np.empty(count, np.int64)
    display[np.argsort(pts, kind="stable")] = np.arange(count)
    if display[0] != 0 or (b"stss" in stbl and struct.unpack(">I", stbl[b"stss"][8:12])[0] != 1):
        # frames whose reference lies before the file are never shown, and do not count
        return None
    sync = _sync(stbl.get(b"stss"), count)
    longest = int(np.diff(np.append(sync, count)).max(initial=0))
    if pictures.reordered and longest > _NO_ROOM and bool(np.all(np.diff(display) > 0)):
        # it seems that the times of its B-frames were not written: only the decoder knows their order
        return None
    return Mp4Index(codec, extradata, width, height, offsets, sizes, pts, display, sync, turns)


def _matrix(box: bytes, offset: int) -> Matrix:
    return struct.unpack_from(">9i", box, offset)


def _parse_entry(stsd: bytes) -> tuple[str, bytes, StreamParameters] | None:
    if struct.unpack(">I", stsd[4:8])[0] != 1:
        return None
    kind, body = next(boxes(stsd[8:]))
    if kind not in _CONFIG:
        return None
    width, height = struct.unpack(">HH", body[24:28])
    box, codec = _CONFIG[kind]
    configuration = children(body[78:])[box]
    pictures = read_stream_parameters(codec, configuration)
    if pictures.fields or pictures.size != (width, height):
        # whether each of its packets is a picture or a field is told by the pictures only
        return None
    return codec, configuration, pictures


def _sizes(stsz: bytes) -> Int64s:
    fixed, count = struct.unpack(">II", stsz[4:12])
    if count > MAX_SAMPLES:
        raise TooLarge(f"{count} frames; more than {MAX_SAMPLES} are never read", stage="index")
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
    ends = np.minimum(np.cumsum(table["n"], dtype=np.int64), count)
    if not rows or int(ends[-1]) < count:
        raise ValueError("a time table does not cover all frames")
    return np.repeat(table["v"].astype(np.int64), np.diff(ends, prepend=0))


def _offsets(stbl: dict[bytes, bytes], sizes: Int64s) -> Int64s:
    wide = b"co64" in stbl
    box = stbl[b"co64"] if wide else stbl[b"stco"]
    chunks = np.frombuffer(
        box, ">u8" if wide else ">u4", count=struct.unpack(">I", box[4:8])[0], offset=8
    ).astype(np.int64)
    rows = struct.unpack(">I", stbl[b"stsc"][4:8])[0]
    table = np.frombuffer(stbl[b"stsc"], ">u4", count=rows * 3, offset=8).reshape(rows, 3).astype(np.int64)
    if not rows or table[0, 0] != 1 or np.any(np.diff(table[:, 0]) <= 0):
        raise ValueError("stsc does not name its chunks in order")
    starts = np.minimum(np.append(table[:, 0] - 1, len(chunks)), len(chunks))
    per_chunk = np.repeat(np.minimum(table[:, 1], len(sizes)), np.diff(starts))
    ends = np.minimum(np.cumsum(per_chunk), len(sizes))
    if not len(ends) or int(ends[-1]) < len(sizes):
        raise ValueError("stsc does not cover all frames")
    per_chunk = np.diff(ends, prepend=0)
    chunk_of = np.repeat(np.arange(len(chunks)), per_chunk)
    before = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    first_of_chunk = (ends - per_chunk)[chunk_of]
    offsets: Int64s = chunks[chunk_of] + before - before[np.minimum(first_of_chunk, len(sizes) - 1)]
    return offsets


def _sync(stss: bytes | None, count: int) -> Int64s:
    if stss is None:
        return np.arange(count)
    rows = struct.unpack(">I", stss[4:8])[0]
    positions = np.unique(np.frombuffer(stss, ">u4", count=rows, offset=8).astype(np.int64)) - 1
    return positions[(positions >= 0) & (positions < count)]


def _edits_change_frames(edts: bytes, pts: Int64s, timescale: int, movie_timescale: int) -> bool:
    """Whether an edit list leaves frames out or plays them twice; a mere shift of time does not matter."""
    elst = children(edts).get(b"elst")
    if elst is None:
        return False
    rows = struct.unpack(">I", elst[4:8])[0]
    layout = struct.Struct(">Qqi" if elst[0] == 1 else ">Iii")
    edits = list(layout.iter_unpack(elst[8 : 8 + rows * layout.size]))
    if not edits:
        return False
    real = [edit for edit in edits if edit[1] != _NO_EDIT]
    if len(real) != 1:
        return True
    length, start, rate = real[0]
    whole = 0 <= start <= int(pts.min()) and (int(pts.max()) - start) * movie_timescale < length * timescale
    return not whole or rate != _NORMAL_RATE
