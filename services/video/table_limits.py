"""What the sample tables of an MP4 file unfold to, before FFmpeg unfolds them.

A table says in a few bytes that there are four thousand million samples, and FFmpeg makes an entry of memory
for each. Our own index reader has limits; a file that it leaves to FFmpeg is held against them here.

FFmpeg makes the entries of a track anew for each entry of its edit list, so that these multiply.

Format: ISO/IEC 14496-12, 8.7.3 (stsz, stz2), 8.6.1 (stts), 8.6.6 (elst).
"""

from __future__ import annotations

import struct
from typing import Final

from services.errors import TooLarge
from services.video.mp4_boxes import boxes, children
from services.video.mp4_index import MAX_SAMPLES

_PCM_DURATION: Final = 1
"""Every sample of uncompressed sound takes one unit of time; FFmpeg makes no entries for them."""


def check_tables(moov: bytes) -> None:
    """Check the tables of all tracks.

    Args:
        moov: The content of the `moov` box.

    Raises:
        TooLarge: One unfolds to more samples than are ever read.
    """
    try:
        tracks = [body for kind, body in boxes(moov) if kind == b"trak"]
    except ValueError:
        # FFmpeg reads on where it can; what is broken ends there
        return
    for trak in tracks:
        _check_track(trak)


def _check_track(trak: bytes) -> None:
    try:
        mdia = children(children(trak)[b"mdia"])
        stbl = children(children(mdia[b"minf"])[b"stbl"])
        count = _samples(stbl)
        video = mdia[b"hdlr"][8:12] == b"vide"
        times = struct.unpack_from(">3I", stbl[b"stts"], 4) if len(stbl.get(b"stts", b"")) >= 16 else ()
    except (KeyError, ValueError, struct.error):
        return
    uncompressed = not video and times[:1] == (1,) and times[2:] == (_PCM_DURATION,)
    if count > MAX_SAMPLES and not uncompressed:
        raise TooLarge(f"{count} samples; more than {MAX_SAMPLES} are never read", stage="index")
    edits = _edits(trak)
    if count * edits > MAX_SAMPLES and edits > 1:
        raise TooLarge(
            f"{edits} edits of {count} samples; more than {MAX_SAMPLES} samples are never read", stage="index"
        )


def _samples(stbl: dict[bytes, bytes]) -> int:
    return max(
        (int(struct.unpack_from(">I", stbl[kind], 8)[0]) for kind in (b"stsz", b"stz2") if kind in stbl),
        default=0,
    )


def _edits(trak: bytes) -> int:
    try:
        return int(struct.unpack_from(">I", children(children(trak)[b"edts"])[b"elst"], 4)[0])
    except (KeyError, ValueError, struct.error):
        return 0
