"""What the headers of the NAL units of an H.264 or HEVC packet say about its picture."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from services.errors import CorruptVideo
from services.video.parameter_sets import hides_pictures, read_sequence_set, sets_of_record
from services.video.picture_size import check_coded_size

_H264_IDR, _H264_SLICES, _H264_PARTITIONS, _H264_SPS, _H264_SETS = 5, (1, 5), (2, 3, 4), 7, (7, 8, 13, 15)
_HEVC_IDR, _HEVC_BROKEN_LINK, _HEVC_RANDOM_ACCESS = (19, 20), (16, 17, 18), range(16, 24)
_HEVC_SLICES, _HEVC_RESERVED = range(32), (*range(10, 16), *range(22, 32))
_HEVC_SPS, _HEVC_PPS, _HEVC_SETS, _HEVC_ENDS = 33, 34, (32, 33, 34), (36, 37)
_HEVC_NOT_REFERENCED = range(0, 16, 2)
_FIRST_SLICE = 0x80
"""Mask of a slice header's first bit: H.264 first_mb_in_slice is 0, HEVC first_slice_segment_in_pic_flag."""
_NO_PRIOR_OUTPUT = 0x40
"""Mask of the second bit of a random access picture's header in HEVC: no_output_of_prior_pics_flag."""
_SMALLEST_RECORD = {"h264": 7, "hevc": 23}


@dataclass(frozen=True, slots=True)
class PictureFacts:
    """One packet, which should be one coded picture.

    Attributes:
        restarts: It is an IDR picture: nothing from here on depends on anything before.
        unreferenced: No other picture depends on it.
        random_access: A decoder can begin here: an IDR picture, or any random access picture of HEVC.
        whole: The lengths of its NAL units add up to its size. Those of a damaged packet rarely do.
        odd: Why it may not be one picture that is shown, in the order of the index; empty if it is one, or
            if it is damaged.
    """

    restarts: bool
    unreferenced: bool
    random_access: bool = False
    whole: bool = True
    odd: str = ""


