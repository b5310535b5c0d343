"""From submit() to the checked answer: real worker, Valkey, TLS + HTTP/2 origin and models."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis

from services.errors import (
    ChallengeError,
    ConnectFailed,
    CorruptVideo,
    DeadlineExceeded,
    InvalidChallenge,
    SourceRejected,
    StreamStalled,
    UnsupportedVideo,
    UrlRefused,
    WorkerLost,
)
from services.processes.embedded_valkey import EmbeddedValkey
from services.wire.gsr import decode_response, frames_part
from services.wire.reply import Answer
from tasks.client import submit
from tasks.worker_process import WorkerProcess
from tests.support.servers import WORKER_START_S, MakeWorker
from touchline_lab.demo_origin.server import DemoOrigin
from touchline_lab.evaluation.scoring import score_answer
from touchline_lab.renderer.clip_store import StoredClip

pytestmark = pytest.mark.e2e
DEADLINE_S = 100.0
TRADING_CARDS = {
    "challenge_id": "cards",
    "kind": "tcg_grading",
    "image_url": "https://x/y.png",
    "deadline": 4e9,
    "submitted_at": 0.0,
}


def ask(worker: WorkerProcess, url: str, deadline_s: float = DEADLINE_S, **kwargs: Any) -> Answer:
    return submit(url, redis_url=worker.redis_url, deadline_s=deadline_s, **kwargs).wait()


def test_every_frame_is_answered_to_the_schema_and_like_the_truth(
    worker: WorkerProcess, clip_url: str, clip_4s: StoredClip
) -> None:
    answer = ask(worker, clip_url, challenge_id="e2e-1")
    response = decode_response(answer.body)
    assert response.challenge_id == answer.challenge_id == "e2e-1"
    assert [frame.frame_number for frame in response.frames] == list(range(100))
    assert {len(frame.keypoints) for frame in response.frames} == {32}
    assert not answer.partial
    score = score_answer(msgspec.json.decode(answer.body)["frames"], clip_4s.truth)
    assert score.keypoints.median_error < 15
    assert score.located > 0.9
    for name in ("player", "goalkeeper", "referee"):
        box = score.objects[name]
        if box.expected:
            assert box.recall > 0.6, name


def test_stages_and_facts_are_reported(worker: WorkerProcess, clip_url: str) -> None:
    answer = ask(worker, clip_url)
    stages, facts = answer.timeline["stages"], answer.timeline["facts"]
    expected = {"queue", "connect", "first_byte", "download", "index", "first_frame", "decode", "inference"}
    assert expected | {"fill", "encode"} <= set(stages)
    assert facts["protocol"] == "HTTP/2"
    assert (facts["frames"], facts["reader"], facts["damaged_packets"]) == (100, "index", 0)


def test_the_same_clip_gives_the_same_bytes_on_every_path(
    worker: WorkerProcess,
    clip_url: str,
    origin: DemoOrigin,
    origin_folder: Path,
    clip_4s_faststart: StoredClip,
) -> None:
    (origin_folder / "front.mp4").write_bytes(clip_4s_faststart.path.read_bytes())
    reference = frames_part(ask(worker, clip_url).body)
    urls = {
        "again, warm": clip_url,
        "index first": origin.url("front.mp4"),
        "no ranges": origin.url("clip_4s.mp4", no_range=1),
        "no length": origin.url("clip_4s.mp4", no_length=1),
        "slow": origin.url("clip_4s.mp4", rate=600_000),
        "broken off and resumed": origin.url("clip_4s.mp4", reset_after=600_000),
        "new connection": clip_url,
    }
    for name, url in urls.items():
        if name == "new connection":
            origin.drop_connections()
        assert frames_part(ask(worker, url).body) == reference, name


def test_a_warm_challenge_opens_no_connection(
    worker: WorkerProcess, clip_url: str, origin: DemoOrigin
) -> None:
    ask(worker, clip_url)
    before = origin.stats().handshakes
    answer = ask(worker, clip_url)
    assert origin.stats().handshakes == before
    assert answer.timeline["facts"]["new_connection"] is False


def bad_file(folder: Path, name: str, data: bytes) -> str:
    (folder / name).write_bytes(data)
    return name


def test_every_bad_input_has_its_own_error_and_the_worker_goes_on(
    worker: WorkerProcess,
    clip_url: str,
    origin: DemoOrigin,
    origin_folder: Path,
    clip_4s_faststart: StoredClip,
) -> None:
    whole = clip_4s_faststart.path.read_bytes()
    cases: dict[str, tuple[str, type[ChallengeError]]] = {
        "nobody there": ("https://127.0.0.1:9/x.mp4", ConnectFailed),
        "no such name": ("https://nowhere.invalid/x.mp4", ConnectFailed),
        "not found": (origin.url("missing.mp4"), SourceRejected),
        "forbidden": (origin.url("clip_4s.mp4", status=403), SourceRejected),
        "refused scheme": ("ftp://127.0.0.1/x.mp4", UrlRefused),
        "a page": (origin.url(bad_file(origin_folder, "page.mp4", b"<html>" * 99)), UnsupportedVideo),
        "nothing": (origin.url(bad_file(origin_folder, "empty.mp4", b"")), UnsupportedVideo),
        "truncated": (origin.url(bad_file(origin_folder, "cut.mp4", whole[: len(whole) // 2])), CorruptVideo),
        "silent before the first frame": (origin.url("clip_4s.mp4", stall_after=20_000), StreamStalled),
    }
    for name, (url, error) in cases.items():
        with pytest.raises(error) as caught:
            ask(worker, url)
        assert type(caught.value) is error, name
        assert "total" in caught.value.timeline, name
    assert not ask(worker, clip_url).partial


def test_messages_that_are_no_challenge_are_answered_with_an_error(
    worker: WorkerProcess, clip_url: str
) -> None:
    from services.settings import load_settings
    from services.wire.reply import reply_key, unpack_reply
    from tasks.celery_app import make_app
    from tasks.queue_message import TASK_NAME

    settings = load_settings(redis_url=worker.redis_url)
    with redis.Redis.from_url(worker.redis_url) as connection, make_app(settings) as app:
        for number, message in enumerate(
            ({"challenge_id": 5}, {}, {"kind": "chess"}, [], None, TRADING_CARDS)
        ):
            token = f"bad-{number}"
            app.send_task(TASK_NAME, args=[message, token], ignore_result=True)
            found = connection.blpop([reply_key(token)], timeout=60)
            assert found is not None
            with pytest.raises(InvalidChallenge):
                unpack_reply(found[1])
    assert not ask(worker, clip_url).partial


def test_a_challenge_is_computed_once_and_a_failed_one_anew(
    worker: WorkerProcess, clip_url: str, origin: DemoOrigin
) -> None:
    first = ask(worker, clip_url, challenge_id="once")
    again = ask(worker, clip_url, challenge_id="once")
    assert (again.body, again.partial) == (first.body, first.partial)
    with pytest.raises(SourceRejected):
        ask(worker, origin.url("missing.mp4"), challenge_id="failed first")
    assert not ask(worker, clip_url, challenge_id="failed first").partial


def test_deadline_that_passed_in_the_queue(valkey: EmbeddedValkey, clip_url: str) -> None:
    started = time.monotonic()
    with pytest.raises(DeadlineExceeded, match="worker running"):
        submit(clip_url, redis_url=valkey.url, deadline_s=0.5).wait()
    assert time.monotonic() - started < 10


def test_a_deadline_that_is_too_near_ends_in_an_error_or_a_partial_answer(
    worker: WorkerProcess, origin: DemoOrigin, clip_url: str
) -> None:
    slow = origin.url("clip_4s.mp4", rate=150_000)
    try:
        answer = ask(worker, slow, deadline_s=3.0)
    except DeadlineExceeded:
        pass
    else:
        assert answer.partial
        assert len(decode_response(answer.body).frames) == 100
    assert not ask(worker, clip_url).partial


def test_awaiting_from_a_front_end(worker: WorkerProcess, clip_url: str) -> None:
    async def all_three() -> list[Answer]:
        async def one() -> Answer:
            return await submit(clip_url, redis_url=worker.redis_url, deadline_s=60)

        return list(await asyncio.gather(one(), one(), one()))

    answers = asyncio.run(all_three())
    assert len({answer.challenge_id for answer in answers}) == 3
    assert len({frames_part(answer.body) for answer in answers}) == 1


@pytest.mark.timeout(900)
def test_a_killed_child_costs_one_more_try_and_a_second_kill_is_told(
    make_worker: MakeWorker, clip_url: str, origin: DemoOrigin, tmp_path: Path
) -> None:
    worker = make_worker()
    state = tmp_path / "state-touchline-own"

    def kill_when_busy(times: int) -> threading.Thread:
        def run() -> None:
            killed = 0
            while killed < times:
                for path in state.glob("child-*"):
                    # one that has ended loses its file meanwhile
                    with suppress(FileNotFoundError, ProcessLookupError):
                        if path.read_text().startswith("busy"):
                            os.kill(int(path.name.removeprefix("child-")), signal.SIGKILL)
                            path.unlink(missing_ok=True)
                            killed += 1
                time.sleep(0.01)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return thread

    slow = origin.url("clip_4s.mp4", rate=400_000)
    killer = kill_when_busy(1)
    assert not ask(worker, slow, deadline_s=200).partial
    killer.join(10)
    killer = kill_when_busy(2)
    with pytest.raises(WorkerLost):
        ask(worker, slow, deadline_s=200)
    killer.join(10)
    assert not ask(worker, clip_url, deadline_s=200).partial


def test_missing_model_stops_the_start_with_the_reason(make_worker: MakeWorker) -> None:
    from services.errors import StartFailed

    worker = make_worker(ready=False, DETECTOR_MODEL="/no/such/model.pt")
    with pytest.raises(StartFailed, match=r"DETECTOR_MODEL='/no/such/model.pt'"):
        worker.wait_until_ready(WORKER_START_S)


def test_a_plan_that_the_deadline_cannot_hold_is_made_coarser_beforehand(
    make_worker: MakeWorker, clip_url: str
) -> None:
    # 18 frames at stride 6 would take 36 s, 10 at stride 12 take 20 s, 6 at stride 24 take 12 s
    worker = make_worker(INFERENCE_COST_MS="2000", DECODE_COST_MS="0.001")
    for deadline_s, name, stride, sampled in (
        (100, "stride 6", 6, 18),
        (40, "stride 12 (deadline)", 12, 10),
        (20, "stride 24 (deadline)", 24, 6),
    ):
        answer = ask(worker, clip_url, deadline_s=deadline_s)
        facts = answer.timeline["facts"]
        assert (facts["plan"], facts["stride"], facts["sampled"]) == (name, stride, sampled)
        assert len(decode_response(answer.body).frames) == 100
        assert not answer.partial


@pytest.mark.parametrize("profile", ["snap", "keyframes"])
def test_each_profile_answers_every_frame_and_is_named(
    make_worker: MakeWorker, clip_url: str, profile: str
) -> None:
    worker = make_worker(FRAME_PROFILE=profile)
    answer = ask(worker, clip_url)
    assert answer.timeline["facts"]["plan"].startswith(profile)
    assert len(decode_response(answer.body).frames) == 100
    assert frames_part(ask(worker, clip_url).body) == frames_part(answer.body)
