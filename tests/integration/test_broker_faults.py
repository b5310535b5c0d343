"""Faults of the queue and of Redis under a worker: garbage, repeats, broken connections, refusals."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from services.errors import InvalidChallenge, QueueUnavailable
from services.processes.embedded_valkey import EmbeddedValkey
from services.wire.reply import Answer, reply_key, unpack_reply
from tasks.client import submit
from tasks.dead_letters import KEPT, list_dead_letters
from tasks.worker_process import WorkerProcess
from tests.support.processes import wait_for
from tests.support.servers import MakeWorker, warm_worker, worker_env
from tests.support.tls_front import TlsFront
from tests.unit.tasks.test_queue_message import EMBEDDED, GARBAGE, encoded, message
from touchline_lab.demo_origin.server import DemoOrigin
from touchline_lab.reliability.caller import submit_in_thread

pytestmark = pytest.mark.integration
QUEUE = "touchline"


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedValkey]:
    """A Valkey of this file's own: its tests change its configuration."""
    with EmbeddedValkey() as valkey:
        yield valkey


@pytest.fixture(scope="module")
def own_worker(
    server: EmbeddedValkey, origin: DemoOrigin, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WorkerProcess]:
    """One worker for all of these faults: it has to outlive each."""
    env = worker_env(origin, tmp_path_factory.mktemp("state"))
    with warm_worker(server.url, env, "touchline-faults") as part:
        yield part


@pytest.fixture
def connection(server: EmbeddedValkey) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(server.url) as client:
        yield client


def ask(worker: WorkerProcess, url: str, deadline_s: float = 60.0, challenge_id: str | None = None) -> Answer:
    return submit(url, redis_url=worker.redis_url, deadline_s=deadline_s, challenge_id=challenge_id).wait()


def is_worked_on(connection: redis.Redis, challenge_id: str) -> bool:
    return bool(connection.exists(f"touchline:claim:{challenge_id}"))


def test_garbage_is_set_aside_and_never_ends_a_worker(
    own_worker: WorkerProcess, connection: redis.Redis, clip_url: str
) -> None:
    garbage = [json.dumps(found).encode() for found in GARBAGE.values()] + [
        b"",
        b"\xff\xfe{}",
        b"[" * 100_000,
    ]

    connection.lpush(QUEUE, *garbage)

    assert not ask(own_worker, clip_url).partial
    assert own_worker.exit_code is None
    letters = list_dead_letters(connection)
    assert len(letters) == len(garbage)
    assert all(letter.reason and letter.queue == QUEUE for letter in letters)
    assert wait_for(lambda: connection.hlen("touchline:unacked") == 0)


def test_the_dead_letter_list_is_bounded(
    own_worker: WorkerProcess, connection: redis.Redis, clip_url: str
) -> None:
    connection.lpush(QUEUE, *[b"{}"] * (KEPT + 50))
    assert wait_for(lambda: connection.llen(QUEUE) == 0)
    assert not ask(own_worker, clip_url).partial
    assert connection.llen("touchline:dead-letters") == KEPT
    assert connection.ttl("touchline:dead-letters") > 0


def test_garbage_that_names_its_caller_is_answered(
    own_worker: WorkerProcess, connection: redis.Redis
) -> None:
    body = encoded([[{"challenge_id": 5}, "of-garbage"], {}, EMBEDDED])
    connection.lpush(QUEUE, json.dumps(message(body=body)))
    found = connection.blpop([reply_key("of-garbage")], timeout=60)
    assert found is not None
    with pytest.raises(InvalidChallenge, match="challenge_id"):
        unpack_reply(found[1])


def test_a_challenge_that_is_submitted_again_gets_the_bytes_of_the_first(
    own_worker: WorkerProcess, clip_url: str
) -> None:
    first, second = (submit_in_thread(clip_url, own_worker.redis_url, "twice") for _ in range(2))
    assert first.result().body == second.result().body
    assert ask(own_worker, clip_url, challenge_id="twice").body == first.result().body


def test_a_caller_whose_connection_breaks_goes_on_waiting(
    own_worker: WorkerProcess, connection: redis.Redis, origin: DemoOrigin, clip_url: str
) -> None:
    caller = submit_in_thread(f"{clip_url}?rate=200000", own_worker.redis_url, "broken-connection")
    assert wait_for(lambda: is_worked_on(connection, "broken-connection"))

    for client in connection.client_list():
        if client["cmd"] == "blmove":
            connection.client_kill_filter(_id=client["id"])

    assert not caller.result().partial


