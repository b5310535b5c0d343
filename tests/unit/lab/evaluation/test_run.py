import json
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest

from services.errors import TouchlineError
from tests.unit.lab.evaluation.clips import RecordingPredictor, settings, tiny
from touchline_lab.evaluation.measure import Measures
from touchline_lab.evaluation.plot import Point, curves
from touchline_lab.evaluation.report import COLUMNS, budget_cells, cells, markdown, save
from touchline_lab.evaluation.run import Evaluation, Material, Row, evaluate, finest_within, summary, targets
from touchline_lab.renderer.scene_clip import SceneTruth

PERFECT = Measures(*[1.0] * 8, 1.0, *[1.0] * 7)


def row(scene: str, stride: int, seconds: float, measures: Measures = PERFECT) -> Row:
    return Row(scene, stride, 100 / stride, seconds, measures)


def evaluation(fine: Measures = PERFECT, coarse: Measures = PERFECT, repeats: bool = True) -> Evaluation:
    rows = (row("a", 1, 6.0, fine), row("a", 6, 1.0, coarse))
    return Evaluation(rows, {"a": {"ball": None, "mean": 0.5}}, repeats)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, SceneTruth]:
    return tiny(tmp_path_factory.mktemp("tiny"))


def test_every_scene_is_measured_at_every_stride(clip: tuple[bytes, SceneTruth]) -> None:
    data, truth = clip
    progress: list[tuple[str, int, int]] = []
    material = Material("tiny", data, truth.truth, truth.ids)
    found = evaluate(
        [material], (1, 6), RecordingPredictor(truth.truth), settings(), lambda *done: progress.append(done)
    )
    assert [(r.scene, r.stride, r.sampled) for r in found.rows] == [("tiny", 1, 15), ("tiny", 6, 4)]
    assert found.repeats
    assert found.detector_ap50["tiny"]["mean"] == pytest.approx(1.0)
    assert progress[-1] == ("tiny", 15, 15)
    by_truth = evaluate([material], (1, 6), None, settings())
    assert [r.measures.f1 for r in by_truth.rows] == [r.measures.f1 for r in found.rows]
    assert all(r.seconds > 0 for r in found.rows)


def test_models_that_do_not_repeat_themselves_are_reported(clip: tuple[bytes, SceneTruth]) -> None:
    data, truth = clip

    class Unrepeatable(RecordingPredictor):
        def predict(self, frames, box):  # type: ignore[no-untyped-def]
            results = super().predict(frames, box)
            for result in results:
                result.detections.boxes[:] += len(self.inferred) % 7
            return results

    material = Material("tiny", data, truth.truth, None)
    assert not evaluate([material], (3,), Unrepeatable(truth.truth), settings(3)).repeats


def test_the_ground_truth_of_another_clip_is_refused(clip: tuple[bytes, SceneTruth]) -> None:
    data, truth = clip
    longer = type(truth.truth)(3000, 25, 640, 352, [*truth.truth.frames, truth.truth.frames[0]])
    with pytest.raises(TouchlineError, match="16 frames.*15"):
        evaluate([Material("tiny", data, longer, None)], (1,), RecordingPredictor(longer), settings())


def test_means_ignore_missing_values_and_errors_take_the_median() -> None:
    rows = [
        row("a", 6, 1.0, replace(PERFECT, idf1=None, keypoint_px=1.0, score=0.5)),
        row("b", 6, 2.0, replace(PERFECT, idf1=0.4, keypoint_px=3.0, score=0.7)),
        row("c", 6, 6.0, replace(PERFECT, idf1=0.6, keypoint_px=500.0, score=0.9)),
    ]
    (mean,) = summary(rows)
    assert (mean.measures.idf1, mean.measures.keypoint_px) == (pytest.approx(0.5), 3.0)
    assert (mean.seconds, mean.measures.score) == (pytest.approx(3.0), pytest.approx(0.7))


def test_a_budget_selects_the_finest_stride_within_it() -> None:
    rows = [row("a", 1, 6.0), row("a", 3, 2.0), row("a", 6, 1.0)]
    assert [r.stride if (r := finest_within(rows, budget)) else None for budget in (7, 5, 2, 0.5)] == [
        1,
        3,
        3,
        None,
    ]


@pytest.mark.parametrize(
    ("coarse", "reached"),
    [
        ({}, [True, True, True, True]),
        ({"f1": 0.981, "keypoint_score": 0.991, "idf1": 0.901}, [True, True, True, True]),
        ({"f1": 0.979}, [True, False, True, True]),
        ({"keypoint_score": 0.989}, [True, True, False, True]),
        ({"idf1": 0.899}, [True, True, True, False]),
    ],
)
def test_a_target_is_missed_just_beyond_its_limit(coarse: dict[str, float], reached: list[bool]) -> None:
    assert [t.ok for t in targets(evaluation(coarse=replace(PERFECT, **coarse)))] == reached


def test_targets_need_both_strides_and_known_identities() -> None:
    assert not targets(evaluation(repeats=False))[0].ok
    assert len(targets(Evaluation((row("a", 1, 1.0),), {}, True))) == 1
    unknown = replace(PERFECT, idf1=None)
    assert len(targets(evaluation(unknown, unknown))) == 3


def test_an_evaluation_is_written_as_json_markdown_and_picture(tmp_path: Path) -> None:
    found = evaluation(coarse=replace(PERFECT, idf1=None, score=0.25))
    files = save(found, [0.5, 2.0], tmp_path / "out")
    data = json.loads(files[0].read_text())
    assert [r["score"] for r in data["rows"]] == [1.0, 0.25]
    assert data["budgets"] == {"0.5": None, "2": data["mean"][1]}
    text = files[1].read_text()
    assert "| 0.5 s | no measured stride fits |" in text
    assert "| a | 6 | 17 | 1.00 |" in text
    svg = ET.fromstring(files[2].read_text())
    lines = svg.findall("{http://www.w3.org/2000/svg}polyline")
    assert len(lines) == 6
    assert len(svg.findall("{http://www.w3.org/2000/svg}circle")) == 11  # IDF1 at one stride only


def test_every_table_row_has_as_many_cells_as_its_heading() -> None:
    found = evaluation()
    assert len(cells(found.rows[0])) == len(COLUMNS)
    assert {len(budget_cells(found, budget)) for budget in (0.1, 10)} == {len(COLUMNS)}
    for block in markdown(found, [1.0]).split("\n\n"):
        widths = {line.count("|") for line in block.splitlines() if line.startswith("|")}
        assert len(widths) <= 1


def test_a_curve_rises_with_accuracy_and_runs_right_with_time() -> None:
    svg = ET.fromstring(curves("a < b", {"one & only": [Point(4, 1.0, "x"), Point(1, 0.0, "y")]}))
    line = svg.find("{http://www.w3.org/2000/svg}polyline")
    assert line is not None
    (x1, y1), (x2, y2) = (map(float, place.split(",")) for place in line.attrib["points"].split())
    assert x1 < x2
    assert y1 > y2


def test_a_single_point_is_drawn() -> None:
    svg = ET.fromstring(curves("t", {"one": [Point(2, 0.5, "x")]}))
    assert svg.find("{http://www.w3.org/2000/svg}circle") is not None
