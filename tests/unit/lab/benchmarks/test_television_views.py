"""The report of clips like television."""

from __future__ import annotations

import numpy as np

from touchline_lab.benchmarks.television_views import FPS, Totals, report
from touchline_lab.evaluation.keypoint_score import KeypointScore


def test_the_report_tells_shares_ids_and_the_mean_of_each_part_of_the_score() -> None:
    totals = Totals(np.array([8, 1]), np.array([10, 4]), np.array([16, 2]), seen=6 * FPS, lives=3, people=2)
    scores = [
        KeypointScore(0.8, 0.9, 0.7, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 100),
        KeypointScore(0.0, 0.5, 0.1, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0, 100, "no homography"),
    ]

    people, ball, ids, score = report(totals, scores).splitlines()

    assert people == "people recall 0.500, precision 0.800 (16 boxes)"
    assert ball == "ball   recall 0.500, precision 0.250 (2 boxes)"
    assert ids == "ids: mean life 2.00 s of 3.00 s, 1 switches (2 people)"
    assert score.startswith("keypoint score: final 0.40, fit 0.70, lines 0.40, ")
    assert "plausibility 0.50" in score


def test_nothing_that_was_found_is_no_error() -> None:
    nothing = np.zeros(2, np.int64)
    assert "0 switches (0 people)" in report(
        Totals(nothing, nothing, nothing), [KeypointScore(*[0.0] * 9, 100)]
    )
