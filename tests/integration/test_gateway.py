"""The gateway over real HTTP: official requests in, the worker's own bytes out, everything else refused."""

from __future__ import annotations

import asyncio
import hashlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis
import uvicorn
from bittensor_wallet import Keypair
from typer.testing import CliRunner

from services.cli.main import app
from services.gateway.app import make_app
from services.processes.embedded_valkey import EmbeddedValkey
from services.settings import get_settings, load_settings
from services.wire.gsr import decode_response
from services.wire.tv_predict import decode_output
from tasks.client import submit
from tasks.worker_process import WorkerProcess
from tests.support.processes import wait_for
from touchline_lab.demo_origin.server import DemoOrigin

pytestmark = pytest.mark.integration
VALIDATOR = Keypair.create_from_uri("//Alice")
POOR = Keypair.create_from_uri("//Bob")
MINER = Keypair.create_from_uri("//Charlie").ss58_address


@contextmanager
def running(redis_url: str, workers: int = 1, **settings: Any) -> Iterator[httpx.Client]:
    """A gateway on a port of its own, and a client of it."""
    made = load_settings(
        redis_url=redis_url, allow_private_addresses=True, allowed_hosts=("127.0.0.1",), **settings
    )
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(256)
        app = make_app(made, lambda: workers)
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", ws="none"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            with httpx.Client(
                base_url=f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=60, trust_env=False
            ) as client:
                while client.get("/docs").status_code == 503 and workers:
                    time.sleep(0.02)
                yield client
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture(scope="module")
def gateway(worker: WorkerProcess) -> Iterator[httpx.Client]:
    """A gateway that answers anybody, in front of the shared worker."""
    with running(
        worker.redis_url,
        verify_enabled=False,
        max_body_mb=0.1,
        served_kinds=("gsr", "tv_predict", "soccer_action"),
    ) as client:
        yield client


@pytest.fixture
def metagraph(tmp_path: Path) -> Path:
    neurons = [
        {"hotkey": VALIDATOR.ss58_address, "stake": 5000, "validator_permit": True},
        {"hotkey": POOR.ss58_address, "stake": 5, "validator_permit": True},
    ]
    file = tmp_path / "metagraph.json"
    file.write_text(json.dumps({"block": 1, "neurons": neurons}))
    return file


@pytest.fixture
def guarded(valkey: EmbeddedValkey, metagraph: Path) -> Iterator[httpx.Client]:
    """A gateway that checks everything; nobody works behind it."""
    with running(
        valkey.url,
        workers=0,
        miner_hotkey=MINER,
        metagraph_file=str(metagraph),
        gateway_deadline_s=1.1,
        gateway_reserve_s=1.0,
    ) as client:
        yield client


def body_of(url: str, name: str = "gateway-1") -> bytes:
    return json.dumps({"challenge_id": name, "type": "gsr", "video_url": url, "created_at": None}).encode()


def headers_of(
    body: bytes, key: Keypair = VALIDATOR, nonce: str | None = None, miner: str = MINER
) -> dict[str, str]:
    nonce = nonce or str(time.time_ns())
    message = nonce + hashlib.blake2b(body, digest_size=32).hexdigest()
    return {
        "X-Validator-Hotkey": key.ss58_address,
        "X-Miner-Hotkey": miner,
        "X-Nonce": nonce,
        "X-Signature": "0x" + bytes(key.sign(message.encode())).hex(),
    }


def queued(url: str) -> int:
    with redis.Redis.from_url(url) as client:
        return int(client.llen("touchline"))


# -- answers ------------------------------------------------------------------------------------------------


def test_the_answer_is_the_workers_own_bytes(
    gateway: httpx.Client, worker: WorkerProcess, clip_url: str
) -> None:
    given = gateway.post("/soccer/challenge", content=body_of(clip_url, "gateway-bytes"))
    assert given.status_code == 200, given.text
    assert given.headers["content-type"] == "application/json"
    answer = decode_response(given.content)
    assert answer.challenge_id == "gateway-bytes"
    assert len(answer.frames) == 100
    # the same challenge submitted again gets the stored answer: the very same bytes
    again = submit(clip_url, challenge_id="gateway-bytes", redis_url=worker.redis_url).wait()
    assert again.body == given.content


