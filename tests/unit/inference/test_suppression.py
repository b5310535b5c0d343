"""Our suppression gives what ultralytics' gives."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from ultralytics.utils.nms import non_max_suppression

from services.inference.suppression import Rows, suppress


def crowded(seed: int, non_b_frames: int = 400, classes: int = 4) -> Rows:
    """Raw output of two pictures with many overlapping boxes; no two scores are equal."""
    rng = np.random.default_rng(seed)
    raw = np.zeros((2, 4 + classes, non_b_frames), np.float32)
    raw[:, 0] = rng.uniform(0, 120, (2, non_b_frames))
    raw[:, 1] = rng.uniform(0, 80, (2, non_b_frames))
    raw[:, 2:4] = rng.uniform(10, 50, (2, 2, non_b_frames))
    raw[:, 4:] = rng.permutation(2 * classes * non_b_frames).reshape(2, classes, non_b_frames) / (
        2 * classes * non_b_frames
    )
    return raw


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("classes", [[0, 1, 2, 3], [0, 2]])
def test_the_same_boxes_as_ultralytics(seed: int, classes: list[int]) -> None:
    raw = crowded(seed)
    expected = non_max_suppression(
        torch.from_numpy(raw.copy()),
        conf_thres=0.6,
        iou_thres=0.6,
        classes=classes,
        agnostic=True,
        max_det=40,
    )
    found = suppress(raw, classes=np.array(classes), confidence=0.6, iou=0.6, maximum=40)
    for ours, theirs in zip(found, expected, strict=True):
        assert len(ours) > 5
        np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-4)


def test_a_picture_with_nothing_in_it() -> None:
    found = suppress(
        np.zeros((1, 8, 100), np.float32), classes=np.arange(4), confidence=0.3, iou=0.6, maximum=9
    )
    assert [rows.shape for rows in found] == [(0, 6)]


def test_the_best_ones_are_kept_when_there_are_too_many() -> None:
    raw = np.zeros((1, 5, 6), np.float32)
    raw[0, 0] = np.arange(6) * 100
    raw[0, 2:4] = 10
    raw[0, 4] = [0.5, 0.9, 0.6, 0.8, 0.7, 0.4]
    found = suppress(raw, classes=np.array([0]), confidence=0.3, iou=0.6, maximum=3)[0]
    assert found[:, 4].tolist() == pytest.approx([0.9, 0.8, 0.7])
