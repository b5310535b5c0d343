"""An H.264 video whose frames are coded as two fields, which no encoder at hand makes: raw samples, by hand.

Source: ITU-T H.264, 7.3 (syntax), macroblocks of type I_PCM.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from tests.support.videos import numbered_picture

WIDTH, HEIGHT = 320, 192
_GROUP = 12
_IDR, _SLICE, _SPS, _PPS = 5, 1, 7, 8
_I_SLICES_ONLY, _I_PCM = 7, 25


@dataclass
class _Bits:
    """Bits that are written one after the other."""

    bits: list[int] = field(default_factory=list)

    def u(self, *pairs: int) -> _Bits:
        """Numbers of fixed length: length, value, length, value, ..."""
        for length, value in zip(pairs[::2], pairs[1::2], strict=True):
            self.bits += [(value >> (length - 1 - bit)) & 1 for bit in range(length)]
        return self

    def ue(self, *values: int) -> _Bits:
        """Exp-Golomb numbers."""
        for value in values:
            length = (value + 1).bit_length()
            self.u(2 * length - 1, value + 1)
        return self

    def bytes(self) -> bytes:
        """Filled up with zeros."""
        return np.packbits(np.array(self.bits, np.uint8)).tobytes()

    def ended(self) -> bytes:
        """With the stop bit."""
        return self.u(1, 1).bytes()


def _unit(kind: int, importance: int, payload: bytes) -> bytes:
    out, zeros = bytearray([importance << 5 | kind]), 0
    for byte in payload:
        if zeros >= 2 and byte <= 3:
            out.append(3)
            zeros = 0
        out.append(byte)
        zeros = zeros + 1 if byte == 0 else 0
    return bytes(out)


def _sequence_set() -> bytes:
    bits = _Bits().u(8, 77, 8, 0, 8, 40).ue(0, 4, 0, 4, 2).u(1, 0)
    bits.ue(WIDTH // 16 - 1, HEIGHT // 32 - 1).u(1, 0, 1, 0, 1, 1, 1, 0)
    # of the usability information the reordering alone: one frame
    bits.u(1, 1, 8, 0, 1, 1, 1, 1).ue(0, 0, 10, 10, 1, 2)
    return _unit(_SPS, 3, bits.ended())


def _picture_set() -> bytes:
    bits = _Bits().ue(0, 0).u(2, 0).ue(0, 0, 0).u(3, 0).ue(0, 0, 0).u(3, 0b100)
    return _unit(_PPS, 3, bits.ended())


SETS = [_sequence_set(), _picture_set()]


def record() -> bytes:
    """The decoder's configuration record (avcC)."""
    sps, pps = SETS
    sets = b"\xe1" + len(sps).to_bytes(2, "big") + sps + b"\x01" + len(pps).to_bytes(2, "big") + pps
    return b"\x01" + sps[1:4] + b"\xff" + sets


def _coded(luma: npt.NDArray[np.uint8], head: _Bits, kind: int, importance: int) -> bytes:
    """One slice: its header and raw macroblocks."""
    out, bits = b"", head
    for y in range(0, luma.shape[0], 16):
        for x in range(0, luma.shape[1], 16):
            out += bits.ue(_I_PCM).bytes() + luma[y : y + 16, x : x + 16].tobytes() + bytes([128]) * 128
            bits = _Bits()
    return _unit(kind, importance, out + b"\x80")


def field_coded(count: int, whole: range = range(0)) -> list[tuple[int, list[bytes], bool]]:
    """Frame number, NAL units and whether it is a key frame, of each frame in decoding order.

    Args:
        count: Frames.
        whole: Numbers of the frames that are coded as one picture, in one unit instead of two.
    """
    coded = []
    for first in range(0, count, _GROUP):
        last = min(count, first + _GROUP)
        numbers = [first]
        for at in range(first + 1, last, 2):  # each second frame behind the one that follows it
            numbers += [at + 1, at] if at + 1 < last else [at]
        references = 0
        for place, number in enumerate(numbers):
            key = number == first
            skipped = place and numbers[place - 1] == number + 1
            luma = np.clip(numbered_picture(number, WIDTH, HEIGHT).mean(axis=2), 16, 235).astype(np.uint8)
            units = []
            for bottom in (None,) if number in whole else (0, 1):
                idr = key and not bottom
                head = _Bits().ue(0, _I_SLICES_ONLY, 0).u(8, references)
                head.u(1, 0) if bottom is None else head.u(1, 1, 1, bottom)
                if idr:
                    head.ue(first // _GROUP % 2)
                head.u(8, 2 * (number - first) + (bottom or 0))
                if not skipped:
                    head.u(2 if idr else 1, 0)
                head.ue(0, 1)
                rows = luma if bottom is None else luma[bottom::2]
                units.append(_coded(rows, head, _IDR if idr else _SLICE, 0 if skipped else 2))
            coded.append((number, units, key))
            references += not skipped
    return coded
