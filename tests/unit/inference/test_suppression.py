"""Our suppression gives what ultralytics' gives."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
import torch
from ultralytics.utils.nms import non_max_suppression

from services.inference.suppression import MAX_CANDIDATES, Rows, select, suppress


def limits(confidence: float, classes: int, wanted: Iterable[int] | None = None) -> Rows:
    """The minimum score of each class; those that are not wanted have none that is high enough."""
    found = np.full(classes, np.inf, np.float32)
    found[list(range(classes) if wanted is None else wanted)] = confidence
    return found


def crowded(seed: int, anchors: int = 400, classes: int = 4) -> Rows:
    """Raw output of two pictures with many overlapping boxes; no two scores are equal."""
    rng = np.random.default_rng(seed)
    raw = np.zeros((2, 4 + classes, anchors), np.float32)
    raw[:, 0] = rng.uniform(0, 120, (2, anchors))
    raw[:, 1] = rng.uniform(0, 80, (2, anchors))
    raw[:, 2:4] = rng.uniform(10, 50, (2, 2, anchors))
    raw[:, 4:] = rng.permutation(2 * classes * anchors).reshape(2, classes, anchors) / (2 * classes * anchors)
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
    found = suppress(raw, limits(0.6, 4, classes), iou=0.6, maximum=40)
    for ours, theirs in zip(found, expected, strict=True):
        assert len(ours) > 5
        np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-4)


def test_a_picture_with_nothing_in_it() -> None:
    found = suppress(np.zeros((1, 8, 100), np.float32), limits(0.3, 4), iou=0.6, maximum=9)
    assert [rows.shape for rows in found] == [(0, 6)]


def test_the_best_ones_are_kept_when_there_are_too_many() -> None:
    raw = np.zeros((1, 5, 6), np.float32)
    raw[0, 0] = np.arange(6) * 100
    raw[0, 2:4] = 10
    raw[0, 4] = [0.5, 0.9, 0.6, 0.8, 0.7, 0.4]
    found = suppress(raw, limits(0.3, 1), iou=0.6, maximum=3)[0]
    assert found[:, 4].tolist() == pytest.approx([0.9, 0.8, 0.7])


def test_built_in_suppression_is_kept_and_only_filtered() -> None:
    listed = np.zeros((1, 5, 6), np.float32)
    listed[0, :, 4] = [0.9, 0.8, 0.7, 0.6, 0.2]
    listed[0, :, 5] = [0, 1, 0, 0, 0]
    found = select(listed, limits(0.3, 2, wanted=[0]), maximum=2)[0]
    assert found[:, 4].tolist() == pytest.approx([0.9, 0.7])


def test_a_picture_full_of_boxes_is_suppressed_in_bounded_memory() -> None:
    raw = crowded(1, anchors=4 * MAX_CANDIDATES)
    found = suppress(raw, limits(0.01, 4), iou=0.6, maximum=40)
    assert [len(rows) for rows in found] == [40, 40]
