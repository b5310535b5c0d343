import numpy as np
import pytest

from touchline_lab.evaluation.detection import average_precision, class_ap50


def test_average_precision_is_that_of_a_computation_by_hand() -> None:
    # precision 1 up to recall 1/2 (51 of the 101 points), then 2/3
    value = average_precision([0.7, 0.9, 0.8], [True, True, False], 2)
    assert value == pytest.approx((51 + 50 * 2 / 3) / 101)


def test_objects_that_are_never_found_cost_the_rest_of_the_curve() -> None:
    assert average_precision([0.9], [True], 4) == pytest.approx(26 / 101)  # recalls 0 to .25
    assert average_precision([], [], 3) == 0.0


def test_without_true_boxes_there_is_no_average_precision() -> None:
    assert average_precision([0.5], [False], 0) is None
    assert class_ap50([], []) is None


def boxes(*lefts: float) -> np.ndarray:
    return np.array([[left, 0, left + 10, 10] for left in lefts], np.float64).reshape(-1, 4)


def test_the_more_confident_box_is_matched_first() -> None:
    given = [(boxes(0, 1), np.array([0.6, 0.9]))]
    # the box at 1 is more confident and takes it: its precision is 1 at every recall
    assert class_ap50(given, [boxes(0)]) == pytest.approx(1.0)
    # the box at 6 overlaps too little, and is more confident: precision is one half
    assert class_ap50([(boxes(0, 6), np.array([0.6, 0.9]))], [boxes(0)]) == pytest.approx(0.5)


def test_two_boxes_match_two_true_ones() -> None:
    given = [(boxes(2, 1), np.array([0.9, 0.8]))]
    assert class_ap50(given, [boxes(1, 3)]) == pytest.approx(1.0)


def test_boxes_of_different_frames_do_not_match() -> None:
    given = [(boxes(0), np.array([0.9])), (boxes(), np.array([]))]
    assert class_ap50(given, [boxes(), boxes(0)]) == 0.0
