"""The gateway over real HTTP: official requests in, the worker's own bytes out, everything else refused."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import httpx
import pytest
import redis
from typer.testing import CliRunner

from services.cli.main import app
from services.processes.embedded_valkey import EmbeddedValkey
from services.settings import get_settings
from services.wire import private_track
from services.wire.gsr import decode_response
from services.wire.tv_predict import decode_output
from tasks.client import submit
from tasks.queue_message import check_message
from tests.support.capacity import announce_worker
from tests.support.gateways import CLIP, body_of, queued, running
from tests.support.processes import wait_for
from tests.support.servers import warm_worker, worker_env
from tests.support.videos import make_video, numbered_picture
from touchline_lab.demo_origin.server import DemoOrigin

pytestmark = pytest.mark.integration
KINDS = ("gsr", "tv_predict", "soccer_action")


@pytest.fixture
def alone(valkey: EmbeddedValkey) -> Iterator[httpx.Client]:
    """A gateway that answers anybody, with nobody behind it: what it enqueues stays."""
    with running(valkey.url, verify_enabled=False, max_body_mb=0.1, served_kinds=KINDS) as client:
        yield client


@pytest.fixture(scope="module")
def all_kinds(
    origin: DemoOrigin, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[httpx.Client, str]]:
    """A gateway in front of a worker that serves all three tracks, and their Redis."""
    env = worker_env(origin, tmp_path_factory.mktemp("state")) | {
        "SERVED_KINDS": ",".join(KINDS),
        "STALL_TIMEOUT_S": "60",
    }
    with (
        EmbeddedValkey() as server,
        warm_worker(server.url, env, "all-kinds"),
        running(server.url, verify_enabled=False, served_kinds=KINDS) as client,
    ):
        yield client, server.url


@pytest.fixture(scope="module")
def short_clip(origin: DemoOrigin, origin_folder: Path) -> str:
    (origin_folder / "short.mp4").write_bytes(make_video(frames=30, size=(640, 360)))
    return origin.url("short.mp4")


# -- answers ------------------------------------------------------------------------------------------------


def test_the_answer_is_the_workers_own_bytes(all_kinds: tuple[httpx.Client, str], clip_url: str) -> None:
    client, redis_url = all_kinds
    given = client.post("/soccer/challenge", content=body_of(clip_url, "gateway-bytes"))
    assert given.status_code == 200, given.text
    assert given.headers["content-type"] == "application/json"
    answer = decode_response(given.content)
    assert answer.challenge_id == "gateway-bytes"
    assert len(answer.frames) == 100
    # the same challenge submitted again gets the stored answer: the very same bytes
    again = submit(clip_url, challenge_id="gateway-bytes", redis_url=redis_url).wait()
    assert again.body == given.content
    assert 0 < answer.processing_time <= again.timeline["total"]


def picture() -> bytes:
    done, data = cv2.imencode(".jpg", numbered_picture(1, 640, 360))
    assert done
    return data.tobytes()


def test_the_private_track_is_answered_with_each_of_its_sources(
    all_kinds: tuple[httpx.Client, str], short_clip: str, origin: DemoOrigin, origin_folder: Path
) -> None:
    client, _ = all_kinds
    (origin_folder / "picture.jpg").write_bytes(picture())
    link = origin.url("picture.jpg")
    data = base64.b64encode(picture()).decode()
    for name, source in {
        "video": {"video_url": short_clip, "frames": None},
        "picture": {"image_url": link, "video_url": None, "frames": None},
        "addresses": {"frames": [{"frame_id": 0, "url": link}, {"frame_id": 9, "url": link}]},
        "pictures": {"frames": [{"frame_id": 3, "data": data, "url": None}]},
    }.items():
        given = client.post("/challenge", json={"challenge_id": name, **source})
        assert given.status_code == 200, (name, given.text)
        answer = private_track.decode_response(given.content)
        assert answer.challenge_id == name
        assert isinstance(answer.prediction, private_track.SoccerPrediction)


def test_the_open_source_track_is_answered(all_kinds: tuple[httpx.Client, str], short_clip: str) -> None:
    client, _ = all_kinds
    given = client.post("/predict", json={"url": short_clip, "meta": {"batch_size": 8, "n_keypoints": 32}})
    assert given.status_code == 200, given.text
    answer = decode_output(given.content)
    assert answer.success
    assert [frame.frame_id for frame in (answer.predictions or {})["frames"]] == list(range(30))


def test_the_open_source_track_fails_in_its_own_format(
    all_kinds: tuple[httpx.Client, str], origin: DemoOrigin, valkey: EmbeddedValkey
) -> None:
    client, _ = all_kinds
    given = client.post("/predict", json={"url": origin.url("missing.mp4")})
    answer = decode_output(given.content)
    assert (given.status_code, answer.success) == (200, False)
    assert "404" in (answer.error or "")
    with running(
        valkey.url,
        verify_enabled=False,
        served_kinds=KINDS,
        gateway_deadline_s=1.2,
    ) as nobody_works:
        late = nobody_works.post("/predict", json={"url": CLIP})
    assert (late.status_code, decode_output(late.content).success) == (200, False)


def test_the_deadline_counts_from_the_arrival_of_the_request(
    alone: httpx.Client, valkey: EmbeddedValkey
) -> None:
    body = body_of()
    head = b"POST /soccer/challenge HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
    with socket.create_connection((alone.base_url.host, alone.base_url.port or 80)) as slow:
        began = time.time()
        slow.sendall(head + body[:1])
        time.sleep(2.0)
        slow.sendall(body[1:])
        assert wait_for(lambda: bool(queued(valkey.url)))
        enqueued = time.time()
        (message,) = queued(valkey.url)
        deadline = check_message(message).deadline
    assert began + 28.9 <= deadline <= enqueued - 2.0 + 29.1


# -- what is refused ----------------------------------------------------------------------------------------

DEEP = b'{"challenge_id": "7", "created_at": ' + b"[" * 20_000 + b"]" * 20_000 + b"}"
REFUSED = {
    "no JSON": (b"{", 422),
    "no object": (b"[1]", 422),
    "a number as id": (b'{"challenge_id": 7, "type": "gsr", "video_url": "https://127.0.0.1/a.mp4"}', 422),
    "no address": (b'{"challenge_id": "7", "type": "gsr"}', 422),
    "an address that is not allowed": (
        b'{"challenge_id": "7", "type": "gsr", "video_url": "https://elsewhere.example/a.mp4"}',
        422,
    ),
    "a file": (b'{"challenge_id": "7", "type": "gsr", "video_url": "file:///etc/passwd"}', 422),
    "too large": (b" " * 200_000, 413),
    "an empty id": (b'{"challenge_id": "", "type": "gsr", "video_url": "https://127.0.0.1/a.mp4"}', 422),
    "broken UTF-8": (b'{"challenge_id": "\xff", "type": "gsr", "video_url": "https://127.0.0.1/a.mp4"}', 422),
    "nested too deeply": (DEEP, 422),
}


@pytest.mark.parametrize(("body", "status"), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("route", ["/soccer/challenge", "/challenge", "/predict"])
def test_an_invalid_request_is_refused_with_a_reason_and_not_enqueued(
    alone: httpx.Client, valkey: EmbeddedValkey, route: str, body: bytes, status: int
) -> None:
    given = alone.post(route, content=body)
    assert given.status_code == status, given.text
    assert set(given.json()) == {"error", "detail"}
    assert not queued(valkey.url)


def test_another_kind_than_that_of_the_route_is_refused(alone: httpx.Client, valkey: EmbeddedValkey) -> None:
    body = json.dumps({"challenge_id": "7", "type": "tcg", "video_url": CLIP}).encode()
    given = alone.post("/soccer/challenge", content=body)
    assert (given.status_code, given.json()["error"]) == (422, "InvalidChallenge")
    with running(valkey.url, verify_enabled=False, served_kinds=("gsr",)) as only_gsr:
        given = only_gsr.post("/challenge", json={"challenge_id": "7", "video_url": CLIP})
    assert (given.status_code, given.json()["error"]) == (422, "UnsupportedKind")
    assert not queued(valkey.url)


def test_a_huge_body_without_a_stated_length_is_given_up(alone: httpx.Client, valkey: EmbeddedValkey) -> None:
    given = alone.post("/soccer/challenge", content=(b" " * 1000 for _ in range(300)))
    assert (given.status_code, given.json()["error"]) == (413, "body")
    assert not queued(valkey.url)


def test_a_body_that_drips_is_given_up(valkey: EmbeddedValkey) -> None:
    with running(valkey.url, verify_enabled=False, body_timeout_s=0.3) as client:
        with socket.create_connection((client.base_url.host, client.base_url.port or 80)) as slow:
            slow.settimeout(20)
            slow.sendall(b"POST /soccer/challenge HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
            assert b" 408 " in slow.recv(1000)
        assert client.get("/healthz").status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nowhere", 404), ("GET", "/challenge", 405), ("PUT", "/docs", 405)],
)
def test_a_path_or_method_that_there_is_not_is_refused_in_json(
    alone: httpx.Client, method: str, path: str, status: int
) -> None:
    given = alone.request(method, path)
    assert given.status_code == status
    assert set(given.json()) == {"error", "detail"}


def test_an_answer_that_could_not_come_in_time_is_refused_at_once(
    alone: httpx.Client, valkey: EmbeddedValkey
) -> None:
    announce_worker(valkey.url, children=2, busy=2, seconds=5.0)
    with redis.Redis.from_url(valkey.url) as connection:
        connection.lpush("touchline", *["waiting"] * 12)
    assert alone.get("/availability").json() == {"available": False}
    given = alone.post("/soccer/challenge", content=body_of())
    assert (given.status_code, given.json()["error"]) == (503, "QueueFull")
    assert "12 challenges wait for 2 processes" in given.json()["detail"]
    assert len(queued(valkey.url)) == 12


# -- what operators ask -------------------------------------------------------------------------------------


def test_without_a_warm_worker_the_docs_are_not_there_and_nothing_is_available(alone: httpx.Client) -> None:
    assert alone.get("/docs").status_code == 503
    assert alone.get("/availability").json() == {"available": False}
    assert alone.get("/readyz").status_code == 503
    assert alone.get("/healthz").json() == {"status": "ok"}


def test_with_a_warm_worker_everything_is_there(all_kinds: tuple[httpx.Client, str]) -> None:
    with running(all_kinds[1], verify_enabled=False) as client:
        assert client.get("/docs").status_code == 200
        assert client.get("/availability").json() == {"available": True}
        assert client.get("/readyz").json()["warm_workers"] == 1
        client.post("/soccer/challenge", content=b"{")
        metrics = client.get("/metrics").text
    assert 'touchline_gateway_requests_total{route="/soccer/challenge",status="422"} 1.0' in metrics
    assert "touchline_gateway_warm_workers 1.0" in metrics


def test_a_redis_that_comes_back_is_noticed() -> None:
    with EmbeddedValkey() as server, running(server.url, verify_enabled=False) as client:
        announce_worker(server.url)
        assert client.get("/docs").status_code == 200
        server.close()
        assert wait_for(lambda: client.get("/docs").status_code == 503)
        away = client.get("/readyz")
        assert (away.status_code, away.json()["redis"]) == (503, False)
        assert client.get("/availability").json() == {"available": False}
        refused = client.post("/soccer/challenge", content=body_of())
        assert (refused.status_code, refused.json()["error"]) == (503, "QueueUnavailable")
        server.restart()
        announce_worker(server.url)
        assert wait_for(lambda: client.get("/docs").status_code == 200)


def test_two_hundred_requests_wait_without_a_thread_each(valkey: EmbeddedValkey) -> None:
    with running(valkey.url, verify_enabled=False, gateway_deadline_s=20.0, max_queue=1000) as client:
        before = threading.active_count()

        async def ask() -> tuple[list[int], int]:
            limits = httpx.Limits(max_connections=210)
            async with httpx.AsyncClient(
                base_url=client.base_url, timeout=60, limits=limits, trust_env=False
            ) as many:

                async def one(number: int) -> int:
                    body = body_of(CLIP, f"many-{number}")
                    return (await many.post("/soccer/challenge", content=body)).status_code

                waiting = [asyncio.create_task(one(number)) for number in range(200)]
                while (await many.get("/readyz")).json()["waiting_requests"] < 200:
                    await asyncio.sleep(0.05)
                threads = threading.active_count() - before
                # none is left of MAX_REQUESTS
                assert await one(200) == 429
                return await asyncio.gather(*waiting), threads

        statuses, threads = asyncio.run(ask())
    # 503 where the last look for a reply had no turn
    assert set(statuses) <= {503, 504}
    assert threads <= 1, "that of the test's own client"


@pytest.mark.usefixtures("forgotten_connections")
def test_a_client_that_goes_away_ends_the_work(all_kinds: tuple[httpx.Client, str], clip_url: str) -> None:
    client, redis_url = all_kinds
    # the origin falls silent in the middle of the clip
    body = body_of(f"{clip_url}?stall_after=200000", "gone")
    with redis.Redis.from_url(redis_url) as connection:
        with pytest.raises(httpx.ReadTimeout):
            client.post("/soccer/challenge", content=body, timeout=1.5)
        # half a second where nothing else runs; without the cancellation it goes on until its deadline
        assert wait_for(lambda: not connection.exists("touchline:claim:gone"), 15)


def test_a_recorded_challenge_is_replayed(
    all_kinds: tuple[httpx.Client, str], clip_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(all_kinds[1], verify_enabled=False, record_dir=str(tmp_path)) as client:
        assert client.post("/soccer/challenge", content=body_of(clip_url, "recorded")).status_code == 200
    monkeypatch.setenv("REDIS_URL", all_kinds[1])
    get_settings.cache_clear()
    done = CliRunner().invoke(app, ["replay", str(tmp_path), "--json"])
    get_settings.cache_clear()
    assert done.exit_code == 0, done.output
    (found,) = json.loads(done.output)["challenges"]
    assert (found["challenge_id"], found["kind"], found["same"]) == ("recorded", "gsr", True)
