from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import av
import numpy as np
import pytest
from typer.testing import CliRunner

from services.cli.main import app
from services.errors import SettingsError
from services.video.mp4_boxes import find_moov
from services.video.source import MemorySource
from tests.support.videos import make_video
from touchline_lab.benchmarks.meter import cpu_seconds, peak_mb, resident_mb
from touchline_lab.benchmarks.scale import SERIES, ScaleOptions
from touchline_lab.benchmarks.scale_clips import lengthened, resized
from touchline_lab.benchmarks.scale_plot import svg
from touchline_lab.benchmarks.scale_report import cells, headings, markdown, notes, report
from touchline_lab.benchmarks.scale_results import Point, ScaleResults, per_minute


def row(wall: float, peak: float) -> dict[str, float]:
    zero = dict.fromkeys(
        ("last_s", "queue_s", "service_s", "cpu_s", "frames", "sampled", "body_mb", "answer_mb", "before_mb"),
        1.0,
    )
    return zero | {"wall_s": wall, "peak_mb": peak}


RESULTS = ScaleResults(
    [
        Point("length", "60 s", 60.0, 1, 1, [row(2.0, 900.0), row(2.2, 910.0)], [2.0, 2.2]),
        Point("length", "120 s", 120.0, 1, 1, [row(4.0, 1005.0)], [4.0]),
        Point("load", "2 x 4", 10.0, 4, 2, [row(1.0, 800.0)], [1.0, 1.1]),
    ],
    "cpu",
    2,
    2,
)


def pictures(path: Path) -> list[np.ndarray[Any, Any]]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    path.write_bytes(make_video(frames=20, gop=10))
    return path


def test_a_lengthened_clip_repeats_the_pictures_in_order(clip: Path, tmp_path: Path) -> None:
    once = pictures(clip)
    lengthened(clip, tmp_path / "long.mp4", 2.0)
    data = (tmp_path / "long.mp4").read_bytes()
    moov = find_moov(MemorySource(data))
    assert moov is not None
    assert not moov.last
    found = pictures(tmp_path / "long.mp4")
    # key frames are the clip's 0, 9 and 18; 2 s are 50 frames, and the next key frame is 2 * 20 + 18
    assert len(found) == 58
    for number, picture in enumerate(found):
        assert np.array_equal(picture, once[number % 20]), number


def test_a_shorter_clip_is_cut_before_a_key_frame(clip: Path, tmp_path: Path) -> None:
    lengthened(clip, tmp_path / "short.mp4", 0.4)
    assert len(pictures(tmp_path / "short.mp4")) == 18
    lengthened(clip, tmp_path / "exact.mp4", 9 / 25)
    assert len(pictures(tmp_path / "exact.mp4")) == 9


def test_a_resized_clip_keeps_its_shape_and_is_encoded_once(clip: Path, tmp_path: Path) -> None:
    target = tmp_path / "big.mp4"
    resized(clip, target, 216, 0.4)
    found = pictures(target)
    before = pictures(clip)[0]
    assert len(found) == 10
    assert found[0].shape[0] == 216
    assert found[0].shape[1] / 216 == pytest.approx(before.shape[1] / before.shape[0], rel=0.02)
    made = target.stat().st_mtime_ns
    resized(clip, target, 216, 0.4)
    assert target.stat().st_mtime_ns == made


def test_the_slope_over_the_length_is_what_a_minute_adds() -> None:
    assert per_minute(RESULTS.series("length"), "peak_mb") == pytest.approx(100.0)
    assert per_minute(RESULTS.series("load"), "peak_mb") is None
    assert "100.0 MB of memory" in notes(RESULTS, "length")[0]
    assert notes(RESULTS, "load") == []


def test_the_report_has_every_point(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report(RESULTS, tmp_path)
    data = json.loads((tmp_path / "scale.json").read_text())
    assert [point["median"]["peak_mb"] for point in data["points"]] == [905.0, 1005.0, 800.0]
    assert data["points"][0]["service_s"] == [2.0, 2.2]
    page = markdown(RESULTS)
    drawn = svg(RESULTS)
    ET.fromstring(drawn)
    printed = capsys.readouterr().out
    for point in RESULTS.points:
        assert all(point.name in text for text in (page, drawn, printed))
    assert all(len(line) == len(headings("length")) for line in cells(RESULTS, "length"))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_the_meter_measures_other_processes_until_they_end() -> None:
    code = "x = sum(range(10**7)); print(1, flush=True); input()"
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert cpu_seconds([child.pid]) > 0
        assert peak_mb([child.pid]) >= resident_mb(child.pid) > 1
        child.communicate(b"\n")
    assert cpu_seconds([child.pid]) == peak_mb([child.pid]) == 0
    assert resident_mb(os.getpid()) > 1


def test_options_reach_the_scale_benchmark(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen: list[ScaleOptions] = []

    def run(options: ScaleOptions, say: Any) -> ScaleResults:
        seen.append(options)
        return RESULTS

    monkeypatch.setattr("touchline_lab.benchmarks.scale.run_scale", run)
    words = ["bench", "--scale", "--device", "cuda:1", "--out", str(tmp_path)]
    for more in (["--series", "size", "--rounds", "2", "--set", "BATCH_SIZE=64"], ["--quick"]):
        result = CliRunner().invoke(app, words + more)
        assert result.exit_code == 0, result.output
    assert (seen[0].series, seen[0].rounds, seen[0].device) == (("size",), 2, "cuda:1")
    assert seen[0].env == {"BATCH_SIZE": "64"}
    assert (seen[1].series, seen[1].rounds, seen[1].device) == (SERIES, 1, "cuda:1")


def test_an_unknown_series_is_refused() -> None:
    result = CliRunner().invoke(app, ["bench", "--scale", "--series", "colour"])
    assert isinstance(result.exception, SettingsError)
