from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from services.challenges.gsr import encode
from services.challenges.gsr_kind import GsrKind
from services.results import Detections, FrameResult, LumaPicture
from services.sampling.plan_from_settings import plan_from_settings
from services.settings import load_settings
from services.tracking.interpolation.fill import FilledClip
from services.video.decode import DecodeLimits, open_clip
from services.video.source import MemorySource
from services.wire.challenge import Challenge
from services.wire.gsr import decode_response, frames_part
from tests.support.videos import make_video


def make_filled() -> FilledClip:
    keypoints = np.zeros((3, 32, 2))
    keypoints[1, 4] = 10.123456, 20.987
    return FilledClip(
        keypoints,
        np.array([0, 0, 2]),
        np.array([[1.005, 2, 3, 4], [5, 6, 7, 8.129], [9, 10, 11, 12]], np.float64),
        np.array([7, 8, 7]),
        np.array([2, 0, 2]),
        1,
        2,
    )


def test_schema_to_the_letter() -> None:
    answer = msgspec.json.decode(encode("c-1", make_filled(), 1.23456))
    assert list(answer) == ["challenge_id", "frames", "processing_time"]
    assert (answer["challenge_id"], answer["processing_time"]) == ("c-1", 1.235)
    assert isinstance(answer["frames"], list)
    assert [f["frame_number"] for f in answer["frames"]] == [0, 1, 2]
    for frame in answer["frames"]:
        assert sorted(frame) == ["frame_number", "keypoints", "objects"]
        assert len(frame["keypoints"]) == 32
    assert answer["frames"][1]["keypoints"][4] == [10.12, 20.99]
    assert answer["frames"][1]["keypoints"][0] == [0.0, 0.0]
    assert answer["frames"][1]["objects"] == []
    assert answer["frames"][0]["objects"][1] == {"id": 8, "bbox": [5.0, 6.0, 7.0, 8.13], "class_id": 0}
    assert answer["frames"][2]["objects"] == [{"id": 7, "bbox": [9.0, 10.0, 11.0, 12.0], "class_id": 2}]


def test_reads_back() -> None:
    response = decode_response(encode("c", make_filled(), 0.5))
    assert response.frames[0].objects[0].bbox == (1.0, 2.0, 3.0, 4.0)


def test_frames_part_depends_on_the_clip_alone() -> None:
    first, second = encode("a", make_filled(), 1.0), encode('b","frames":[]', make_filled(), 2.0)
    assert first != second
    assert frames_part(first) == frames_part(second)


def test_a_long_answer_is_the_same_as_if_encoded_at_once() -> None:
    rng = np.random.default_rng(0)
    count, boxes = 600, 2000
    filled = FilledClip(
        rng.random((count, 32, 2)) * 1000,
        np.sort(rng.integers(3, count - 3, boxes)),
        rng.random((boxes, 4)) * 1000,
        np.arange(boxes),
        rng.integers(0, 4, boxes),
        1,
        2,
    )
    body = encode('a","frames":[]', filled, 1.0)
    response = decode_response(body)
    assert msgspec.json.encode(response) == body
    assert [frame.frame_number for frame in response.frames] == list(range(count))
    found = [(frame.frame_number, thing.id) for frame in response.frames for thing in frame.objects]
    assert found == list(zip(filled.frame.tolist(), filled.ids.tolist(), strict=True))
    assert response.frames[-1].keypoints[31] == tuple(np.round(filled.keypoints[-1, 31], 2).tolist())


def test_looks_are_taken_where_somebody_looks_at_them() -> None:
    clip = open_clip(MemorySource(make_video(frames=12)), DecodeLimits(100, 1 << 20, 1))
    assert plan_from_settings(clip, load_settings(), "gsr")[0].second_ball_pass
    assert not plan_from_settings(clip, load_settings(ball_search="off"), "gsr")[0].second_ball_pass
    assert not plan_from_settings(clip, load_settings(predictor=("other",)), "gsr")[0].second_ball_pass, (
        "a plug-in has no ball network"
    )


CHALLENGE = Challenge(challenge_id="c", video_url="memory:", deadline=0.0, submitted_at=0.0)


class Finds:
    """A predictor with a ball network, which finds the ball where it is told."""

    def __init__(self, method: dict[int, float]) -> None:
        self.ball_network = self
        self._way = method

    def find(self, asks: Sequence[tuple[LumaPicture, Any]]) -> list[Any]:
        return [np.array([[*around(self._way[look.index]), 0.9]], np.float32) for look, _ in asks]


def around(x: float) -> list[float]:
    return [x - 6, 94, x + 6, 106]


def test_the_ball_goes_where_it_was_seen_between_the_samples() -> None:
    method = {0: 100.0, 2: 120.0, 4: 140.0, 6: 120.0, 8: 100.0, 10: 120.0, 12: 140.0}
    clip = open_clip(MemorySource(make_video(frames=13, size=(640, 360))), DecodeLimits(100, 1 << 20, 1))
    clip.stats.count = 13
    answers = []
    for second_ball_pass in (True, False):
        settings = load_settings()
        assembly = GsrKind().assemble(
            CHALLENGE, clip, plan_from_settings(clip, settings, "gsr")[0], settings, Finds(method)
        )
        for index in (0, 6, 12):
            luma = np.full((360, 640), 80, np.uint8)
            taken = tuple(LumaPicture(n, luma, 1.0) for n in range(max(0, index - 4), index + 1, 2))
            boxes = np.array([around(method[index])], np.float32)
            ball = Detections(boxes, np.ones(1, np.float32), np.zeros(1, np.int64))
            assembly.add([FrameResult(index, ball, None, luma_pictures=taken if second_ball_pass else ())])
        assembly.fill()
        frames = msgspec.json.decode(assembly.encode(0.0))["frames"]
        answers.append([sum(frame["objects"][0]["bbox"][::2]) / 2 for frame in frames])
    seen, guessed = answers
    assert [seen[n] for n in (2, 4, 8, 10)] == [120.0, 140.0, 100.0, 120.0]
    assert abs(guessed[4] - 140.0) > 12, "a turn between two samples, which only looks can tell"
