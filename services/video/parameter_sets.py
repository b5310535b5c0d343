"""What an H.264 or HEVC stream itself states about its pictures, whatever the file around it says.

Source: ITU-T H.264, 7.3.2.1.1, 7.4.2.1.1 and annex E.1; ITU-T H.265, 7.3.2.2, 7.3.3 and 7.4.3.2;
ISO/IEC 14496-15, 5.3.3 (avcC) and 8.3.3 (hvcC).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

_WITH_CHROMA_FORMAT = {100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135}
_HEVC_SPS = 33
"""Type of the NAL unit of a sequence parameter set."""
_GREY, _420, _444 = 0, 1, 3
_BASELINE = 66
"""H.264 profile whose pictures are never reordered."""
_OWN_RATIO = 255
"""Aspect ratio code that is followed by width and height of a sample."""
_MAX_SET_BYTES = 4096
"""Bytes of a parameter set that are read; real ones have fewer than 500."""
_MAX_ZEROS = 32
"""Leading zeros of an Exp-Golomb number: no field has more than 32 bits."""
_MAX_SETS = 1024
"""Parameter sets of a configuration record; H.264 has 32 + 256 at most, HEVC 16 + 16 + 64 besides SEI."""


@dataclass(frozen=True, slots=True)
class StreamParameters:
    """The pictures of a stream.

    Attributes:
        size: Width and height as they are shown, pixels.
        coded: Width and height as they are decoded, before the cut to `size`.
        reordered: Whether they may be shown in another order than they are stored in; so if nothing is said.
        fields: Whether a picture may be coded as two fields (H.264 without frame_mbs_only_flag).
    """

    size: tuple[int, int]
    coded: tuple[int, int]
    reordered: bool
    fields: bool = False


def read_stream_parameters(codec: str, configuration: bytes) -> StreamParameters:
    """What the first sequence parameter set says.

    Args:
        codec: `h264` or `hevc`.
        configuration: The avcC or hvcC record.

    Raises:
        ValueError, IndexError: There is no such set, or it is cut off.
    """
    if codec == "h264":
        if not configuration[5] & 0x1F:
            raise ValueError("no parameter set in avcC")
        length = int.from_bytes(configuration[6:8], "big")
        return _h264(_Bits(configuration[9 : 8 + length]))
    return _hevc(_Bits(_hevc_sps(configuration)[2:]))


def sets_of_record(codec: str, configuration: bytes) -> list[bytes]:
    """The parameter sets of an avcC or hvcC record, each a NAL unit with its header.

    Raises:
        IndexError: The record is cut off.
        ValueError: It has more sets than there can be.
    """
    if codec == "hevc":
        return [unit for _, unit in _hevc_units(configuration)]
    found, at = [], 5
    for mask in (0x1F, 0xFF):
        count = configuration[at] & mask
        at += 1
        for _ in range(count):
            found.append(_unit_at(configuration, at))
            at += 2 + len(found[-1])
    return found


def read_sequence_set(codec: str, sps: bytes) -> StreamParameters:
    """What one sequence parameter set says.

    Args:
        codec: `h264` or `hevc`.
        sps: The NAL unit with its header.

    Raises:
        ValueError: It is cut off.
    """
    return _hevc(_Bits(sps[2:])) if codec == "hevc" else _h264(_Bits(sps[1:]))


def hides_pictures(pps: bytes) -> bool:
    """Whether pictures that use this HEVC picture parameter set may be coded and never shown.

    Args:
        pps: The NAL unit with its header.

    Raises:
        ValueError: It is cut off.
    """
    bits = _Bits(pps[2:])
    bits.ue(), bits.ue(), bits.take(1)
    return bits.take(1) == 1


class _Bits:
    """Reads bits; emulation prevention bytes are taken out."""

    def __init__(self, data: bytes) -> None:
        data = data[:_MAX_SET_BYTES].replace(b"\0\0\3", b"\0\0")
        self._value, self._left = int.from_bytes(data, "big"), 8 * len(data)

    def take(self, count: int) -> int:
        self._left -= count
        if self._left < 0:
            raise ValueError("a parameter set is cut off")
        return (self._value >> self._left) & ((1 << count) - 1)

    def ue(self) -> int:
        """An unsigned Exp-Golomb number."""
        zeros = 0
        while not self.take(1):
            zeros += 1
            if zeros > _MAX_ZEROS:
                raise ValueError("a number of a parameter set is out of range")
        return (1 << zeros) - 1 + self.take(zeros)

    def se(self) -> int:
        """A signed Exp-Golomb number."""
        value = self.ue()
        return (value + 1) // 2 if value % 2 else -(value // 2)


def _h264(bits: _Bits) -> StreamParameters:
    profile = bits.take(8)
    bits.take(16)
    bits.ue()
    chroma = _420
    if profile in _WITH_CHROMA_FORMAT:
        chroma = bits.ue()
        if chroma == _444:
            bits.take(1)
        bits.ue(), bits.ue(), bits.take(1)
        if bits.take(1):
            for number in range(12 if chroma == _444 else 8):
                if bits.take(1):
                    _skip_scaling_list(bits, 16 if number < 6 else 64)
    bits.ue()
    order = bits.ue()
    if order == 0:
        bits.ue()
    elif order == 1:
        bits.take(1), bits.se(), bits.se()
        for _ in range(bits.ue()):
            bits.se()
    bits.ue(), bits.take(1)
    across, down = bits.ue() + 1, bits.ue() + 1
    frames_only = bits.take(1)
    if not frames_only:
        bits.take(1)
    bits.take(1)
    unit_y = 2 - frames_only
    coded = 16 * across, 16 * down * unit_y
    size = _cropped(bits, *coded, chroma, unit_y)
    reordered = profile != _BASELINE and order != 2 and _h264_usability_reorders(bits)
    return StreamParameters(size, coded, reordered, not frames_only)


def _h264_usability_reorders(bits: _Bits) -> bool:
    if not bits.take(1):
        return True
    if bits.take(1) and bits.take(8) == _OWN_RATIO:
        bits.take(32)
    if bits.take(1):
        bits.take(1)
    if bits.take(1):
        bits.take(4)
        if bits.take(1):
            bits.take(24)
    if bits.take(1):
        bits.ue(), bits.ue()
    if bits.take(1):
        bits.take(65)
    buffered = False
    for _ in range(2):
        if bits.take(1):
            _skip_buffer_model(bits)
            buffered = True
    if buffered:
        bits.take(1)
    bits.take(1)
    if not bits.take(1):
        return True
    bits.take(1)
    for _ in range(4):
        bits.ue()
    return bits.ue() > 0


def _skip_buffer_model(bits: _Bits) -> None:
    count = bits.ue() + 1
    bits.take(8)
    for _ in range(count):
        bits.ue(), bits.ue(), bits.take(1)
    bits.take(20)


def _skip_scaling_list(bits: _Bits, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.se()) % 256
        last = following or last


def _hevc_sps(record: bytes) -> bytes:
    for kind, unit in _hevc_units(record):
        if kind == _HEVC_SPS:
            return unit
    raise ValueError("no parameter set in hvcC")


def _hevc_units(record: bytes) -> Iterator[tuple[int, bytes]]:
    """Kind and bytes of the NAL units in an hvcC record."""
    at, found = 23, 0
    for _ in range(record[22]):
        kind, count = record[at] & 0x3F, int.from_bytes(record[at + 1 : at + 3], "big")
        at, found = at + 3, found + count
        if found > _MAX_SETS:
            raise ValueError("more parameter sets than there can be")
        for _ in range(count):
            unit = _unit_at(record, at)
            yield kind, unit
            at += 2 + len(unit)


def _unit_at(record: bytes, at: int) -> bytes:
    end = at + 2 + int.from_bytes(record[at : at + 2], "big")
    if end > len(record):
        raise IndexError("a parameter set is longer than its record")
    return record[at + 2 : end]


def _hevc(bits: _Bits) -> StreamParameters:
    bits.take(4)
    layers = bits.take(3)
    bits.take(1 + 88 + 8)
    present = [(bits.take(1), bits.take(1)) for _ in range(layers)]
    if layers:
        bits.take(2 * (8 - layers))
    for profile, level in present:
        bits.take(88 * profile + 8 * level)
    bits.ue()
    chroma = bits.ue()
    if chroma == _444:
        bits.take(1)
    width, height = bits.ue(), bits.ue()
    size = _cropped(bits, width, height, chroma, 1)
    bits.ue(), bits.ue(), bits.ue()
    reordered = 0
    for _ in range(layers + 1 if bits.take(1) else 1):
        bits.ue()
        reordered = bits.ue()
        bits.ue()
    return StreamParameters(size, (width, height), reordered > 0)


def _cropped(bits: _Bits, width: int, height: int, chroma: int, rows: int) -> tuple[int, int]:
    if bits.take(1):
        left, right, top, bottom = bits.ue(), bits.ue(), bits.ue(), bits.ue()
        width -= (left + right) * (1 if chroma in (_GREY, _444) else 2)
        height -= (top + bottom) * rows * (2 if chroma == _420 else 1)
    return width, height
