from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from services.results import Detections, FrameResult, LumaPicture
from services.video.letterbox import Frame, Letterbox
from touchline_lab.evaluation.actions import infer_match, score

KINDS = ("pass", "pass_received", "ball_out_of_play")


def test_with_true_boxes_the_rules_find_most_passes_and_invent_none() -> None:
    match = infer_match(2002, 240, 6, 384, None)
    assert len(match.truth) >= 5
    found = score(match, "truth")
    assert found.precision == 1.0
    assert found.recall > 0.7
    assert sum(score(match, "truth", [kind]).given for kind in KINDS) == found.given


class CandidatesOnly:
    """A predictor that is sure of nothing, with a ball network that counts how often it is asked."""

    def __init__(self) -> None:
        self.ball_network = self
        self.asked = 0

    def predict(self, frames: Sequence[Frame], letterbox: Letterbox) -> list[FrameResult]:
        candidate = Detections(
            np.array([[600, 300, 612, 312]], np.float32), np.full(1, 0.1, np.float32), np.zeros(1, np.int64)
        )
        assert all(frame.full_luma is not None for frame in frames)
        return [
            FrameResult(frame.index, Detections.empty(), None, None, frame.luma_pictures, candidate)
            for frame in frames
        ]

    def find(self, asks: Sequence[tuple[LumaPicture, Any]]) -> list[npt.NDArray[np.float32]]:
        self.asked += len(asks)
        return [np.zeros((0, 5), np.float32)] * len(asks)


def test_the_ball_is_searched_again_as_in_an_answer() -> None:
    predictor = CandidatesOnly()
    match = infer_match(2002, 24, 6, 384, predictor)
    assert predictor.asked >= len(match.results["models"]) == 5