def test_the_open_source_track_is_answered_and_fails_in_its_own_format(
    gateway: httpx.Client, origin: DemoOrigin
) -> None:
    given = gateway.post("/predict", json={"url": origin.url("missing.mp4"), "meta": {"batch_size": 8}})
    assert given.status_code in (200, 422, 502)
    if given.status_code == 200:
        assert not decode_output(given.content).success


# -- what is no request -------------------------------------------------------------------------------------

REFUSED = {
    "no JSON": (b"{", 422),
    "no object": (b"[1]", 422),
    "a number as id": (b'{"challenge_id": 7, "type": "gsr", "video_url": "https://127.0.0.1/a.mp4"}', 422),
    "another kind": (b'{"challenge_id": "7", "type": "tcg", "video_url": "https://127.0.0.1/a.mp4"}', 422),
    "no address": (b'{"challenge_id": "7", "type": "gsr"}', 422),
    "an address that is not allowed": (
        b'{"challenge_id": "7", "type": "gsr", "video_url": "https://elsewhere.example/a.mp4"}',
        422,
    ),
    "a file": (b'{"challenge_id": "7", "type": "gsr", "video_url": "file:///etc/passwd"}', 422),
    "too large": (b" " * 200_000, 413),
    "an empty id": (b'{"challenge_id": "", "type": "gsr", "video_url": "https://127.0.0.1/a.mp4"}', 422),
    "broken UTF-8": (b'{"challenge_id": "\xff", "type": "gsr", "video_url": "https://127.0.0.1/a.mp4"}', 422),
}


