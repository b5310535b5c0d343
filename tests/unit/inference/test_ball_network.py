"""Crops of looks and what comes out of the ball network for them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from services.errors import ModelNotReady
from services.inference.ball_network import HIGH, SIZES, STEP, WIDE, BallNetwork, load_ball_network
from services.inference.bundled_models import BUNDLED_MODELS
from services.pitch import BALL
from services.results import LumaPicture
from touchline_lab.renderer.scene import Scene
from touchline_lab.renderer.seeds import EVALUATION_SEEDS

LOOK = LumaPicture(3, np.arange(360 * 640, dtype=np.uint32).astype(np.uint8).reshape(360, 640), 2.0)
Crops = npt.NDArray[np.uint8]


class Network:
    """Remembers its crops; says what it is told of each cell, and is sure of nothing else."""

    def __init__(self, *cells: tuple[int, int, float, float, float, float]) -> None:
        self.crops: list[Crops] = []
        self.cells = cells

    def __call__(self, crops: Crops) -> npt.NDArray[np.float32]:
        self.crops.append(crops.copy())
        raw = np.zeros((len(crops), 4, HIGH // STEP, WIDE // STEP), np.float32)
        raw[:, 0] = -9
        for row, column, *values in self.cells:
            raw[:, :, row, column] = values
        return raw


@pytest.mark.parametrize(
    ("place", "corner"),
    [
        ((640.0, 360.0), (272, 148)),
        ((0.0, 0.0), (0, 0)),
        ((1279.0, 719.0), (544, 296)),
        ((-500.0, 9e3), (0, 296)),
    ],
)
def test_crops_lie_around_the_place_and_within_the_look(
    place: tuple[float, float], corner: tuple[int, int]
) -> None:
    network = Network((8, 12, 2.0, 0.25, -0.5, np.log(1.5)))
    (boxes,) = BallNetwork(network).find([(LOOK, np.array(place))])
    x, y = corner
    assert np.array_equal(network.crops[0][0, 0], LOOK.luma[y : y + HIGH, x : x + WIDE])
    middle = 2 * (x + 4 * 12.75), 2 * (y + 4 * 8.0)
    half = 2 * 4 * 1.5 / 2
    expected = [middle[0] - half, middle[1] - half, middle[0] + half, middle[1] + half]
    np.testing.assert_allclose(boxes[0, :4], expected, rtol=1e-5)
    assert boxes[0, 4] == pytest.approx(1 / (1 + np.exp(-2.0)), abs=1e-6)


def test_a_look_smaller_than_a_crop_is_padded() -> None:
    network = Network()
    small = LumaPicture(0, np.full((40, 60), 7, np.uint8), 1.0)
    (boxes,) = BallNetwork(network).find([(small, np.array([30.0, 20.0]))])
    assert boxes.shape == (0, 5)
    assert network.crops[0][0, 0].sum() == 7 * 40 * 60


def test_two_balls_at_most_and_cells_side_by_side_are_one() -> None:
    sure = (5, 5, 3.0, 0.0, 0.0, 0.5)
    network = Network(
        sure, (5, 6, 2.9, 0.0, 0.0, 0.5), (12, 20, 1.0, 0.0, 0.0, 0.5), (2, 20, 0.5, 0.0, 0.0, 0.5)
    )
    (boxes,) = BallNetwork(network).find([(LOOK, np.array([640.0, 360.0]))])
    assert len(boxes) == 2
    assert boxes[:, 4].tolist() == pytest.approx([1 / (1 + np.exp(-3.0)), 1 / (1 + np.exp(-1.0))], abs=1e-6)


@pytest.mark.parametrize(("count", "sizes"), [(0, []), (1, [1]), (3, [4]), (4, [4]), (6, [4, 2])])
def test_any_number_of_crops_in_the_sizes_that_were_warmed(count: int, sizes: list[int]) -> None:
    network = Network((8, 12, 2.0, 0.0, 0.0, 0.5))
    found = BallNetwork(network).find([(LOOK, np.array([640.0, 360.0]))] * count)
    assert [len(crops) for crops in network.crops] == sizes
    assert [len(boxes) for boxes in found] == [1] * count
    network.crops.clear()
    BallNetwork(network).warm()
    assert [len(crops) for crops in network.crops] == list(SIZES)


def scene(number: int) -> tuple[LumaPicture, npt.NDArray[np.float64]]:
    """A scene that no training has seen, and the ball's true box in source pixels."""
    rendered_scene = Scene(EVALUATION_SEEDS[70] + number)
    rendered_scene.advance(10)
    rendered = rendered_scene.render()
    luma = cv2.cvtColor(rendered.image, cv2.COLOR_BGR2YUV_I420)[:720]
    box = next(box[1:] for box in rendered.boxes if box[0] == BALL)
    small = np.asarray(cv2.resize(luma, (640, 360), interpolation=cv2.INTER_AREA), np.uint8)
    return LumaPicture(0, small, 2.0), np.array(box)


def test_the_bundled_network_finds_balls_and_both_runtimes_agree() -> None:
    by_openvino, by_torch = load_ball_network("auto"), load_ball_network("torch")
    for number in range(4):
        picture, true = scene(number)
        place = (true[:2] + true[2:]) / 2 + [50.0, -30.0]
        (boxes,), (other,) = by_openvino.find([(picture, place)]), by_torch.find([(picture, place)])
        assert boxes[0, 4] > 0.5
        assert np.abs(boxes[0, :4] - true).max() < 2.5, "a third of its width would halve the overlap"
        np.testing.assert_allclose(boxes[0], other[0], atol=0.25)


def test_no_detector_is_called_by_its_name_and_a_broken_file_is_told() -> None:
    assert "touchline-ball" not in BUNDLED_MODELS
    with pytest.raises(ModelNotReady, match="not the weights of a ball network"):
        load_ball_network("torch", Path(__file__))
