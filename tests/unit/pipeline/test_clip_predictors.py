"""Kinds of the private track from the frames of a challenge to the bytes of an answer, with pictures."""

from __future__ import annotations

import base64
import time
from collections.abc import Sequence
from typing import Any

import cv2
import pytest

from services.challenges.clip_answers import ClipFacts
from services.challenges.kinds import serve
from services.download.pool import ConnectionPool
from services.errors import (
    BrokenPlugin,
    ChallengeError,
    InferenceError,
    InvalidChallenge,
    TooLarge,
    UnsupportedKind,
    UnsupportedVideo,
)
from services.pipeline.runner import ProcessState, run_challenge
from services.pipeline.warm import warm
from services.settings import load_settings
from services.timeline import Timeline
from services.video.letterbox import Frame, Letterbox
from services.wire.challenge import Challenge, ChallengeFrame
from services.wire.private_track import (
    Action,
    CricketDelivery,
    CricketPrediction,
    SoccerPrediction,
    decode_response,
)
from services.wire.reply import Answer
from tests.support.videos import numbered_picture, read_number


class Reader:
    """Reads the number that a picture shows; concludes whatever it was told to."""

    device = "cpu"
    slots = 2

    def __init__(self, conclusion: Any) -> None:
        self.conclusion = conclusion
        self.seen: list[tuple[int, int]] = []
        self.facts: ClipFacts | None = None

    def predict(self, frames: Sequence[Frame], letterbox: Letterbox) -> list[int]:
        return [read_number(frame.image) for frame in frames]

    def conclude(self, seen: Sequence[tuple[int, int]], clip: ClipFacts) -> Any:
        self.seen, self.facts = list(seen), clip
        return self.conclusion

    def warm(self, settings: object) -> None: ...

    def touch(self, settings: object) -> None: ...


class Blind:
    device = "cpu"
    slots = 1

    def predict(self, frames: Sequence[Frame], letterbox: Letterbox) -> list[None]:
        return [None] * len(frames)


def picture(number: int, size: tuple[int, int] = (320, 192)) -> str:
    image = cv2.cvtColor(numbered_picture(number, *size), cv2.COLOR_RGB2BGR)
    return base64.b64encode(bytes(cv2.imencode(".png", image)[1])).decode()


def answer(kind: str, predictor: Any, frames: Sequence[ChallengeFrame], **settings: Any) -> Answer:
    made = load_settings(served_kinds=(kind,), img_size=320, origins=(), **settings)
    pool = ConnectionPool(made)
    now = time.time()
    challenge = Challenge(
        challenge_id="7", kind=kind, frames=tuple(frames), deadline=now + 60, submitted_at=now
    )
    try:
        kinds = serve(made, lambda name, _: predictor)
        return run_challenge(challenge, ProcessState(pool, kinds, made), Timeline())
    finally:
        pool.close()


FRAMES = [ChallengeFrame(number, data=picture(number)) for number in (40, 10, 30, 20)]


def test_actions_from_pictures_carry_the_numbers_of_the_pictures() -> None:
    said = [Action(30, "shot", 0.5), Action(10, "pass")]
    reader = Reader(said)
    given = decode_response(answer("soccer_action", reader, FRAMES).body)
    assert given.challenge_id == "7"
    assert given.prediction == SoccerPrediction([said[1], said[0]])
    assert reader.seen == [(10, 10), (20, 20), (30, 30), (40, 40)]
    assert reader.facts == ClipFacts(320, 192, 4, 1, 25)


def test_a_delivery_from_pictures() -> None:
    said = CricketDelivery(kph=128.0)
    given = decode_response(answer("cricket_delivery", Reader(said), FRAMES).body)
    assert given.prediction == CricketPrediction(said)


def test_data_urls_are_read() -> None:
    reader = Reader([])
    frame = ChallengeFrame(3, data="data:image/png;base64," + picture(77))
    answer("soccer_action", reader, [frame])
    assert reader.seen == [(3, 77)]


@pytest.mark.parametrize(
    ("kind", "conclusion"),
    [
        ("soccer_action", [("pass", 3)]),
        ("soccer_action", [Action(3, "kick")]),
        ("soccer_action", None),
        ("cricket_delivery", {"kph": 128.0}),
        ("cricket_delivery", CricketDelivery(kph=float("inf"))),
    ],
)
def test_a_conclusion_that_is_no_answer_is_an_error(kind: str, conclusion: Any) -> None:
    with pytest.raises(InferenceError, match=f"no answer to '{kind}'"):
        answer(kind, Reader(conclusion), FRAMES[:1])


@pytest.mark.parametrize(
    ("frames", "error", "says"),
    [
        ([ChallengeFrame(5, data="no base64!")], InvalidChallenge, "frame 5 is not base64"),
        ([ChallengeFrame(5, data=base64.b64encode(b"<html>").decode())], UnsupportedVideo, "JPEG"),
        ([ChallengeFrame(i, data=picture(1, (64 + 16 * i, 64))) for i in (0, 1)], UnsupportedVideo, "64x64"),
        ([ChallengeFrame(5, url="ftp://x/y.png")], ChallengeError, "ftp"),
    ],
)
def test_bad_pictures_are_typed_errors(
    frames: list[ChallengeFrame], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        answer("soccer_action", Reader([]), frames)


def test_limits_hold_for_pictures() -> None:
    with pytest.raises(TooLarge, match="4 frames; MAX_FRAMES allows 3"):
        answer("soccer_action", Reader([]), FRAMES, max_frames=3)
    with pytest.raises(TooLarge, match="MAX_VIDEO_MB"):
        answer("soccer_action", Reader([]), FRAMES, max_video_mb=0.0001)
    with pytest.raises(TooLarge, match="MAX_PIXELS"):
        answer("soccer_action", Reader([]), FRAMES, max_pixels=64 * 64)


def test_without_a_predictor_cricket_says_how_to_plug_one_in() -> None:
    with pytest.raises(BrokenPlugin, match=r"touchline\.predictors.*PREDICTOR=cricket_delivery=its-name"):
        answer("cricket_delivery", Blind(), FRAMES)


def test_an_unserved_kind_is_refused_before_anything_is_fetched() -> None:
    settings = load_settings(served_kinds=("soccer_action",))
    pool = ConnectionPool(settings)
    state = ProcessState(pool, serve(settings, lambda name, _: Reader([])), settings)
    now = time.time()
    challenge = Challenge(challenge_id="7", video_url="ftp://x", deadline=now + 9, submitted_at=now)
    timeline = Timeline()
    with pytest.raises(UnsupportedKind, match="served: soccer_action"):
        run_challenge(challenge, state, timeline)
    assert set(timeline.to_dict()["stages"]) == {"queue"}
    pool.close()


def test_a_whole_clip_warms_it() -> None:
    settings = load_settings(served_kinds=("soccer_action",), frame_stride=4)
    reader = Reader([])
    warm(serve(settings, lambda name, _: reader), settings)
    assert [number for number, _ in reader.seen] == [0, 4, 8, 12, 16, 20, 24, 28, 29]
    assert reader.facts == ClipFacts(1280, 720, 30, 4)
