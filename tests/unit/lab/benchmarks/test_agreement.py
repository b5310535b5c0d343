from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from services.inference.bundled_models import WEIGHTS
from tests.unit.lab.evaluation.clips import tiny
from touchline_lab.benchmarks import real_pictures
from touchline_lab.benchmarks.agreement import BANDS, agreement, off_pitch, pairs, steadiness, unmatched

EMPTY = np.zeros((0, 4))
ONE = np.array([[0.0, 0, 10, 40]])
FAR = ONE + [200, 0, 200, 0]


def test_pairs_are_one_to_one_and_overlap_enough() -> None:
    near = ONE + [1, 0, 1, 0]
    assert pairs(np.concatenate([ONE, near]), ONE) == [(0, 0)]
    assert pairs(ONE + [6, 0, 6, 0], ONE) == []
    assert pairs(EMPTY, ONE) == pairs(ONE, EMPTY) == []


def test_recall_and_precision_are_against_the_reference() -> None:
    found = agreement([np.concatenate([ONE, FAR]), EMPTY, ONE], [ONE, ONE, ONE], 400)
    assert (found.matched, found.expected, found.given) == (2, 3, 3)
    assert found.recall == found.precision == pytest.approx(2 / 3)
    nothing = agreement([EMPTY], [EMPTY], 400)
    assert nothing.recall is None
    assert nothing.precision is None


def test_recall_by_height_sorts_the_reference_s_boxes() -> None:
    small, large = np.array([[0.0, 0, 10, 20]]), np.array([[100.0, 0, 200, 300]])
    found = agreement([small], [np.concatenate([small, large])], 400)
    assert found.by_height == ((1, 1), (0, 0), (0, 0), (0, 1))
    assert len(found.by_height) == len(BANDS) - 1


def test_a_gap_is_somebody_who_is_there_before_and_after() -> None:
    steady = steadiness([ONE, ONE, ONE, EMPTY, ONE])
    assert (steady.bridged, steady.kept) == (2, 1)
    assert steady.gaps == pytest.approx(0.5)
    assert steadiness([ONE, ONE + [1, 0, 1, 0], ONE + [2, 0, 2, 0]]).gaps == 0


def test_a_flash_is_in_one_picture_only() -> None:
    steady = steadiness([ONE, np.concatenate([ONE, FAR]), ONE, ONE])
    assert (steady.flashes, steady.boxes) == (1, 3)
    none = steadiness([ONE, ONE])
    assert none.gaps is None
    assert none.flashing is None


def test_feet_outside_the_lines_are_off_the_pitch() -> None:
    homography = np.diag([10.0, 10.0, 1.0])  # ten pixels a metre
    people = np.array([[95.0, 60, 105, 100], [-60, 60, -50, 100], [-30, 60, -10, 100], [595, 800, 605, 740]])
    assert off_pitch(people, homography).tolist() == [False, True, False, True]
    assert off_pitch(EMPTY, homography).tolist() == []


def test_boxes_that_the_reference_lacks() -> None:
    assert unmatched(np.concatenate([FAR, ONE]), ONE).tolist() == [True, False]


def test_a_model_agrees_with_itself_and_finds_nobody_off_the_pitch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny(tmp_path)
    clip, model = str(tmp_path / "tiny.mp4"), str(WEIGHTS / "touchline-detect-rendered.pt")
    arguments = [clip, "--reference", model, "--reference-size", "384", "--every", "2", "--pictures", "6"]
    monkeypatch.setattr(
        sys, "argv", ["real_pictures", *arguments, "--json", "--draw", str(tmp_path / "drawn")]
    )
    monkeypatch.setenv("RUNTIME", "torch")
    real_pictures.main()
    found = json.loads(capsys.readouterr().out)
    assert found["pictures"] == 6
    assert found["people"]["recall"] == found["people"]["precision"] == 1.0
    assert found["people"]["given"] > 6 * 5
    assert found["steadiness_detector"] == found["steadiness_reference"]
    assert found["pitch"]["located"] == 6
    assert found["pitch"]["outside"] == 0
    assert len(list((tmp_path / "drawn").iterdir())) == 6
    assert len(real_pictures.lines(found)) == 3 + 4 + 3