def test_a_worker_outlives_a_server_that_becomes_a_replica_and_a_caller_is_told(
    own_worker: WorkerProcess, connection: redis.Redis, clip_url: str
) -> None:
    with EmbeddedValkey() as other:
        connection.replicaof("127.0.0.1", str(other.port))
        try:
            assert wait_for(lambda: connection.info("replication")["master_link_status"] == "up")
            with pytest.raises(QueueUnavailable, match="read only"):
                ask(own_worker, clip_url, deadline_s=10)
        finally:
            connection.replicaof("NO", "ONE")
    assert not ask(own_worker, clip_url).partial
    assert own_worker.exit_code is None


def test_a_server_that_drops_idle_connections_costs_no_challenge(
    own_worker: WorkerProcess, connection: redis.Redis, clip_url: str
) -> None:
    def idle_longest() -> int:
        return max(int(client["idle"]) for client in connection.client_list())

    assert not ask(own_worker, clip_url).partial
    assert wait_for(lambda: idle_longest() >= 3)
    connection.config_set("timeout", 1)
    try:
        assert wait_for(lambda: idle_longest() < 3)

        assert not ask(own_worker, clip_url).partial
    finally:
        connection.config_set("timeout", 0)


def test_a_full_server_refuses_a_challenge_at_once(
    own_worker: WorkerProcess, connection: redis.Redis, clip_url: str
) -> None:
    connection.config_set("maxmemory", "1mb")
    try:
        with pytest.raises(QueueUnavailable, match="maxmemory"):
            ask(own_worker, clip_url)
    finally:
        connection.config_set("maxmemory", "0")
    assert not ask(own_worker, clip_url).partial


def test_a_server_that_fills_up_while_a_challenge_is_worked_on_is_named_to_the_caller(
    own_worker: WorkerProcess, connection: redis.Redis, clip_url: str
) -> None:
    caller = submit_in_thread(f"{clip_url}?rate=200000", own_worker.redis_url, "fills-up")
    assert wait_for(lambda: is_worked_on(connection, "fills-up"))

    connection.config_set("maxmemory", "1mb")
    try:
        with pytest.raises(QueueUnavailable, match="no room for the answer"):
            caller.result()
    finally:
        connection.config_set("maxmemory", "0")
    assert not ask(own_worker, clip_url).partial


def test_a_worker_serves_a_server_on_a_unix_socket(origin: DemoOrigin, tmp_path: Path, clip_url: str) -> None:
    socket_file = tmp_path / "valkey.sock"
    with EmbeddedValkey(unix_socket=socket_file):
        url = f"unix://{socket_file}?db=1"
        with warm_worker(url, worker_env(origin, tmp_path / "state"), "touchline-socket") as part:
            assert not ask(part, clip_url).partial


@pytest.mark.parametrize("mode", ["", "&ssl_cert_reqs=CERT_REQUIRED"], ids=["no mode", "CERT_REQUIRED"])
def test_a_worker_serves_a_server_behind_tls(
    server: EmbeddedValkey, origin: DemoOrigin, tmp_path: Path, clip_url: str, mode: str
) -> None:
    with TlsFront(server.port) as front:
        url = f"rediss://127.0.0.1:{front.port}/5?ssl_ca_certs={front.ca_file}{mode}"
        with warm_worker(url, worker_env(origin, tmp_path / "state"), "touchline-tls") as part:
            assert not ask(part, clip_url).partial


def test_a_server_with_an_unknown_certificate_is_not_trusted(server: EmbeddedValkey, clip_url: str) -> None:
    with TlsFront(server.port) as front, pytest.raises(QueueUnavailable, match="CERTIFICATE_VERIFY_FAILED"):
        submit(clip_url, redis_url=f"rediss://127.0.0.1:{front.port}/0")


def test_a_message_that_is_delivered_twice_is_worked_on_once(
    make_worker: MakeWorker, origin: DemoOrigin, clip_url: str
) -> None:
    """As happens to a challenge whose work takes longer than Celery waits for an acknowledgement."""
    worker = make_worker(WORKER_CONCURRENCY="2", STALL_TIMEOUT_S="60")
    slow = f"{clip_url}?delay=8&no_range=1&seen=twice"
    caller = submit_in_thread(slow, worker.redis_url, "delivered-twice")
    again = {
        "challenge_id": "delivered-twice",
        "deadline": caller.submission.deadline,
        "submitted_at": caller.submission.deadline - 60,
        "video_url": slow,
    }
    body = [[again, caller.submission.token], {}, EMBEDDED]
    with redis.Redis.from_url(worker.redis_url) as connection:
        assert wait_for(lambda: is_worked_on(connection, "delivered-twice"))

        connection.lpush(QUEUE, json.dumps(message(body=encoded(body))))

        assert not caller.result().partial
        assert connection.llen(reply_key(caller.submission.token)) == 0
    requests = [seen for seen in origin.requests() if "seen=twice" in seen.query and seen.method == "GET"]
    # each download begins with one request for the whole file
    assert [seen.range for seen in requests].count(None) == 1
