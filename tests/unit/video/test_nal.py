"""Headers of NAL units, written by hand."""

from __future__ import annotations

import pytest

from services.errors import CorruptVideo, TooLarge
from services.video.nal import NalReader

SEI, SPS, PPS, FILLER = 6, 7, 8, 12
PIXELS = 1920 * 1080
AVCC = bytes([1, 100, 0, 31, 0xFF, 0xE0, 0])


def number(value: int) -> str:
    """An unsigned Exp-Golomb number, as bits."""
    bits = f"{value + 1:b}"
    return "0" * (len(bits) - 1) + bits


def as_bytes(bits: str) -> bytes:
    """Bits with the stop bit behind them; an emulation prevention byte where one has to be."""
    bits += "1"
    bits += "0" * (-len(bits) % 8)
    data = bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8))
    return data.replace(b"\0\0\0", b"\0\0\3\0").replace(b"\0\0\1", b"\0\0\3\1")


def hevc_sps(layers: int, width: int, height: int, cut: int = 0) -> bytes:
    """A sequence parameter set of HEVC; `cut` pixels are cut off on the right."""
    bits = f"{0:04b}{layers - 1:03b}1" + "10" * 48 + ("00" * 8 if layers > 1 else "")
    bits += number(0) + number(1) + number(width) + number(height)
    bits += "1" + number(0) + number(cut // 2) + number(0) + number(0)
    bits += number(0) * 3 + "0" + number(1) + number(0) + number(0)
    return bytes([33 << 1, 1]) + as_bytes(bits)


def h264_sps(width: int, height: int, cut: int = 0) -> bytes:
    """A sequence parameter set of H.264, main profile; `cut` pixels are cut off on the right."""
    bits = f"{77:08b}{0:08b}{31:08b}" + number(0) + number(0) + number(2) + number(1) + "0"
    bits += number(width // 16 - 1) + number(height // 16 - 1) + "11"
    bits += "1" + number(0) + number(cut // 2) + number(0) + number(0) + "0"
    return bytes([3 << 5 | SPS]) + as_bytes(bits)


def hvcc(layers: int) -> bytes:
    """A record with a VPS and an SPS that allows so many temporal layers."""
    vps = bytes([32 << 1, 1, 0x0E, 0])
    sps = hevc_sps(layers, 1280, 720)
    arrays = b"".join(
        bytes([0x80 | kind, 0, 1]) + len(unit).to_bytes(2, "big") + unit
        for kind, unit in ((32, vps), (33, sps))
    )
    return bytes([1]) + bytes(20) + bytes([3, 2]) + arrays


def sample(*units: bytes) -> bytes:
    return b"".join(len(unit).to_bytes(4, "big") + unit for unit in units)


def avc(kind: int, importance: int) -> bytes:
    return bytes([importance << 5 | kind, 0x88, 1, 2])


def hevc(kind: int, layer: int) -> bytes:
    return bytes([kind << 1, layer + 1, 0x80, 1])


H264 = {
    "IDR": ([avc(5, 3)], True, False),
    "IDR behind parameter sets": ([avc(SPS, 3), avc(PPS, 3), avc(SEI, 0), avc(5, 3), avc(5, 3)], True, False),
    "reference": ([avc(1, 2)], False, False),
    "not referred to": ([avc(SEI, 0), avc(1, 0), avc(1, 0), avc(FILLER, 0)], False, True),
    "one of two slices referred to": ([avc(1, 0), avc(1, 1)], False, False),
    "data partitions": ([avc(2, 0), avc(3, 0), avc(4, 0)], False, False),
    "carries a parameter set": ([avc(PPS, 3), avc(1, 0)], False, False),
    "no picture": ([avc(SEI, 0)], False, False),
    "nothing": ([], False, False),
}

HEVC = {
    "IDR with leading pictures": ([hevc(19, 0)], 3, True, False),
    "IDR": ([hevc(32, 0), hevc(33, 0), hevc(34, 0), hevc(20, 0)], 1, True, False),
    "CRA": ([hevc(21, 0)], 1, False, False),
    "trailing, referred to": ([hevc(1, 0)], 1, False, False),
    "trailing, not referred to": ([hevc(0, 0)], 1, False, True),
    "skipped leading": ([hevc(8, 0), hevc(8, 0)], 1, False, True),
    "not referred to in its layer, but there is a higher one": ([hevc(0, 1)], 3, False, False),
    "highest layer": ([hevc(0, 2)], 3, False, True),
    "highest layer, referred to": ([hevc(1, 2)], 3, False, False),
    "one of two slices referred to": ([hevc(0, 0), hevc(1, 0)], 1, False, False),
    "reserved, would not be referred to": ([hevc(14, 0)], 1, False, True),
    "a unit of one byte": ([b"\x00"], 1, False, False),
}


@pytest.mark.parametrize("kind", H264)
def test_h264(kind: str) -> None:
    units, restarts, unreferenced = H264[kind]
    facts = NalReader("h264", AVCC, PIXELS).read(sample(*units))
    assert (facts.restarts, facts.unreferenced) == (restarts, unreferenced)


@pytest.mark.parametrize("kind", HEVC)
def test_hevc(kind: str) -> None:
    units, layers, restarts, unreferenced = HEVC[kind]
    facts = NalReader("hevc", hvcc(layers), PIXELS).read(sample(*units))
    assert (facts.restarts, facts.unreferenced) == (restarts, unreferenced)


def hevc_with(kind: int, first_byte: int) -> bytes:
    """A slice whose header begins with that byte."""
    return bytes([kind << 1, 1, first_byte, 1])


ODD = {
    "one picture": ("h264", [avc(SEI, 0), avc(1, 2)], ""),
    "of two slices": ("h264", [avc(1, 2), bytes([0x41, 0x40, 1])], ""),
    "two pictures": ("h264", [avc(1, 2), avc(1, 2)], "several pictures in a packet"),
    "no picture": ("h264", [avc(9, 0), avc(SEI, 0)], "a packet without a picture"),
    "partitions": ("h264", [avc(2, 2), avc(3, 2)], "slices in partitions"),
    "a damaged set": ("h264", [bytes([0x67, 100]), avc(5, 3)], "a parameter set that is cut off"),
    "HEVC, one picture": ("hevc", [hevc_with(1, 0x80), hevc_with(1, 0)], ""),
    "HEVC, two pictures": ("hevc", [hevc_with(1, 0x80), hevc_with(1, 0x80)], "several pictures in a packet"),
    "HEVC, parameter sets only": ("hevc", [hevc(32, 0)], "a packet without a picture"),
    "HEVC, another layer": ("hevc", [hevc(1, 0), bytes([2, 9, 0x80, 1])], ""),
    "HEVC, broken link": ("hevc", [hevc(16, 0)], "a broken link"),
    "HEVC, random access": ("hevc", [hevc(21, 0)], ""),
    "HEVC, earlier pictures are thrown away": ("hevc", [hevc_with(21, 0xC0)], "pictures that are not shown"),
    "HEVC, end of the sequence": ("hevc", [hevc(1, 0), bytes([72, 1])], "an end of the sequence"),
    "HEVC, reserved": ("hevc", [hevc(22, 0)], "pictures of a reserved type"),
    "HEVC, set that hides pictures": (
        "hevc",
        [bytes([68, 1, 0xD0]), hevc(1, 0)],
        "pictures that are not shown",
    ),
    "HEVC, set that hides none": ("hevc", [bytes([68, 1, 0xC0]), hevc(1, 0)], ""),
}


@pytest.mark.parametrize("name", ODD)
def test_packets_that_are_not_one_picture_are_named(name: str) -> None:
    codec, units, odd = ODD[name]
    reader = NalReader(codec, AVCC if codec == "h264" else hvcc(1), PIXELS)
    facts = reader.read(sample(*units))
    assert facts.whole
    assert facts.odd == odd


def test_a_damaged_packet_is_not_called_odd() -> None:
    for data in (b"\xff" * 40, sample(avc(SEI, 0))[:-1]):
        facts = NalReader("h264", AVCC, PIXELS).read(data)
        assert (facts.whole, facts.odd) == (False, "")


def test_lengths_of_two_bytes() -> None:
    record = AVCC[:4] + bytes([0xFD]) + AVCC[5:]
    unit = avc(5, 3)
    assert NalReader("h264", record, PIXELS).read(len(unit).to_bytes(2, "big") + unit).restarts


@pytest.mark.parametrize("data", [b"\xff" * 40, b"\x00" * 40, sample(avc(1, 0))[:5], b"\x00\x00"])
def test_damaged_samples_end_somewhere(data: bytes) -> None:
    for reader in (NalReader("h264", AVCC, PIXELS), NalReader("hevc", hvcc(1), PIXELS)):
        assert not reader.read(data).restarts


@pytest.mark.parametrize(
    ("codec", "record"),
    [("h264", b"\x01"), ("hevc", bytes(22)), ("hevc", hvcc(1)[:26]), ("hevc", hvcc(1)[:-2])],
)
def test_a_record_that_is_cut_off(codec: str, record: bytes) -> None:
    with pytest.raises(CorruptVideo, match="configuration"):
        NalReader(codec, record, PIXELS)


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_a_set_in_mid_stream_that_enlarges_what_is_coded_is_refused(
    codec: str,
) -> None:
    reader = NalReader(codec, AVCC if codec == "h264" else hvcc(1), PIXELS)
    small, large = (
        (h264_sps(1920, 1088), h264_sps(16000, 16000, cut=15680))
        if codec == "h264"
        else (hevc_sps(1, 1920, 1088), hevc_sps(1, 16000, 16000, cut=15680))
    )
    reader.read(sample(small))
    with pytest.raises(TooLarge, match="16000x16000"):
        reader.read(sample(large))


def test_a_parameter_set_of_zeros_ends_at_once() -> None:
    odd = NalReader("h264", AVCC, PIXELS).read(sample(bytes([SPS]) + bytes(1_000_000), avc(5, 3))).odd
    assert "parameter set" in odd
