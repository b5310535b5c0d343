"""One process works on a challenge at a time, shown on a real server."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
import redis

from services.cancellation import CancelScope
from services.deadline import Deadline
from services.errors import Cancelled, DeadlineExceeded
from services.processes.embedded_valkey import EmbeddedValkey
from services.settings import get_settings
from services.timeline import Timeline
from services.wire.challenge import Challenge, content_digest
from services.wire.reply import (
    Answer,
    answer_key,
    cancelled_key,
    claim_key,
    no_room_key,
    pack_answer,
    reply_key,
    unpack_reply,
)
from tasks import caller as caller_module
from tasks import challenge, claims, reply, worker_redis
from tasks.caller import Caller
from tasks.claims import Claimed, Lease, claim
from tasks.client import submit
from tasks.reply import Sort
from tasks.worker_process import WorkerProcess
from tests.support.processes import wait_for
from tests.support.servers import MakeWorker
from touchline_lab.demo_origin.server import DemoOrigin

pytestmark = pytest.mark.integration


@pytest.fixture
def connection(valkey: EmbeddedValkey, monkeypatch: pytest.MonkeyPatch) -> Iterator[redis.Redis]:
    """The server that `tasks` speaks to."""
    monkeypatch.setenv("REDIS_URL", valkey.url)
    get_settings.cache_clear()
    worker_redis.connection.cache_clear()
    with redis.Redis.from_url(valkey.url) as client:
        yield client
    get_settings.cache_clear()
    worker_redis.connection.cache_clear()


def claim_in_another_process(challenge_id: str, then: str) -> subprocess.Popen[str]:
    """A process that has claimed a challenge, and does `then`."""
    code = f"""
from tasks.caller import Caller
from tasks.claims import claim
print(claim(Caller({challenge_id!r}, "first")).name, flush=True)
{then}
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "MINE"
    return process


def test_a_second_caller_joins_while_another_process_works(connection: redis.Redis) -> None:
    with claim_in_another_process("c", "input()") as holder:
        try:
            assert claim(Caller("c", "second")) is Claimed.JOINED
        finally:
            holder.kill()


def test_a_dead_process_loses_its_claim_at_once(connection: redis.Redis) -> None:
    with claim_in_another_process("c", "pass") as holder:
        holder.wait()
    assert claim(Caller("c", "first")) is Claimed.MINE


def test_a_claim_of_another_machine_lapses_when_it_is_not_renewed(connection: redis.Redis) -> None:
    connection.set(claim_key("c"), "another-machine 1", px=2000)
    assert claim(Caller("c", "second")) is Claimed.JOINED
    while connection.exists(claim_key("c")):
        time.sleep(0.02)
    assert claim(Caller("c", "second")) is Claimed.MINE


def test_a_lease_keeps_the_claim_alive(connection: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "RENEWAL_S", 0.05)
    assert claim(Caller("c", "first")) is Claimed.MINE
    connection.pexpire(claim_key("c"), 600)
    with Lease(Caller("c", "first"), lambda: None):
        while connection.pttl(claim_key("c")) <= 600:
            time.sleep(0.02)


def test_a_claim_that_lapsed_is_taken_again_if_nobody_else_has_it(
    connection: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "RENEWAL_S", 0.05)
    with Lease(Caller("c", "first"), lambda: None):
        while not connection.exists(claim_key("c")):
            time.sleep(0.02)


