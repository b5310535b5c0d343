from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.unit.lab.benchmarks.test_targets import FLOORS
from touchline_lab.benchmarks.plot import svg
from touchline_lab.benchmarks.report import COLUMNS, OVER_FLOOR, SPEED_UP, cells, headings, markdown, report
from touchline_lab.benchmarks.results import Condition, Results, median, spread

ROWS = {
    "reference-miner": [
        {"first_frame_s": 3.0, "all_sampled_s": 8.0, "answer_s": answer, "peak_mb": 800.4}
        for answer in (8.0, 8.2, 9.5)
    ],
    "touchline-warm": [{"first_frame_s": 0.1, "all_sampled_s": 1.9, "answer_s": 2.0, "answer_digest": 1.0}],
}
CONDITION = Condition("seed", "cubic", ROWS, FLOORS, {"cv2-url": "it <hangs>"})
RESULTS = Results([CONDITION], ("BBR.",), "cpu", 2, 3)


def test_statistics_over_rounds_skip_metrics_that_no_round_has() -> None:
    assert median(ROWS["reference-miner"])["answer_s"] == 8.2
    assert spread(ROWS["reference-miner"], "answer_s") == (8.2, 8.0, 9.5)
    assert spread(ROWS["reference-miner"], "cpu_s") is None


def test_a_row_has_medians_with_their_range_and_both_ratios() -> None:
    lines = {line[0]: dict(zip(headings(), line, strict=True)) for line in cells(CONDITION)}
    assert lines["reference-miner"][COLUMNS["answer_s"]] == "8.200 (8.000-9.500)"
    assert lines["touchline-warm"][SPEED_UP] == "4.10"
    assert lines["touchline-warm"][OVER_FLOOR] == "2.00"
    assert lines["touchline-warm"][COLUMNS["peak_mb"]] == ""


def test_the_markdown_page_says_what_is_left_out() -> None:
    page = markdown(RESULTS)
    assert "## seed/cubic" in page
    assert "cv2-url: it <hangs>" in page
    assert "Left out: BBR." in page


def test_the_plot_is_an_svg_with_bars_as_long_as_the_times() -> None:
    root = ET.fromstring(svg([CONDITION]))
    names = [node.text for node in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"reference-miner", "touchline-warm", "8.20 s", "2.00 s"} <= set(names)
    bars = [float(n.get("width", 0)) for n in root.iter("{http://www.w3.org/2000/svg}rect") if n.get("x")]
    lengths = bars[4:]  # behind the legend
    assert sum(lengths[:3]) / sum(lengths[3:]) == pytest.approx(8.2 / 2.0, rel=0.01)


def test_a_report_leaves_three_files_and_prints_missed_targets(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report(RESULTS, tmp_path / "out")
    data = json.loads((tmp_path / "out" / "bench.json").read_text())
    assert data["conditions"][0]["median"]["reference-miner"]["answer_s"] == 8.2
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"bench.json", "bench.md", "bench.svg"}
    assert "MISSED" in capsys.readouterr().out
