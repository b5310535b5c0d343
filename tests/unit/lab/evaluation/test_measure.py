from typing import Any

import numpy as np
import pytest

from services.results import Detections, FrameResult
from touchline_lab.evaluation.measure import detector_ap50, f1, measure
from touchline_lab.evaluation.scoring import BoxScore
from touchline_lab.renderer.clip import FrameTruth, GroundTruth

HOMOGRAPHY = [(0.1, 0.0, 0.0), (0.0, 0.1, 0.0), (0.0, 0.0, 1.0)]
PLAYER, BALL = (2, 100.0, 200.0, 120.0, 250.0), (0, 300.0, 300.0, 306.0, 306.0)
TRUTH = GroundTruth(1, 25, 1000, 600, [FrameTruth([PLAYER, BALL], [(0.0, 0.0)] * 32, HOMOGRAPHY)] * 4)


def answer(*boxes: tuple[Any, ...]) -> list[dict[str, Any]]:
    objects = [{"id": n, "class_id": box[0], "bbox": list(box[1:])} for n, box in enumerate(boxes)]
    return [{"frame_number": n, "keypoints": [[0, 0]] * 32, "objects": objects} for n in range(4)]


def test_f1_is_the_harmonic_mean() -> None:
    assert f1(BoxScore(3, 4, 6)) == pytest.approx(2 * 0.75 * 0.5 / 1.25)
    assert f1(BoxScore(0, 0, 0)) is None


def test_classes_count_equally_and_absent_classes_not_at_all() -> None:
    found = measure(answer(PLAYER), TRUTH, None, 1.0)
    assert found.f1 == 0.5  # the player always, the ball never; no keepers, no referee
    assert (found.people_recall, found.ball_recall, found.ball_precision) == (1.0, 0.0, 1.0)
    assert found.idf1 is None
    assert found.hota is None
    assert found.keypoint_px is None
    assert found.reprojection_px is None


def test_only_ids_of_people_are_measured() -> None:
    found = measure(answer(PLAYER, BALL), TRUTH, [[1, 0]] * 4, 1.0)
    assert (found.idf1, found.hota) == (1.0, pytest.approx(1.0))
    assert measure(answer(BALL), TRUTH, [[1, 0]] * 4, 1.0).idf1 == 0.0


def test_ap50_of_the_detector_is_given_by_class() -> None:
    def result(index: int, *boxes: tuple[Any, ...]) -> FrameResult:
        table = np.array(boxes, np.float32).reshape(-1, 5)
        classes = table[:, 0].astype(np.int64)
        return FrameResult(index, Detections(table[:, 1:], np.ones(len(table), np.float32), classes), None)

    values = detector_ap50([result(0, PLAYER, BALL), result(3, PLAYER)], TRUTH)
    assert values["player"] == pytest.approx(1.0)
    assert values["ball"] == pytest.approx(51 / 101)
    assert values["referee"] is None
    assert values["mean"] == pytest.approx((1 + 51 / 101) / 2)
