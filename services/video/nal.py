"""What the first bytes of a compressed picture say about it."""

from __future__ import annotations


def is_unreferenced(sample: bytes, length_size: int) -> bool:
    """Whether no other frame refers to this H.264 sample: all its slices have nal_ref_idc 0.

    Source: ITU-T H.264, 7.4.1 (NAL unit header).

    Args:
        sample: Length-prefixed NAL units, as in an MP4 file.
        length_size: Bytes of each length.
    """
    at, slices = 0, 0
    while at + length_size < len(sample):
        length = int.from_bytes(sample[at : at + length_size], "big")
        header = sample[at + length_size]
        if 1 <= header & 0x1F <= 5:
            if header & 0x60:
                return False
            slices += 1
        at += length_size + length
    return slices > 0
