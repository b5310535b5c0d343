"""Cameras of samples in which the pitch was not looked for."""

from __future__ import annotations

import numpy as np

from services.tracking.camera import PictureSize, cameras, sample_cameras
from tests.unit.tracking.test_tracker_and_fill import make_camera

SIZE = PictureSize(1280, 720)


def test_samples_between_two_fits_take_the_way_between_them() -> None:
    first, last = make_camera(), make_camera(pan=3.0)
    fits, indices = [None, first, None, last, None], [0, 6, 12, 18, 24]
    path = cameras(fits, indices, 25, SIZE)
    assert path is not None
    found = sample_cameras(fits, indices, path)
    assert [camera is None for camera in found] == [True, False, False, False, True]
    assert found[2] is not None
    np.testing.assert_array_equal(found[2], path[12])
    assert not np.allclose(found[2], first)
    assert not np.allclose(found[2], last)


def test_without_any_fit_there_is_no_camera() -> None:
    assert sample_cameras([None, None], [0, 6], None) == [None, None]
