"""What the headers of the NAL units of an H.264 or HEVC packet say about its picture."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from services.errors import CorruptVideo

_H264_IDR, _H264_SLICES, _H264_SETS = 5, range(1, 6), (7, 8, 13, 15)
_HEVC_IDR, _HEVC_SLICES, _HEVC_SETS, _HEVC_SPS = (19, 20), range(32), (32, 33, 34), 33
_HEVC_NOT_REFERENCED = range(0, 16, 2)
_SMALLEST_RECORD = {"h264": 7, "hevc": 23}


@dataclass(frozen=True, slots=True)
class PictureFacts:
    """One coded picture.

    Attributes:
        restarts: It is an IDR picture: nothing from here on depends on anything before.
        unreferenced: No other picture depends on it.
    """

    restarts: bool
    unreferenced: bool


class NalReader:
    """Reads the headers of the packets of one track.

    Source: ITU-T H.264, 7.4.1 (nal_ref_idc, nal_unit_type); ITU-T H.265, 7.4.2.2 (nal_unit_type, TemporalId);
    ISO/IEC 14496-15, 5.3.3 and 8.3.3 (the configuration records avcC and hvcC).

    Args:
        codec: `h264` or `hevc`.
        record: The decoder's configuration record.

    Raises:
        CorruptVideo: The record is too short.
    """

    def __init__(self, codec: str, record: bytes) -> None:
        if len(record) < _SMALLEST_RECORD[codec]:
            raise CorruptVideo(f"the configuration of the {codec} decoder is cut off", stage="index")
        self._hevc = codec == "hevc"
        self._length_size = (record[21 if self._hevc else 4] & 3) + 1
        self._highest_layer = _highest_layer(record) if self._hevc else 0

    def read(self, packet: bytes) -> PictureFacts:
        """Read the headers of a packet's NAL units, which are length-prefixed as in an MP4 file."""
        return self._read_hevc(packet) if self._hevc else self._read_h264(packet)

    def _read_h264(self, packet: bytes) -> PictureFacts:
        slices = referenced = restarts = 0
        for start, _ in _units(packet, self._length_size):
            kind = packet[start] & 0x1F
            if kind in _H264_SLICES:
                slices += 1
                restarts += kind == _H264_IDR
                referenced += packet[start] & 0x60 != 0
            elif kind in _H264_SETS:
                referenced += 1
        return PictureFacts(restarts == slices > 0, slices > 0 and not referenced)

    def _read_hevc(self, packet: bytes) -> PictureFacts:
        slices = referenced = restarts = 0
        for start, end in _units(packet, self._length_size):
            kind = packet[start] >> 1 & 0x3F
            if kind in _HEVC_SLICES and end - start > 1:
                slices += 1
                restarts += kind in _HEVC_IDR
                # a picture that its own layer does not refer to may be referred to by a higher layer
                layer = (packet[start + 1] & 7) - 1
                referenced += kind not in _HEVC_NOT_REFERENCED or layer < self._highest_layer
            elif kind in _HEVC_SETS:
                referenced += 1
        return PictureFacts(restarts == slices > 0, slices > 0 and not referenced)


def _units(packet: bytes, length_size: int) -> Iterator[tuple[int, int]]:
    """Where each NAL unit that is not empty begins and ends, as far as the lengths make sense."""
    at = 0
    while at + length_size < len(packet):
        start = at + length_size
        at = start + int.from_bytes(packet[at:start], "big")
        if at > start:
            yield start, min(at, len(packet))


def _highest_layer(record: bytes) -> int:
    """The highest TemporalId that the sequence parameter sets of an hvcC record allow."""
    highest, at = 0, 23
    try:
        for _ in range(record[22]):
            kind, count = record[at] & 0x3F, int.from_bytes(record[at + 1 : at + 3], "big")
            at += 3
            for _ in range(count):
                size = int.from_bytes(record[at : at + 2], "big")
                if kind == _HEVC_SPS:
                    highest = max(highest, record[at + 4] >> 1 & 7)
                at += 2 + size
    except IndexError as error:
        raise CorruptVideo("the configuration of the hevc decoder is cut off", stage="index") from error
    return highest
