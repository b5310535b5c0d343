"""One process works on a challenge at a time, shown on a real server."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest
import redis

from services.deadline import Deadline
from services.errors import Cancelled
from services.processes.embedded_valkey import EmbeddedValkey
from services.settings import get_settings
from services.wire.reply import answer_key, cancelled_key, claim_key, no_room_key, reply_key
from tasks import reply
from tasks.client import submit
from tasks.reply import Claimed, Lease
from tasks.worker_process import WorkerProcess

pytestmark = pytest.mark.integration


@pytest.fixture
def connection(valkey: EmbeddedValkey, monkeypatch: pytest.MonkeyPatch) -> Iterator[redis.Redis]:
    """The server that `tasks.reply` speaks to."""
    monkeypatch.setenv("REDIS_URL", valkey.url)
    get_settings.cache_clear()
    reply.connection.cache_clear()
    with redis.Redis.from_url(valkey.url) as client:
        yield client
    get_settings.cache_clear()
    reply.connection.cache_clear()


def claim_in_another_process(challenge_id: str, then: str) -> subprocess.Popen[str]:
    """A process that has claimed a challenge, and does `then`."""
    code = f"from tasks import reply; print(reply.claim({challenge_id!r}, 'first').name, flush=True); {then}"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "MINE"
    return process


def test_a_second_caller_joins_while_another_process_works(connection: redis.Redis) -> None:
    with claim_in_another_process("c", "input()") as holder:
        try:
            assert reply.claim("c", "second") is Claimed.JOINED
        finally:
            holder.kill()


def test_a_dead_process_loses_its_claim_at_once(connection: redis.Redis) -> None:
    with claim_in_another_process("c", "pass") as holder:
        holder.wait()
    assert reply.claim("c", "first") is Claimed.MINE


def test_a_claim_of_another_machine_lapses_when_it_is_not_renewed(connection: redis.Redis) -> None:
    connection.set(claim_key("c"), "another-machine 1", px=2000)
    assert reply.claim("c", "second") is Claimed.JOINED
    while connection.exists(claim_key("c")):
        time.sleep(0.02)
    assert reply.claim("c", "second") is Claimed.MINE


def test_a_lease_keeps_the_claim_alive(connection: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reply, "RENEWAL_S", 0.05)
    assert reply.claim("c", "first") is Claimed.MINE
    connection.pexpire(claim_key("c"), 600)
    with Lease("c", "first", on_lost=lambda: None):
        while connection.pttl(claim_key("c")) <= 600:
            time.sleep(0.02)


def test_a_claim_that_lapsed_is_taken_again_if_nobody_else_has_it(
    connection: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reply, "RENEWAL_S", 0.05)
    with Lease("c", "first", on_lost=lambda: None):
        while not connection.exists(claim_key("c")):
            time.sleep(0.02)


@pytest.mark.parametrize("how", ["claimed", "answered"])
def test_work_ends_when_another_process_has_the_challenge(
    connection: redis.Redis, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(reply, "RENEWAL_S", 0.05)
    connection.set(claim_key("c") if how == "claimed" else answer_key("c"), "another-machine 1")
    told = threading.Event()
    with Lease("c", "first", on_lost=told.set) as lease:
        assert told.wait(20)
    assert lease.lost


def test_all_who_joined_get_the_answer_and_a_later_caller_too(connection: redis.Redis) -> None:
    reply.claim("c", "first")
    connection.sadd("touchline:joined:c", "second", "first")

    reply.publish("c", "first", b"answer", keep=True)

    assert connection.lrange(reply_key("first"), 0, -1) == [b"answer"]
    assert connection.lrange(reply_key("second"), 0, -1) == [b"answer"]
    assert reply.claim("c", "third") is Claimed.ANSWERED
    assert connection.lrange(reply_key("third"), 0, -1) == [b"answer"]


def test_an_answered_challenge_is_not_answered_a_second_time(connection: redis.Redis) -> None:
    reply.claim("c", "first")
    reply.publish("c", "first", b"answer", keep=True)
    reply.publish("c", "first", b"late", keep=True)
    assert connection.lrange(reply_key("first"), 0, -1) == [b"answer"]


def test_a_failed_challenge_may_be_claimed_anew(connection: redis.Redis) -> None:
    reply.claim("c", "first")
    reply.publish("c", "first", b"error", keep=False)
    assert reply.claim("c", "second") is Claimed.MINE


def test_every_key_expires(connection: redis.Redis) -> None:
    reply.claim("c", "first")
    connection.set(claim_key("d"), "another-machine 1", px=5_000)
    reply.claim("d", "second")
    reply.publish("c", "first", b"answer", keep=True)
    assert all(connection.ttl(key) > 0 for key in connection.scan_iter())


def test_a_full_server_sends_every_waiting_caller_its_no_room_reply(
    connection: redis.Redis,
) -> None:
    reply.claim("c", "first")
    connection.sadd("touchline:joined:c", "second")
    for token in ("first", "second"):
        connection.rpush(no_room_key(token), "no room")
    connection.config_set("maxmemory", "1mb")
    try:
        reply.publish("c", "first", b"answer", keep=True)
    finally:
        connection.config_set("maxmemory", "0")
    assert connection.lrange(reply_key("first"), 0, -1) == [b"no room"]
    assert connection.lrange(reply_key("second"), 0, -1) == [b"no room"]
    assert reply.claim("c", "third") is Claimed.MINE


def test_a_reply_that_is_ready_while_redis_is_away_is_delivered_when_it_is_back(
    connection: redis.Redis,
) -> None:
    reply.claim("c", "first")
    connection.execute_command("CLIENT", "PAUSE", "300", "WRITE")
    connection.client_kill_filter(_type="normal", skipme=True)
    reply.publish("c", "first", b"answer", until=Deadline.after(20), keep=True)
    assert connection.lrange(reply_key("first"), 0, -1) == [b"answer"]


def test_a_challenge_whose_caller_has_gone_is_not_begun(connection: redis.Redis) -> None:
    connection.set(cancelled_key("first"), 1)
    assert reply.claim("c", "first") is Claimed.CANCELLED
    assert not connection.exists(claim_key("c"))


@pytest.mark.parametrize("others_wait", [False, True])
def test_work_ends_when_nobody_waits_for_it_any_more(
    connection: redis.Redis, monkeypatch: pytest.MonkeyPatch, others_wait: bool
) -> None:
    monkeypatch.setattr(reply, "RENEWAL_S", 0.05)
    reply.claim("c", "first")
    if others_wait:
        connection.sadd("touchline:joined:c", "second")
    told = threading.Event()
    with Lease("c", "first", on_lost=told.set) as lease:
        connection.set(cancelled_key("first"), 1)
        assert told.wait(0.5 if others_wait else 20) is not others_wait
    assert lease.cancelled is not others_wait
    assert not lease.lost


@pytest.mark.parametrize("answered", [False, True])
def test_another_challenge_of_the_same_id_is_told_so(connection: redis.Redis, answered: bool) -> None:
    reply.claim("c", "first", "one")
    if answered:
        reply.publish("c", "first", b"answer", keep=True)
    assert reply.claim("c", "second", "another") is Claimed.ANOTHER


def test_a_failed_challenge_keeps_no_other_from_its_id(connection: redis.Redis) -> None:
    reply.claim("c", "first", "one")
    reply.publish("c", "first", b"error", keep=False)
    assert reply.claim("c", "second", "another") is Claimed.MINE


def test_a_caller_that_cancels_ends_the_work(worker: WorkerProcess) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}/clip.mp4"
        submission = submit(url, challenge_id="cancelled", redis_url=worker.redis_url, deadline_s=60)
        connection, _ = silent.accept()  # the worker has begun
        with connection:
            submission.cancel()
            with pytest.raises(Cancelled):
                submission.wait()


@pytest.mark.usefixtures("forgotten_connections")
def test_a_cancelled_task_cancels_its_challenge(valkey: EmbeddedValkey, connection: redis.Redis) -> None:
    async def give_up() -> str:
        submission = submit("https://example.org/clip.mp4", redis_url=valkey.url, deadline_s=60)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(submission, 0.2)
        return submission.token

    assert connection.exists(cancelled_key(asyncio.run(give_up())))