@pytest.mark.parametrize(("body", "status"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_request_is_refused_with_a_reason_and_not_enqueued(
    gateway: httpx.Client, worker: WorkerProcess, body: bytes, status: int
) -> None:
    given = gateway.post("/soccer/challenge", content=body)
    assert given.status_code == status, given.text
    assert set(given.json()) == {"error", "detail"}
    assert queued(worker.redis_url) == 0


def test_a_body_that_drips_is_given_up(valkey: EmbeddedValkey) -> None:
    with running(valkey.url, verify_enabled=False, body_timeout_s=0.3) as client:
        with socket.create_connection((client.base_url.host, client.base_url.port or 80)) as slow:
            slow.settimeout(20)
            slow.sendall(b"POST /soccer/challenge HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
            assert b" 408 " in slow.recv(1000)
        assert client.get("/healthz").status_code == 200


# -- who may ask --------------------------------------------------------------------------------------------


def test_a_signed_request_passes_and_its_nonce_is_used_up(guarded: httpx.Client) -> None:
    body = body_of("https://127.0.0.1/a.mp4")
    headers = headers_of(body)
    first = guarded.post("/soccer/challenge", content=body, headers=headers)
    assert first.status_code == 504, "nobody works here: it passed, and ended at its deadline"
    replayed = guarded.post("/soccer/challenge", content=body, headers=headers)
    assert (replayed.status_code, replayed.json()["error"]) == (401, "nonce")


@pytest.mark.parametrize(
    ("change", "status", "reason"),
    [
        (lambda body: headers_of(body, key=POOR), 403, "stake"),
        (lambda body: headers_of(body, key=Keypair.create_from_uri("//Dave")), 403, "unknown"),
        (lambda body: headers_of(body, miner=POOR.ss58_address), 401, "miner"),
        (lambda body: headers_of(body + b" "), 401, "signature"),
        (lambda body: headers_of(body, nonce=str(time.time_ns() - 200 * 10**9)), 401, "nonce"),
        (lambda body: {}, 401, "headers"),
        (lambda body: headers_of(body) | {"X-Signature": "0x12"}, 401, "signature"),
    ],
    ids=["low stake", "unknown", "another miner", "another body", "stale", "unsigned", "short"],
)
def test_whoever_does_not_belong_is_refused_before_any_work(
    guarded: httpx.Client, valkey: EmbeddedValkey, change: Any, status: int, reason: str
) -> None:
    body = body_of("https://127.0.0.1/a.mp4")
    given = guarded.post("/soccer/challenge", content=body, headers=change(body))
    assert (given.status_code, given.json()["error"]) == (status, reason)
    assert queued(valkey.url) == 0


def test_a_stranger_is_refused_before_its_body_is_read(guarded: httpx.Client) -> None:
    with socket.create_connection((guarded.base_url.host, guarded.base_url.port or 80)) as stranger:
        stranger.settimeout(4)
        stranger.sendall(b"POST /soccer/challenge HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n{")
        assert b" 401 " in stranger.recv(1000), "no byte of the rest was waited for"


def test_until_the_chain_has_been_read_nobody_is_answered(valkey: EmbeddedValkey) -> None:
    body = body_of("https://127.0.0.1/a.mp4")
    with running(valkey.url, miner_hotkey=MINER, metagraph_network="ws://127.0.0.1:9") as client:
        given = client.post("/soccer/challenge", content=body, headers=headers_of(body))
        assert (given.status_code, given.json()["error"]) == (503, "metagraph")
        ready = client.get("/readyz")
        assert (ready.status_code, ready.json()["metagraph_age_s"]) == (503, None)
        assert "touchline_gateway_metagraph_age_seconds -1.0" in client.get("/metrics").text


# -- what operators ask -------------------------------------------------------------------------------------


def test_without_a_warm_worker_the_docs_are_not_there_and_nothing_is_available(
    valkey: EmbeddedValkey,
) -> None:
    with running(valkey.url, workers=0, verify_enabled=False) as client:
        assert client.get("/docs").status_code == 503
        assert client.get("/availability").json() == {"available": False}
        assert client.get("/readyz").status_code == 503
        assert client.get("/healthz").json() == {"status": "ok"}


def test_with_a_warm_worker_everything_is_there(gateway: httpx.Client) -> None:
    assert gateway.get("/docs").status_code == 200
    assert gateway.get("/availability").json() == {"available": True}
    assert gateway.get("/readyz").json()["warm_workers"] == 1
    assert "touchline_gateway_requests_total{" in gateway.get("/metrics").text


def test_many_requests_wait_without_a_thread_each(valkey: EmbeddedValkey) -> None:
    with running(
        valkey.url,
        workers=0,
        verify_enabled=False,
        gateway_deadline_s=4.0,
        gateway_reserve_s=1.0,
        max_requests_per_hotkey=60,
    ) as client:
        before = threading.active_count()

        async def ask() -> tuple[list[int], int]:
            async with httpx.AsyncClient(
                base_url=client.base_url, timeout=60, limits=httpx.Limits(max_connections=60), trust_env=False
            ) as many:
                waiting = [
                    asyncio.create_task(
                        many.post(
                            "/soccer/challenge", content=body_of("https://127.0.0.1/a.mp4", f"many-{i}")
                        )
                    )
                    for i in range(50)
                ]
                await asyncio.sleep(2.0)
                threads = threading.active_count()
                return [response.status_code for response in await asyncio.gather(*waiting)], threads

        statuses, threads = asyncio.run(ask())
        assert set(statuses) == {504}
        # publishing borrows from asyncio's pool of threads, whose size does not depend on the requests
        assert threads - before < 40


def test_a_client_that_goes_away_cancels_its_challenge(valkey: EmbeddedValkey) -> None:
    with running(valkey.url, workers=0, verify_enabled=False) as client:
        with pytest.raises(httpx.ReadTimeout):
            client.post("/soccer/challenge", content=body_of("https://127.0.0.1/clip.mp4"), timeout=0.5)
        with redis.Redis.from_url(valkey.url) as connection:
            assert wait_for(lambda: list(connection.scan_iter("touchline:cancelled:*")), 20)


def test_what_cannot_be_answered_in_time_is_refused_at_once(valkey: EmbeddedValkey) -> None:
    with redis.Redis.from_url(valkey.url) as connection:
        connection.lpush("touchline", *["waiting"] * 20)
    with running(valkey.url, workers=1, verify_enabled=False) as client:
        given = client.post("/soccer/challenge", content=body_of("https://127.0.0.1/clip.mp4"))
    assert given.status_code == 503
    assert given.json()["error"] == "QueueFull"
    assert queued(valkey.url) == 20


def test_a_recorded_challenge_is_replayed(
    worker: WorkerProcess, clip_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(worker.redis_url, verify_enabled=False, record_dir=str(tmp_path)) as client:
        assert client.post("/soccer/challenge", content=body_of(clip_url, "recorded")).status_code == 200
    monkeypatch.setenv("REDIS_URL", worker.redis_url)
    get_settings.cache_clear()
    done = CliRunner().invoke(app, ["replay", str(tmp_path), "--json"])
    get_settings.cache_clear()
    assert done.exit_code == 0, done.output
    (found,) = json.loads(done.output)["challenges"]
    assert (found["challenge_id"], found["kind"], found["same"]) == ("recorded", "gsr", True)