class NalReader:
    """Reads the headers of the packets of one track.

    Source: ITU-T H.264, 7.4.1 (nal_ref_idc, nal_unit_type); ITU-T H.265, 7.4.2.2 (nal_unit_type, TemporalId)
    and 7.3.6.1 (slice header); ISO/IEC 14496-15, 5.3.3 and 8.3.3 (the configuration records avcC and hvcC).

    Args:
        codec: `h264` or `hevc`.
        record: The decoder's configuration record.
        max_pixels: Largest picture accepted, width times height, as it is coded.

    Raises:
        CorruptVideo: The record is cut off.
        TooLarge: It announces larger pictures; so does `read` where a packet does.
    """

    def __init__(self, codec: str, record: bytes, max_pixels: int) -> None:
        cut_off = CorruptVideo(f"the configuration of the {codec} decoder is cut off", stage="index")
        if len(record) < _SMALLEST_RECORD[codec]:
            raise cut_off
        self._codec, self._max_pixels = codec, max_pixels
        self._hevc = codec == "hevc"
        self._length_size = (record[21 if self._hevc else 4] & 3) + 1
        self._highest_layer = 0
        self._known_sets: dict[bytes, str] = {}
        try:
            sets = sets_of_record(codec, record)
        except (IndexError, ValueError) as error:
            raise cut_off from error
        self.odd = "".join([self._of_set(unit) for unit in sets if unit][:1])

    def read(self, packet: bytes) -> PictureFacts:
        """Read the headers of a packet's NAL units, which are length-prefixed as in an MP4 file."""
        return self._read_hevc(packet) if self._hevc else self._read_h264(packet)

    def _read_h264(self, packet: bytes) -> PictureFacts:
        slices = pictures = referenced = restarts = end = 0
        odd = ""
        for start, end in _units(packet, self._length_size):
            kind = packet[start] & 0x1F
            if kind in _H264_SLICES:
                slices += 1
                pictures += len(packet) > start + 1 < end and packet[start + 1] & _FIRST_SLICE != 0
                restarts += kind == _H264_IDR
                referenced += packet[start] & 0x60 != 0
            elif kind in _H264_SETS:
                referenced += 1
                odd = odd or self._of_set(packet[start:end])
            elif kind in _H264_PARTITIONS:
                slices, referenced = slices + 1, referenced + 1
                odd = odd or "slices in partitions"
        whole = end == len(packet)
        return PictureFacts(
            restarts == slices > 0,
            slices > 0 and not referenced,
            restarts == slices > 0,
            whole,
            (odd or _oddity(slices, pictures)) if whole else "",
        )

    def _read_hevc(self, packet: bytes) -> PictureFacts:
        slices = pictures = referenced = restarts = random_access = end = 0
        odd = ""
        for start, end in _units(packet, self._length_size):
            kind = packet[start] >> 1 & 0x3F
            if start + 1 >= min(end, len(packet)) or packet[start] & 1 or packet[start + 1] & 0xF8:
                continue  # without a header, or of another layer (nuh_layer_id), which is not shown
            if kind in _HEVC_SLICES and start + 2 < min(end, len(packet)):
                slices += 1
                pictures += packet[start + 2] & _FIRST_SLICE != 0
                restarts += kind in _HEVC_IDR
                # a picture that its own layer does not refer to may be referred to by a higher layer
                layer = (packet[start + 1] & 7) - 1
                referenced += kind not in _HEVC_NOT_REFERENCED or layer < self._highest_layer
                if kind in _HEVC_RESERVED:
                    odd = odd or "pictures of a reserved type"
                elif kind in _HEVC_RANDOM_ACCESS:
                    random_access += 1
                    if kind in _HEVC_BROKEN_LINK:
                        odd = odd or "a broken link"
                    elif packet[start + 2] & _NO_PRIOR_OUTPUT:
                        odd = odd or "pictures that are not shown"
            elif kind in _HEVC_SETS:
                referenced += 1
                odd = odd or self._of_set(packet[start:end])
            elif kind in _HEVC_ENDS:
                odd = odd or "an end of the sequence"
        whole = end == len(packet)
        return PictureFacts(
            restarts == slices > 0,
            slices > 0 and not referenced,
            random_access == slices > 0,
            whole,
            (odd or _oddity(slices, pictures)) if whole else "",
        )

    def _of_set(self, unit: bytes) -> str:
        """Why the pictures that use a parameter set may not be one a packet; empty if they are."""
        known = self._known_sets.get(unit)
        if known is None:
            try:
                known = self._of_hevc_set(unit) if self._hevc else self._of_h264_set(unit)
            except (ValueError, IndexError):
                known = "a parameter set that is cut off"
            self._known_sets[unit] = known
        return known

    def _of_h264_set(self, unit: bytes) -> str:
        if unit[0] & 0x1F != _H264_SPS:
            return ""
        pictures = read_sequence_set(self._codec, unit)
        check_coded_size(*pictures.coded, self._max_pixels)
        return "pictures coded as fields" if pictures.fields else ""

    def _of_hevc_set(self, unit: bytes) -> str:
        kind = unit[0] >> 1 & 0x3F
        if kind == _HEVC_SPS:
            # the highest TemporalId; one that rises only keeps more pictures
            self._highest_layer = max(self._highest_layer, unit[2] >> 1 & 7)
            check_coded_size(*read_sequence_set(self._codec, unit).coded, self._max_pixels)
        return "pictures that are not shown" if kind == _HEVC_PPS and hides_pictures(unit) else ""


def _oddity(slices: int, pictures: int) -> str:
    if not slices:
        return "a packet without a picture"
    return "several pictures in a packet" if pictures > 1 else ""


def _units(packet: bytes, length_size: int) -> Iterator[tuple[int, int]]:
    """Where each NAL unit that is not empty begins, and where it should end."""
    at = 0
    while at + length_size < len(packet):
        start = at + length_size
        at = start + int.from_bytes(packet[at:start], "big")
        if at > start:
            yield start, at
