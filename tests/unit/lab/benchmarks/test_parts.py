from __future__ import annotations

import struct
import sys
from pathlib import Path
from typing import Any

import pytest

from services.video.mp4_boxes import find_moov
from services.video.source import MemorySource
from tests.support.videos import make_video
from touchline_lab.benchmarks.clips import remux
from touchline_lab.benchmarks.floors import combine
from touchline_lab.benchmarks.job import Job
from touchline_lab.benchmarks.linklab.dns import reply
from touchline_lab.benchmarks.linklab.links import LINKS
from touchline_lab.benchmarks.meter import descendants, peak_mb
from touchline_lab.benchmarks.touchline_methods import row_of


def query(kind: int) -> bytes:
    name = b"\x03cdn\x04test\x00"
    return b"\xab\xcd\x01\x00" + struct.pack(">HHHH", 1, 0, 0, 0) + name + struct.pack(">HH", kind, 1)


def test_the_late_dns_server_answers_only_questions_for_addresses() -> None:
    found = reply(query(1), b"\x0a\x4d\x00\x02")
    assert found[:2] == b"\xab\xcd"
    assert struct.unpack(">HHHH", found[4:12]) == (1, 1, 0, 0)
    assert found.endswith(b"\x0a\x4d\x00\x02")
    assert struct.unpack(">HHHH", reply(query(28), b"\x0a\x4d\x00\x02")[4:12]) == (1, 0, 0, 0)


@pytest.mark.parametrize("name", LINKS)
def test_the_emulator_can_read_every_link(name: str) -> None:
    words = LINKS[name].configuration().split()
    assert len(words) == 7
    assert int(words[3]) == LINKS[name].queue_bytes


def test_a_job_survives_its_encoding() -> None:
    job = Job("https://cdn.test/a.mp4", "", "/x/a.mp4", 1.5, 300.0)
    assert Job.from_line(job.to_line()) == job


def test_the_combined_floor_is_the_slower_of_network_and_computing() -> None:
    network = {"network_s": 0.4, "round_trip_s": 0.04, "bytes": 6e6}
    compute = {
        "cores": 2.0,
        "decode_cpu_s": 0.8,
        "inference_cpu_s": 1.0,
        "cv2_decode_cpu_s": 1.8,
        "head_bytes": 75_000.0,
        "first_decode_s": 0.01,
    }
    floors = combine(network, compute, 300.0)
    assert floors["combined_s"] == pytest.approx(0.9)
    assert floors["first_frame_s"] == pytest.approx(0.04 + 0.002 + 0.01)
    assert combine(network | {"network_s": 2.0}, compute, 0.0)["combined_s"] == pytest.approx(2.0)


def test_equal_answers_have_equal_digests() -> None:
    timeline: dict[str, Any] = {"stages": {"decode": {"start": 0.1, "end": 0.5, "busy": 0.3}}, "facts": {}}
    first = row_of(timeline, 1.0, b'{"challenge_id":"a","frames":[1],"processing_time":0.5}')
    same = row_of(timeline, 2.0, b'{"challenge_id":"b","frames":[1],"processing_time":1.25}')
    other = row_of(timeline, 2.0, b'{"challenge_id":"b","frames":[2],"processing_time":1.25}')
    assert first["answer_digest"] == same["answer_digest"] != other["answer_digest"]
    assert first["all_decoded_s"] == 0.5


def test_remuxing_moves_the_index_to_the_front_or_the_end(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(make_video(frames=5))
    for name, options, last in (("a", {"movflags": "+faststart"}, False), ("b", {}, True)):
        target = tmp_path / f"{name}.mp4"
        remux(tmp_path / "clip.mp4", target, options)
        moov = find_moov(MemorySource(target.read_bytes()))
        assert moov is not None
        assert moov.last is last


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_the_meter_measures_this_process() -> None:
    assert peak_mb() > 1
    assert 1 not in descendants(2**22 + 1)
