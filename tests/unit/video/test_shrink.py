"""How planes are shrunk: as by the mean of the pixels behind each, and without moving anything."""

from __future__ import annotations

import av
import cv2
import numpy as np
import numpy.typing as npt
import pytest

from services.video.letterbox import Letterbox, letterboxed

Pixels = npt.NDArray[np.uint8]
SIZES = [(1280, 720), (960, 540), (1920, 1080), (640, 360), (1706, 960), (320, 192)]


def shrunk(grey: Pixels) -> Pixels:
    height, width = grey.shape
    planes = np.full((height * 3 // 2, width), 128, np.uint8)
    # video levels: grey comes out as itself but for rounding
    planes[:height] = np.round(16 + grey.astype(np.float64) * 219 / 255)
    box = Letterbox.fit(width, height, 384)
    net = letterboxed(av.VideoFrame.from_ndarray(planes, format="yuv420p"), box)
    return np.asarray(net[box.top : box.top + box.height, box.left : box.left + box.width, 1], np.uint8)


def textured(width: int, height: int) -> Pixels:
    noise = np.random.default_rng(7).integers(0, 255, (height, width)).astype(np.uint8)
    return (
        np.asarray(cv2.GaussianBlur(noise, (0, 0), 1.5) * 2.0 - 110, np.float64).clip(0, 255).astype(np.uint8)
    )


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_pixels_are_means_of_those_behind_them(width: int, height: int) -> None:
    grey = textured(width, height)
    found = shrunk(grey).astype(float)
    how = cv2.INTER_AREA if width >= 384 else cv2.INTER_LINEAR
    mean = cv2.resize(grey, (found.shape[1], found.shape[0]), interpolation=how).astype(float)
    assert found.std() > 3
    assert np.abs(found - mean).mean() < 0.25 * found.std()


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_nothing_is_moved(width: int, height: int) -> None:
    x = np.arange(width) + 0.5
    grey = np.tile(np.round(255 * x / width).astype(np.uint8), (height, 1))
    found = shrunk(grey).astype(float)
    wanted = 255 * (np.arange(found.shape[1]) + 0.5) / found.shape[1]
    # a tenth of a pixel; single columns are off by what video levels are rounded to
    assert abs((found - wanted)[:, 4:-4].mean()) < 0.1 * 255 / found.shape[1] + 0.2


@pytest.mark.parametrize("level", [0, 16, 128, 255])
def test_an_even_picture_stays_even(level: int) -> None:
    assert np.abs(shrunk(np.full((720, 1280), level, np.uint8)).astype(int) - level).max() <= 1
