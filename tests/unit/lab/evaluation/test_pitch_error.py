import numpy as np
import pytest

from services.pitch import VERTICES_CM
from touchline_lab.evaluation.pitch_error import keypoint_errors, reprojection_error

SIZE = (1200, 700)
FLAT = [[0.1, 0, 0], [0, 0.1, 0], [0, 0, 1.0]]  # ten centimetres a pixel, seen from above
POINTS = VERTICES_CM / 10 + (1e-9, 1e-9)


def test_errors_are_measured_where_both_have_the_keypoint() -> None:
    given, true = np.zeros((32, 2)), np.zeros((32, 2))
    given[0], true[0] = (13, 14), (10, 10)
    given[1], true[2] = (5, 5), (7, 7)
    assert keypoint_errors(given, true).tolist() == [5.0]


def test_the_error_of_a_shifted_pitch_is_the_shift() -> None:
    assert reprojection_error(POINTS, FLAT, SIZE) == pytest.approx(0, abs=1e-6)
    assert reprojection_error(POINTS + (3, 4), FLAT, SIZE) == pytest.approx(5)


def test_the_error_of_one_keypoint_is_smoothed_by_the_others() -> None:
    given = POINTS.copy()
    given[10] += (30, 0)
    error = reprojection_error(given, FLAT, SIZE)
    assert error is not None
    assert 0 < error < 10


def test_three_keypoints_determine_no_camera() -> None:
    given = np.zeros((32, 2))
    given[[0, 5, 14]] = POINTS[[0, 5, 14]]
    assert reprojection_error(given, FLAT, SIZE) is None


def test_points_on_one_line_do_not_raise() -> None:
    given = np.zeros((32, 2))
    given[:6] = POINTS[:6]
    error = reprojection_error(given, FLAT, SIZE)
    assert error is None or error > 5
