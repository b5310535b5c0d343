from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.unit.lab.benchmarks.test_targets import FLOORS
from touchline_lab.benchmarks.plot import svg
from touchline_lab.benchmarks.report import cells, headings, markdown, report
from touchline_lab.benchmarks.results import Condition, Results, median, spread

ROWS = {
    "official": [
        {"first_frame_s": 3.0, "all_sampled_s": 8.0, "answer_s": answer, "peak_mb": 800.4}
        for answer in (8.0, 8.2, 9.5)
    ],
    "ours-warm": [{"first_frame_s": 0.1, "all_sampled_s": 1.9, "answer_s": 2.0, "answer_digest": 1.0}],
}
CONDITION = Condition("seed", "cubic", ROWS, FLOORS, {"cv2-url": "it <hangs>"})
RESULTS = Results([CONDITION], ("BBR.",), "cpu", 2, 3)


def test_median_and_spread() -> None:
    assert median(ROWS["official"])["answer_s"] == 8.2
    assert spread(ROWS["official"], "answer_s") == (8.2, 8.0, 9.5)
    assert spread(ROWS["official"], "cpu_s") is None


def test_a_row_has_its_ratios() -> None:
    lines = {line[0]: dict(zip(headings(), line, strict=True)) for line in cells(CONDITION)}
    assert lines["official"]["answer"] == "8.200 (8.000-9.500)"
    assert lines["ours-warm"]["official / it"] == "4.10"
    assert lines["ours-warm"]["it / floor"] == "2.00"
    assert lines["ours-warm"]["peak MB"] == ""


def test_markdown_says_what_is_left_out() -> None:
    page = markdown(RESULTS)
    assert "## seed/cubic" in page
    assert "cv2-url: it <hangs>" in page
    assert "Left out: BBR." in page


def test_the_plot_is_an_svg_with_bars_as_long_as_the_times() -> None:
    root = ET.fromstring(svg([CONDITION]))
    names = [node.text for node in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"official", "ours-warm", "8.20 s", "2.00 s"} <= set(names)
    bars = [float(n.get("width", 0)) for n in root.iter("{http://www.w3.org/2000/svg}rect") if n.get("x")]
    lengths = bars[4:]  # behind the legend
    assert sum(lengths[:3]) / sum(lengths[3:]) == pytest.approx(8.2 / 2.0, rel=0.01)


def test_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report(RESULTS, tmp_path / "out")
    data = json.loads((tmp_path / "out" / "bench.json").read_text())
    assert data["conditions"][0]["median"]["official"]["answer_s"] == 8.2
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"bench.json", "bench.md", "bench.svg"}
    assert "MISSED" in capsys.readouterr().out
