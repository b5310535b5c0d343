from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from services.challenges.tv_predict import TvPredictKind
from services.frame_plan import FramePlan
from services.results import Detections, FrameResult
from services.settings import load_settings
from services.video.clip import DecodeStats
from services.video.picture_clip import READER
from services.wire.challenge import Challenge, ChallengeFrame
from services.wire.tv_predict import TvFrame, decode_output


class Shape:
    """A clip of which only the shape is asked for."""

    width, height = 1280, 720
    index = None

    def __init__(self, count: int, reader: str) -> None:
        self.count, self.reader, self.stats = count, reader, DecodeStats(count=count)

    def frames(self, plan: FramePlan, box: object) -> None:
        raise AssertionError("nothing is decoded here")


def walking(index: int, score: float = 0.9) -> FrameResult:
    """A player who walks four pixels a frame to the right."""
    x = 100.0 + 4 * index
    box = np.array([[x, 300, x + 40, 400]], np.float32)
    return FrameResult(index, Detections(box, np.array([score], np.float32), np.array([2])), None)


def answer(
    results: Sequence[FrameResult], count: int, numbers: Sequence[int] = (), stride: int = 1
) -> list[TvFrame]:
    frames = tuple(ChallengeFrame(number, data="x") for number in numbers)
    challenge = Challenge(
        challenge_id="1",
        kind="tv_predict",
        frames=frames,
        video_url="" if frames else "https://x",
        deadline=0,
        submitted_at=0,
    )
    clip = Shape(count, READER if frames else "index")
    settings = load_settings(frame_stride=stride)
    kind = TvPredictKind()
    plan, _ = kind.plan(clip, settings)  # type: ignore[arg-type]
    assembly = kind.assemble(challenge, clip, plan, settings, None)  # type: ignore[arg-type]
    assembly.add(results)
    assembly.fill()
    predictions = decode_output(assembly.encode(0.5)).predictions
    assert predictions is not None
    return predictions["frames"]


def test_every_frame_of_a_video_is_answered_in_whole_pixels() -> None:
    samples = [walking(0, 0.9), walking(10, 0.5), walking(20, 0.9)]
    frames = answer(samples, 21, stride=10)
    assert [frame.frame_id for frame in frames] == list(range(21))
    assert {len(frame.keypoints) for frame in frames} == {32}
    for frame in frames:
        (box,) = frame.boxes
        assert box.x1 == pytest.approx(100 + 4 * frame.frame_id, abs=2)
        assert (box.y2 - box.y1, box.cls_id) == (100, 2)
    assert [frames[i].boxes[0].conf for i in (0, 5, 10, 20)] == pytest.approx([0.9, 0.7, 0.5, 0.9], abs=1e-3)


def test_pictures_in_a_row_are_filled_and_a_damaged_one_too() -> None:
    frames = answer([walking(0), walking(1), walking(3)], 4, numbers=[7, 8, 9, 10])
    assert [frame.frame_id for frame in frames] == [7, 8, 9, 10]
    assert [len(frame.boxes) for frame in frames] == [1, 1, 1, 1]


def test_pictures_apart_are_answered_by_themselves() -> None:
    frames = answer([walking(0, 0.4), walking(2, 0.9)], 3, numbers=[7, 30, 90])
    assert [frame.frame_id for frame in frames] == [7, 30, 90]
    assert [[box.conf for box in frame.boxes] for frame in frames] == [
        [pytest.approx(0.4)],
        [],
        [pytest.approx(0.9)],
    ]
    assert [len(frame.keypoints) for frame in frames] == [32, 32, 32]
