"""Thumbnails: the mean of what lies behind each pixel, in colour and in grey."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from services.video.thumbnail import SIZE, thumbnail


@pytest.mark.parametrize(
    "shape", [(224, 384, 3), (384, 224, 3), (352, 640, 3), (90, 160), (18, 32), (31, 57, 3)]
)
def test_pixels_are_means(shape: tuple[int, ...]) -> None:
    noise = np.random.default_rng(3).integers(0, 255, shape, np.uint8)
    picture = np.asarray(cv2.GaussianBlur(noise, (0, 0), 2.0), np.uint8)
    found = thumbnail(picture)
    mean = cv2.resize(picture, SIZE, interpolation=cv2.INTER_AREA)
    assert found.shape == (SIZE[1], SIZE[0], *shape[2:])
    assert found.std() > 2
    assert found.dtype == np.uint8
    # halves are rounded, and where sides are not divisible a little is taken from neighbours
    assert np.abs(found.astype(int) - mean).max() <= 3
