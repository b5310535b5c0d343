"""`tv_predict` with the bundled models: the same boxes as `gsr`, from a video and from pictures."""

from __future__ import annotations

import base64
import time

import av
import cv2
import pytest

from services.challenges.kinds import ServedKinds, serve
from services.download.pool import ConnectionPool
from services.pipeline.runner import ProcessState, run_challenge
from services.pipeline.warm import warm
from services.settings import Settings, load_settings
from services.timeline import Timeline
from services.video.clip import DecodeLimits
from services.video.decode import open_clip
from services.video.source import MemorySource
from services.wire.challenge import Challenge, ChallengeFrame
from services.wire.gsr import decode_response
from services.wire.tv_predict import TvFrame, decode_output
from touchline_lab.renderer.clip_store import StoredClip

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def settings() -> Settings:
    return load_settings(served_kinds=("gsr", "tv_predict", "soccer_action"), device="cpu", origins=())


@pytest.fixture(scope="module")
def kinds(settings: Settings) -> ServedKinds:
    return serve(settings)


def frames_of(body: bytes) -> list[TvFrame]:
    predictions = decode_output(body).predictions
    assert predictions is not None
    return predictions["frames"]


def test_a_video_is_answered_as_by_gsr(kinds: ServedKinds, settings: Settings, clip_4s: StoredClip) -> None:
    bodies = {}
    results = []
    for name in ("gsr", "tv_predict"):
        served = kinds.get(name)
        clip = open_clip(MemorySource(clip_4s.path.read_bytes()), DecodeLimits(1000, 1920 * 1080))
        plan, box = served.kind.plan(clip, settings)
        results = results or list(served.predictor.predict(list(clip.frames(plan, box)), box))
        challenge = Challenge(challenge_id="1", kind=name, video_url="https://x", deadline=0, submitted_at=0)
        assembly = served.kind.assemble(challenge, clip, plan, settings, served.predictor)
        assembly.add(results)
        assembly.fill()
        bodies[name] = assembly.encode(0.0)
    ours, theirs = decode_response(bodies["gsr"]).frames, frames_of(bodies["tv_predict"])
    assert [frame.frame_id for frame in theirs] == list(range(100))
    for one, other in zip(ours, theirs, strict=True):
        assert [box.cls_id for box in other.boxes] == [thing.class_id for thing in one.objects]
        assert all(0.3 < box.conf <= 1 for box in other.boxes)
        for box, thing in zip(other.boxes, one.objects, strict=True):
            assert (box.x1, box.y1, box.x2, box.y2) == pytest.approx(thing.bbox, abs=0.51)
        assert other.keypoints[5] == pytest.approx(one.keypoints[5], abs=0.51)
    assert sum(len(frame.boxes) for frame in theirs) > 500


def test_every_built_in_kind_is_warmed_with_the_bundled_models(
    kinds: ServedKinds, settings: Settings
) -> None:
    assert len(kinds.predictors) == 1
    assert warm(kinds, settings) > 0


def test_pictures_are_answered(kinds: ServedKinds, settings: Settings, clip_4s: StoredClip) -> None:
    with av.open(str(clip_4s.path)) as container:
        decoded = [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)][:60]
    chosen = {0: 3, 20: 31, 59: 90}
    frames = [
        ChallengeFrame(number, data=base64.b64encode(bytes(cv2.imencode(".jpg", decoded[i])[1])).decode())
        for i, number in chosen.items()
    ]
    now = time.time()
    challenge = Challenge(
        challenge_id="1", kind="tv_predict", frames=tuple(frames), deadline=now + 60, submitted_at=now
    )
    pool = ConnectionPool(settings)
    try:
        answer = run_challenge(challenge, ProcessState(pool, kinds, settings), Timeline())
    finally:
        pool.close()
    given = frames_of(answer.body)
    assert [frame.frame_id for frame in given] == [3, 31, 90]
    for frame, number in zip(given, chosen, strict=True):
        people = [box for box in clip_4s.truth.frames[number].boxes if box[0] != 0]
        assert len(frame.boxes) >= 0.6 * len(people)
        assert sum(point != (0, 0) for point in frame.keypoints) >= 4
