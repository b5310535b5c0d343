"""What comes out of the fine ball detector's network, how it is combined, and the bundled network itself."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from services.errors import ModelNotReady
from services.inference.fine_ball_detector import (
    MAX_BALLS,
    MIN_SCORE,
    SHARE,
    STEP,
    WARM_SIZES,
    FineBallDetector,
    combined,
    load_fine_ball_detector,
)
from services.pitch import BALL, PLAYER
from services.results import Detections, LumaPicture
from touchline_lab.renderer.scene import Scene
from touchline_lab.renderer.seeds import EVALUATION_SEEDS

Cell = tuple[int, int, float, float, float, float, float]
"""Row and column, then the five channels of the output."""


class Network:
    """Remembers its input; says what it is told of some cells, and finds nothing elsewhere."""

    def __init__(self, *cells: Cell) -> None:
        self.cells = cells
        self.seen: list[npt.NDArray[np.uint8]] = []

    def __call__(self, luma: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        self.seen.append(luma)
        raw = np.zeros((1, 5, luma.shape[2] // STEP, luma.shape[3] // STEP), np.float32)
        raw[:, 0] = -9.0
        for row, column, *values in self.cells:
            raw[0, :, row, column] = values
        return raw


def picture(height: int, width: int, scale: float = 1.0) -> LumaPicture:
    return LumaPicture(0, np.full((height, width), 7, np.uint8), scale)


def logit(score: float) -> float:
    return float(np.log(score / (1 - score)))


def boxes_of(*rows: tuple[float, float, float, float, float, int]) -> Detections:
    """Detections from x, y, width, height, score, class."""
    table = np.array(rows, np.float64).reshape(-1, 6)
    half = table[:, 2:4] / 2
    corners = np.concatenate([table[:, :2] - half, table[:, :2] + half], 1)
    return Detections(
        corners.astype(np.float32), table[:, 4].astype(np.float32), table[:, 5].astype(np.int64)
    )


def test_a_cell_becomes_a_box_in_source_pixels() -> None:
    network = Network((10, 20, logit(0.8), 0.25, -0.5, np.log(1.5), np.log(2.0)))
    found = FineBallDetector(network).find(picture(720, 1280, scale=2.0))
    x, y, width, height = 2 * STEP * 20.75, 2 * STEP * 10.0, 2 * STEP * 1.5, 2 * STEP * 2.0
    expected = [[x - width / 2, y - height / 2, x + width / 2, y + height / 2]]
    np.testing.assert_allclose(found.boxes, expected, rtol=1e-5)
    assert found.scores.tolist() == pytest.approx([0.8])
    assert found.classes.tolist() == [BALL]


def test_cells_side_by_side_are_one_ball_and_few_are_given() -> None:
    far_apart = [(2 + 4 * n, 5, logit(0.6 - 0.1 * n), 0.0, 0.0, 0.0, 0.0) for n in range(4)]
    network = Network(*far_apart, (2, 6, logit(0.55), 0.0, 0.0, 0.0, 0.0))
    found = FineBallDetector(network).find(picture(240, 320))
    assert found.scores.tolist() == pytest.approx([0.6, 0.5, 0.4])
    assert len(found.scores) == MAX_BALLS


def test_below_the_minimum_score_nothing_is_given() -> None:
    network = Network((3, 5, logit(MIN_SCORE * 0.9), 0.0, 0.0, 0.0, 0.0))
    assert len(FineBallDetector(network).find(picture(240, 320)).scores) == 0


def test_sides_that_are_no_multiple_of_the_step_are_padded_and_boxes_stay_in_the_picture() -> None:
    network = Network((12, 15, logit(0.8), 0.4, 0.4, np.log(3.0), np.log(3.0)))
    found = FineBallDetector(network).find(picture(101, 125))
    assert network.seen[0].shape == (1, 1, 104, 128)
    assert (network.seen[0] == 7).all()
    assert found.boxes[0, 2:].tolist() == [125.0, 101.0]


def test_the_usual_sizes_are_warmed() -> None:
    network = Network()
    FineBallDetector(network).warm()
    assert [luma.shape[2:] for luma in network.seen] == list(WARM_SIZES)


def test_a_ball_that_both_detectors_find_is_surer_than_one_of_either() -> None:
    detector = boxes_of((100, 100, 12, 12, 0.9, BALL), (300, 100, 12, 12, 0.8, BALL))
    fine = boxes_of((104, 98, 10, 10, 0.6, BALL), (500, 300, 10, 10, 0.9, BALL))
    found = combined(detector, fine)
    assert found.scores.tolist() == pytest.approx(
        [SHARE * 0.6 + (1 - SHARE) * 0.9, SHARE * 0.9, (1 - SHARE) * 0.8]
    )
    np.testing.assert_allclose(found.boxes[:2], fine.boxes, err_msg="the fine ones have the better places")


def test_people_keep_their_boxes_and_scores() -> None:
    people = boxes_of((100, 100, 40, 90, 0.9, PLAYER), (200, 100, 40, 90, 0.2, PLAYER))
    found = combined(people, boxes_of((104, 98, 10, 10, 0.6, BALL)))
    own = found.select(found.classes == PLAYER)
    np.testing.assert_array_equal(own.boxes, people.boxes)
    np.testing.assert_array_equal(own.scores, people.scores)
    assert found.scores.tolist() == sorted(found.scores.tolist(), reverse=True)


def test_nothing_and_nothing_is_nothing() -> None:
    assert len(combined(Detections.empty(), Detections.empty()).scores) == 0


def scene(number: int) -> tuple[LumaPicture, npt.NDArray[np.float64]]:
    """A scene that no training has seen at full size, and the ball's true box."""
    rendered_scene = Scene(EVALUATION_SEEDS[70] + number)
    rendered_scene.advance(10)
    rendered = rendered_scene.render()
    luma = cv2.cvtColor(rendered.image, cv2.COLOR_BGR2YUV_I420)[:720]
    box = next(box[1:] for box in rendered.boxes if box[0] == BALL)
    return LumaPicture(0, np.asarray(luma, np.uint8), 1.0), np.array(box)


def test_the_bundled_network_finds_balls_in_whole_frames_and_both_runtimes_agree() -> None:
    by_openvino = load_fine_ball_detector("auto", "cpu", slots=2, threads=1)
    by_torch = load_fine_ball_detector("torch", "cpu", slots=1, threads=1)
    for number in range(4):
        luma, true = scene(number)
        found, other = by_openvino.find(luma), by_torch.find(luma)
        assert found.scores[0] > 0.5
        assert np.abs(found.boxes[0] - true).max() < 3.0, "a third of its width would halve the overlap"
        np.testing.assert_allclose(found.boxes[0], other.boxes[0], atol=0.25)
        np.testing.assert_allclose(found.scores[0], other.scores[0], atol=0.02)


def test_a_broken_file_is_told() -> None:
    with pytest.raises(ModelNotReady, match="not the weights of a ball network"):
        load_fine_ball_detector("torch", "cpu", slots=1, threads=1, path=Path(__file__))
