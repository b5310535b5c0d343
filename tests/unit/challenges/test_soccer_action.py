"""`soccer_action` by rule: what its samples go through on their way to the rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from services.challenges.soccer_action import SoccerActionKind
from services.results import Detections, FrameResult, LumaPicture
from services.settings import load_settings
from services.video.decode import Clip, DecodeLimits, open_clip
from services.video.letterbox import Frame, Letterbox
from services.video.source import MemorySource
from services.wire.challenge import Challenge
from tests.support.videos import make_video

CHALLENGE = Challenge(
    challenge_id="c",
    video_url="https://origin/clip.mp4",
    kind="soccer_action",
    deadline=9e9,
    submitted_at=0.0,
)
BALL = [94.0, 94.0, 106.0, 106.0]


class Eyes:
    """Sees nothing by itself; what it is plugged in as finds a ball in every look."""

    def __init__(self, finds: bool) -> None:
        if finds:
            self.ball_network = self

    def find(self, asks: Sequence[tuple[LumaPicture, Any]]) -> list[Any]:
        return [np.array([[*BALL, 0.9]], np.float32) for _ in asks]

    def predict(self, frames: Sequence[Frame], letterbox: Letterbox) -> list[FrameResult]:
        hint = Detections(np.array([BALL], np.float32), np.full(1, 0.06, np.float32), np.zeros(1, np.int64))
        return [
            FrameResult(
                frame.index, Detections.empty(), None, luma_pictures=frame.luma_pictures, ball_candidates=hint
            )
            for frame in frames
        ]


@pytest.fixture
def clip() -> Clip:
    return open_clip(MemorySource(make_video(frames=13, size=(640, 360))), DecodeLimits(100, 1 << 20, 1))


@pytest.mark.parametrize("finds", [True, False])
def test_rules_see_the_ball_of_the_closer_look_and_keep_no_looks(
    clip: Clip, finds: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, settings, told = SoccerActionKind(), load_settings(), []
    monkeypatch.setattr(
        "services.challenges.soccer_action.pitch_positions", lambda seen, *_: told.extend(seen) or []
    )
    monkeypatch.setattr("services.challenges.soccer_action.actions", lambda *_: [])
    plan, box = kind.plan(clip, settings)
    assert plan.second_ball_pass
    predictor = kind.predictor(Eyes(finds))  # type: ignore[arg-type]
    assembly = kind.assemble(CHALLENGE, clip, plan, settings, predictor)
    assembly.add(predictor.predict(list(clip.frames(plan, box)), box))
    assembly.fill()
    assert [number for number, _ in told] == [0, 6, 12]
    if finds:
        assert not any(result.luma_pictures for _, result in told), "a long clip's looks are gigabytes"
    assert [len(result.detections.boxes) for _, result in told] == [int(finds)] * 3


def test_what_is_plugged_in_brings_no_looks(clip: Clip) -> None:
    settings = load_settings(served_kinds=("soccer_action",), predictor=("soccer_action=spotter",))
    assert not SoccerActionKind().plan(clip, settings)[0].second_ball_pass