@pytest.mark.parametrize("how", ["claimed", "answered"])
def test_work_ends_when_another_process_has_the_challenge(
    connection: redis.Redis, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(claims, "RENEWAL_S", 0.05)
    connection.set(claim_key("c") if how == "claimed" else answer_key("c"), "another-machine 1")
    told = threading.Event()
    with Lease(Caller("c", "first"), told.set) as lease:
        assert told.wait(20)
    assert lease.lost


def test_all_who_joined_get_the_answer_and_a_later_caller_too(connection: redis.Redis) -> None:
    claim(Caller("c", "first"))
    connection.sadd("touchline:joined:c", "second", "first")

    reply.publish(Caller("c", "first"), b"answer", Sort.ANSWER)

    assert connection.lrange(reply_key("first"), 0, -1) == [b"answer"]
    assert connection.lrange(reply_key("second"), 0, -1) == [b"answer"]
    assert claim(Caller("c", "third")) is Claimed.ANSWERED
    assert connection.lrange(reply_key("third"), 0, -1) == [b"answer"]


def test_an_answered_challenge_is_not_answered_a_second_time(connection: redis.Redis) -> None:
    claim(Caller("c", "first"))
    reply.publish(Caller("c", "first"), b"answer", Sort.ANSWER)
    reply.publish(Caller("c", "first"), b"late", Sort.ANSWER)
    assert connection.lrange(reply_key("first"), 0, -1) == [b"answer"]


def test_a_failed_challenge_may_be_claimed_anew(connection: redis.Redis) -> None:
    claim(Caller("c", "first"))
    reply.publish(Caller("c", "first"), b"error", Sort.ERROR)
    assert claim(Caller("c", "second")) is Claimed.MINE


def test_every_key_expires(connection: redis.Redis) -> None:
    claim(Caller("c", "first"))
    connection.set(claim_key("d"), "another-machine 1", px=5_000)
    claim(Caller("d", "second"))
    reply.publish(Caller("c", "first"), b"answer", Sort.ANSWER)
    assert all(connection.ttl(key) > 0 for key in connection.scan_iter())


def test_a_full_server_sends_every_waiting_caller_its_no_room_reply(
    connection: redis.Redis,
) -> None:
    claim(Caller("c", "first"))
    connection.sadd("touchline:joined:c", "second")
    for token in ("first", "second"):
        connection.rpush(no_room_key(token), "no room")
    connection.config_set("maxmemory", "1mb")
    try:
        reply.publish(Caller("c", "first"), b"answer", Sort.ANSWER)
    finally:
        connection.config_set("maxmemory", "0")
    assert connection.lrange(reply_key("first"), 0, -1) == [b"no room"]
    assert connection.lrange(reply_key("second"), 0, -1) == [b"no room"]
    assert claim(Caller("c", "third")) is Claimed.MINE


def test_a_reply_that_is_ready_while_redis_is_away_is_delivered_when_it_is_back(
    connection: redis.Redis,
) -> None:
    claim(Caller("c", "first"))
    connection.execute_command("CLIENT", "PAUSE", "300", "WRITE")
    connection.client_kill_filter(_type="normal", skipme=True)
    reply.publish(Caller("c", "first"), b"answer", Sort.ANSWER, until=Deadline.after(20))
    assert connection.lrange(reply_key("first"), 0, -1) == [b"answer"]


def test_a_challenge_whose_caller_has_gone_is_not_begun(connection: redis.Redis) -> None:
    connection.set(cancelled_key("first"), 1)
    assert claim(Caller("c", "first")) is Claimed.CANCELLED
    assert not connection.exists(claim_key("c"))


@pytest.mark.parametrize("others_wait", [False, True])
def test_work_ends_when_nobody_waits_for_it_any_more(
    connection: redis.Redis, monkeypatch: pytest.MonkeyPatch, others_wait: bool
) -> None:
    monkeypatch.setattr(claims, "RENEWAL_S", 0.05)
    claim(Caller("c", "first"))
    if others_wait:
        connection.sadd("touchline:joined:c", "second")
    told = threading.Event()
    with Lease(Caller("c", "first"), told.set) as lease:
        connection.set(cancelled_key("first"), 1)
        assert told.wait(0.5 if others_wait else 20) is not others_wait
    assert lease.cancelled is not others_wait
    assert not lease.lost


@pytest.mark.parametrize("answered", [False, True])
def test_another_challenge_of_the_same_id_is_told_so(connection: redis.Redis, answered: bool) -> None:
    claim(Caller("c", "first", "one"))
    if answered:
        reply.publish(Caller("c", "first"), b"answer", Sort.ANSWER)
    assert claim(Caller("c", "second", "another")) is Claimed.ANOTHER


def test_a_failed_challenge_keeps_no_other_from_its_id(connection: redis.Redis) -> None:
    claim(Caller("c", "first", "one"))
    reply.publish(Caller("c", "first"), b"error", Sort.ERROR)
    assert claim(Caller("c", "second", "another")) is Claimed.MINE


# -- claims that went to another process --------------------------------------------------------------------

ELSEWHERE = "another-machine 1"
"""A process that holds a claim, of which nothing more is known here."""


@pytest.mark.parametrize("outcome", [b"answer", b"error"])
def test_a_caller_whose_challenge_another_process_took_over_gets_what_comes_of_it(
    connection: redis.Redis, monkeypatch: pytest.MonkeyPatch, outcome: bytes
) -> None:
    """The process was stopped, or cut off from Redis, for longer than its claim lasts."""
    monkeypatch.setattr(claims, "RENEWAL_S", 0.05)
    claim(Caller("c", "first", "one"))
    connection.set(claim_key("c"), ELSEWHERE)  # for a second caller
    told = threading.Event()
    with Lease(Caller("c", "first", "one"), told.set):
        assert told.wait(20)
    monkeypatch.setattr(caller_module, "process_name", lambda: ELSEWHERE)
    reply.publish(Caller("c", "second", "one"), outcome, Sort.ANSWER if outcome == b"answer" else Sort.ERROR)
    assert connection.lrange(reply_key("second"), 0, -1) == [outcome]
    assert connection.lrange(reply_key("first"), 0, -1) == [outcome]


def test_a_caller_whose_challenge_another_process_has_answered_gets_that_answer(
    connection: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "RENEWAL_S", 0.05)
    claim(Caller("c", "first", "one"))
    connection.delete(claim_key("c"))
    connection.set(answer_key("c"), b"answer")
    told = threading.Event()
    with Lease(Caller("c", "first", "one"), told.set):
        assert told.wait(20)
    assert connection.lrange(reply_key("first"), 0, -1) == [b"answer"]


def test_a_process_that_lost_its_claim_and_has_not_noticed_gives_its_caller_the_answer(
    connection: redis.Redis,
) -> None:
    claim(Caller("c", "first", "one"))
    connection.delete(claim_key("c"))
    connection.set(answer_key("c"), b"answer")
    reply.publish(Caller("c", "first", "one"), b"error", Sort.ERROR)
    assert connection.lrange(reply_key("first"), 0, -1) == [b"answer"]


def test_an_error_of_a_process_that_lost_its_claim_ends_nobody_elses_wait(connection: redis.Redis) -> None:
    claim(Caller("c", "first", "one"))
    connection.set(claim_key("c"), ELSEWHERE)
    connection.sadd("touchline:joined:c", "third")
    reply.publish(Caller("c", "first", "one"), b"error", Sort.ERROR)
    assert connection.get(claim_key("c")) == ELSEWHERE.encode(), "it works on"
    assert not connection.exists(reply_key("third"))
    assert connection.sismember("touchline:joined:c", "first"), "what comes of it goes to this caller too"


@pytest.mark.parametrize("answered", [False, True])
def test_an_answer_goes_to_no_caller_of_another_content(connection: redis.Redis, answered: bool) -> None:
    """The claim lapsed while the process was stopped, and the id was given to another challenge."""
    claim(Caller("c", "first", "one"))
    connection.set("touchline:content:c", "another")
    connection.sadd("touchline:joined:c", "second")
    connection.set(answer_key("c") if answered else claim_key("c"), ELSEWHERE)
    reply.publish(Caller("c", "first", "one"), b"answer", Sort.ANSWER)
    assert connection.lrange(reply_key("first"), 0, -1) == [b"answer"]
    assert not connection.exists(reply_key("second"))
    assert connection.get(answer_key("c")) == (ELSEWHERE.encode() if answered else None)


def test_a_claim_that_is_taken_again_says_what_it_is_for(
    connection: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a Redis that has lost its data."""
    monkeypatch.setattr(claims, "RENEWAL_S", 0.05)
    with Lease(Caller("c", "first", "one"), lambda: None):
        while not connection.exists(claim_key("c")):
            time.sleep(0.02)
        assert claim(Caller("c", "second", "another")) is Claimed.ANOTHER


def test_it_is_known_what_an_answer_is_for_as_long_as_it_is_kept(connection: redis.Redis) -> None:
    claim(Caller("c", "first", "one"))
    connection.expire("touchline:content:c", 1)
    reply.publish(Caller("c", "first", "one"), b"answer", Sort.ANSWER)
    assert connection.ttl("touchline:content:c") >= connection.ttl(answer_key("c"))


# -- callers who joined and have more time -------------------------------------------------------------------


def joined(connection: redis.Redis, token: str, seconds: float) -> None:
    """Join the challenge `c`, which another process works on."""
    holder = connection.get(claim_key("c"))
    connection.set(claim_key("c"), ELSEWHERE)
    assert (
        claim(Caller("c", token, "one", seconds), lambda: b"message of " + token.encode()) is Claimed.JOINED
    )
    connection.set(claim_key("c"), holder or "")


def test_who_joined_and_has_time_left_is_not_told_the_end_of_the_firsts_time(
    connection: redis.Redis,
) -> None:
    claim(Caller("c", "first", "one"))
    joined(connection, "patient", 60)
    joined(connection, "late", 0.5)
    reply.publish(Caller("c", "first", "one"), b"too late", Sort.ERROR, for_first_only=True)
    assert connection.lrange(reply_key("first"), 0, -1) == [b"too late"]
    assert connection.lrange(reply_key("late"), 0, -1) == [b"too late"], "it has no time for another attempt"
    assert not connection.exists(reply_key("patient"))
    assert connection.lrange("touchline", 0, -1) == [b"message of patient"]


def test_who_joined_and_has_time_left_is_not_given_what_the_firsts_time_sufficed_for(
    connection: redis.Redis,
) -> None:
    claim(Caller("c", "first", "one"))
    joined(connection, "patient", 60)
    joined(connection, "late", 0.5)
    reply.publish(Caller("c", "first", "one"), b"half", Sort.PARTIAL, for_first_only=True)
    for token in ("first", "late"):
        assert connection.lrange(reply_key(token), 0, -1) == [b"half"], "more than nothing"
    assert connection.lrange("touchline", 0, -1) == [b"message of patient"]
    assert claim(Caller("c", "again", "one")) is Claimed.MINE, "a partial answer is not kept"


def test_a_partial_answer_goes_to_its_caller_also_where_another_process_has_the_challenge(
    connection: redis.Redis,
) -> None:
    claim(Caller("c", "first", "one"))
    connection.set(claim_key("c"), ELSEWHERE)
    reply.publish(Caller("c", "first", "one"), b"half", Sort.PARTIAL)
    assert connection.lrange(reply_key("first"), 0, -1) == [b"half"]
    assert connection.get(claim_key("c")) == ELSEWHERE.encode(), "it works on"


def test_who_joined_is_told_of_a_failure_that_is_everybodys(connection: redis.Redis) -> None:
    claim(Caller("c", "first", "one"))
    joined(connection, "patient", 60)
    reply.publish(Caller("c", "first", "one"), b"no video", Sort.ERROR)
    assert connection.lrange(reply_key("patient"), 0, -1) == [b"no video"]
    assert not connection.llen("touchline")


def test_who_joined_and_went_away_is_not_put_back(connection: redis.Redis) -> None:
    claim(Caller("c", "first", "one"))
    joined(connection, "gone", 60)
    connection.srem("touchline:joined:c", "gone")
    reply.publish(Caller("c", "first", "one"), b"too late", Sort.ERROR, for_first_only=True)
    assert not connection.llen("touchline")


@pytest.mark.timeout(300)
def test_a_caller_with_a_later_deadline_gets_an_answer(
    make_worker: MakeWorker, origin: DemoOrigin, clip_url: str
) -> None:
    worker = make_worker(WORKER_CONCURRENCY="2", STALL_TIMEOUT_S="60")
    slow = f"{clip_url}?delay=8&no_range=1&X-Amz-Signature="
    hurried = submit(f"{slow}1", challenge_id="both", redis_url=worker.redis_url, deadline_s=5)
    with redis.Redis.from_url(worker.redis_url) as client:
        assert wait_for(lambda: bool(client.exists(claim_key("both"))), 20)
        patient = submit(f"{slow}2", challenge_id="both", redis_url=worker.redis_url, deadline_s=60)
        assert wait_for(lambda: bool(client.scard("touchline:joined:both")), 20)
    with pytest.raises(DeadlineExceeded):
        hurried.wait()
    answer = patient.wait()
    assert not answer.partial
    assert [seen.query for seen in origin.requests() if "X-Amz-Signature=2" in seen.query], "its own address"


@pytest.mark.parametrize(
    ("seconds", "facts", "put_back", "kept"),
    [
        (0.9, {"partial": True}, True, False),
        (60.0, {"partial": True}, False, True),
        (60.0, {"partial": True, "broke_off": "reset"}, False, False),
        (0.9, {}, False, True),
    ],
    ids=["by the deadline", "by TIME_BUDGET_S", "by a broken download", "complete"],
)
def test_what_becomes_of_a_partial_answer_depends_on_its_reason(
    connection: redis.Redis,
    monkeypatch: pytest.MonkeyPatch,
    seconds: float,
    facts: dict[str, Any],
    put_back: bool,
    kept: bool,
) -> None:
    now = time.time()
    asked = Challenge(challenge_id="c", video_url="https://a/b", deadline=now + seconds, submitted_at=now)

    def work(_: Challenge, timeline: Timeline, __: CancelScope) -> bytes:
        timeline.note(**facts)
        connection.set("touchline:content:c", "one")
        joined(connection, "patient", 60)
        connection.set("touchline:content:c", content_digest(asked))
        return pack_answer(Answer("c", b"half", bool(facts), {}))

    monkeypatch.setattr(challenge, "_work", work)
    challenge._answer(msgspec.to_builtins(asked), "first", 0, None)
    assert unpack_reply(connection.lrange(reply_key("first"), 0, -1)[0]).body == b"half"
    assert bool(connection.exists(reply_key("patient"))) is not put_back
    assert bool(connection.llen("touchline")) is put_back
    assert bool(connection.exists(answer_key("c"))) is kept


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
