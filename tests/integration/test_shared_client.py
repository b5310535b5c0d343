"""Many callers on one event loop share the connections of one `Client`."""

from __future__ import annotations

import asyncio
import concurrent.futures
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
import redis

from services.errors import (
    DeadlineExceeded,
    InvalidChallenge,
    QueueFull,
    QueueUnavailable,
    SourceRejected,
)
from services.processes.embedded_valkey import EmbeddedValkey, free_port
from services.processes.process_tree import descendants, send_signal
from services.settings import load_settings
from services.wire.challenge import Challenge, content_digest
from services.wire.gsr import frames_part
from services.wire.reply import (
    Answer,
    answer_key,
    cancelled_key,
    claim_key,
    content_key,
    pack_answer,
    reply_key,
)
from tasks import reply, shared_client, submission
from tasks.client import Client, Progress, Submission, submit
from tasks.queue_message import check_message
from tasks.worker_process import WorkerProcess
from tests.support.capacity import announce_worker

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("forgotten_connections")]
URL = "https://example.org/clip.mp4"


def answer_all(url: str, count: int) -> None:
    """A worker that answers at once."""
    with redis.Redis.from_url(url, socket_timeout=None) as connection:
        for _ in range(count):
            found = connection.brpop(["touchline"], timeout=60)
            assert found is not None
            accepted = check_message(found[1])
            data = pack_answer(Answer(accepted.challenge_id, b"{}", partial=False, timeline={}))
            reply.try_to_publish(accepted.token, data, connection)


def blocking(connection: redis.Redis) -> int:
    """How many connections wait for something."""
    return sum(one["cmd"] in ("subscribe", "blmove") for one in connection.client_list())


async def queued(connection: redis.Redis, count: int = 1) -> None:
    while int(connection.llen("touchline")) < count:
        await asyncio.sleep(0.02)


def test_a_hundred_waiting_callers_take_neither_threads_nor_connections(valkey: EmbeddedValkey) -> None:
    async def run() -> tuple[int, int, list[str]]:
        before = set(threading.enumerate())
        async with Client(valkey.url) as client:
            callers = [
                asyncio.create_task(client.submit(URL, challenge_id=f"c-{n}", deadline_s=60))
                for n in range(100)
            ]
            with redis.Redis.from_url(valkey.url) as connection:
                await queued(connection, 100)
                while not (blocked := blocking(connection)):
                    await asyncio.sleep(0.02)
            threads = set(threading.enumerate()) - before
            await asyncio.to_thread(answer_all, valkey.url, 100)
            return len(threads), blocked, [answer.challenge_id for answer in await asyncio.gather(*callers)]

    threads, blocked, answered = asyncio.run(run())

    assert threads == 0
    assert blocked == 1
    assert answered == [f"c-{n}" for n in range(100)]


def test_a_caller_that_is_cancelled_cancels_its_challenge(valkey: EmbeddedValkey) -> None:
    async def run() -> None:
        async with Client(valkey.url) as client:
            caller = asyncio.create_task(client.submit(URL, deadline_s=60))
            with redis.Redis.from_url(valkey.url) as connection:
                await queued(connection)
                caller.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await caller
                assert list(connection.scan_iter("touchline:cancelled:*"))
                assert not connection.llen("touchline"), "it takes nobody's place in the queue"

    asyncio.run(run())


def test_a_caller_that_is_cancelled_while_it_submits_waits_no_longer_and_leaves_no_work(
    valkey: EmbeddedValkey,
) -> None:
    """At each moment: redis-py swallows a cancellation at some of them."""

    async def run(attempts: int) -> None:
        async with Client(settings=load_settings(redis_url=valkey.url, max_queue=1000)) as client:
            for attempt in range(attempts):
                caller = asyncio.create_task(client.submit(URL, challenge_id=f"c-{attempt}", deadline_s=60))
                await asyncio.sleep(attempt * 0.01 / attempts)
                caller.cancel()
                done, _ = await asyncio.wait({caller}, timeout=30)
                assert done, f"cancelled after {attempt * 10 / attempts:.2f} ms, and still waiting"
                assert caller.cancelled(), repr(caller)

    asyncio.run(run(200))
    with redis.Redis.from_url(valkey.url) as connection:
        messages = [check_message(bytes(data)) for data in connection.lrange("touchline", 0, -1)]
        assert all(connection.exists(cancelled_key(message.token)) for message in messages)
        assert len(messages) < 20, "those whose message is known are taken off the queue"


def test_a_challenge_that_could_not_be_answered_in_time_is_not_enqueued(valkey: EmbeddedValkey) -> None:
    announce_worker(valkey.url, children=1, busy=1, seconds=8.0)

    async def run() -> Answer:
        async with Client(valkey.url) as client:
            with pytest.raises(QueueFull, match="0 challenges wait for 1 processes"):
                await client.submit(URL, deadline_s=4)
            caller = asyncio.create_task(client.submit(URL, challenge_id="in-time", deadline_s=60))
            await asyncio.to_thread(answer_all, valkey.url, 1)
            return await caller

    with pytest.raises(QueueFull):
        submit(URL, deadline_s=4, redis_url=valkey.url)
    with redis.Redis.from_url(valkey.url) as connection:
        assert not connection.llen("touchline")
    assert asyncio.run(run()).challenge_id == "in-time"


def test_no_more_than_the_maximum_number_of_challenges_wait(valkey: EmbeddedValkey) -> None:
    async def run() -> None:
        settings = load_settings(redis_url=valkey.url, max_queue=1)
        async with Client(settings=settings) as client:
            first = asyncio.create_task(client.submit(URL, deadline_s=60))
            with redis.Redis.from_url(valkey.url) as connection:
                await queued(connection)
            with pytest.raises(QueueFull, match="MAX_QUEUE"):
                await client.submit(URL, deadline_s=60)
            first.cancel()

    asyncio.run(run())


def test_an_answered_challenge_is_answered_from_the_store_without_a_worker(
    valkey: EmbeddedValkey,
) -> None:
    async def run() -> None:
        async with Client(valkey.url) as client:
            caller = asyncio.create_task(client.submit(URL, challenge_id="done", deadline_s=60))
            with redis.Redis.from_url(valkey.url) as connection:
                await queued(connection)
                (message,) = connection.lrange("touchline", 0, -1)
                asked = check_message(bytes(message))
                challenge = Challenge(challenge_id="done", video_url=URL, deadline=0.0, submitted_at=0.0)
                data = pack_answer(Answer("done", b"{1}", partial=False, timeline={}))
                connection.set(content_key("done"), content_digest(challenge))
                connection.set(answer_key("done"), data)
                reply.try_to_publish(asked.token, data, connection)
                first = await caller
                connection.delete("touchline")
                again = await client.submit(f"{URL}?X-Amz-Signature=1", challenge_id="done", deadline_s=60)
                assert again.body == first.body == b"{1}"
                with pytest.raises(InvalidChallenge, match="another challenge"):
                    await client.submit("https://example.org/other.mp4", challenge_id="done", deadline_s=60)
                assert not connection.llen("touchline"), "nothing was enqueued for them"

    asyncio.run(run())
    same = submit(URL, challenge_id="done", deadline_s=60, redis_url=valkey.url)
    assert same.wait().body == b"{1}"


@pytest.mark.parametrize("kept", [claim_key, answer_key], ids=["worked on", "answered"])
@pytest.mark.parametrize(
    "other",
    [
        {"video_url": "https://example.org/other.mp4"},
        {"video_url": f"{URL}?id=2"},
        {"video_url": URL, "kind": "tv_predict"},
        {"frames": [{"frame_id": 0, "data": "aGk="}]},
    ],
    ids=["address", "query", "kind", "pictures"],
)
def test_another_challenge_of_an_id_is_refused_before_it_is_enqueued(
    valkey: EmbeddedValkey, kept: Callable[[str], str], other: dict[str, Any]
) -> None:
    settings = load_settings(redis_url=valkey.url, served_kinds=("gsr", "tv_predict"))
    first = Challenge(challenge_id="one", video_url=f"{URL}?id=1", deadline=0.0, submitted_at=0.0)

    async def run() -> None:
        async with Client(settings=settings) as client:
            with pytest.raises(InvalidChallenge, match="needs an id of its own"):
                await client.submit(**other, challenge_id="one", deadline_s=20)

    with redis.Redis.from_url(valkey.url) as connection:
        connection.set(content_key("one"), content_digest(first))
        connection.set(kept("one"), "any")
        asyncio.run(run())
        assert not connection.llen("touchline")


def signal_all(pids: list[int], signum: int) -> None:
    for pid in pids:
        send_signal(pid, signum)


def test_a_redis_that_does_not_answer_costs_no_more_than_the_deadline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shared_client, "TURN_S", 60.0)
    monkeypatch.setattr(shared_client, "COMMAND_S", 60.0)

    async def run(server: EmbeddedValkey) -> None:
        async with Client(server.url) as client:
            caller = asyncio.create_task(client.submit(URL, deadline_s=3.0))
            with redis.Redis.from_url(server.url) as connection:
                await queued(connection)
            assert server.part is not None
            family = descendants(server.part.pid)
            signal_all(family, signal.SIGSTOP)
            try:
                with pytest.raises(QueueUnavailable):
                    await asyncio.wait_for(caller, 30)
            finally:
                signal_all(family, signal.SIGCONT)

    with EmbeddedValkey() as server:
        asyncio.run(run(server))


def test_a_thread_that_waits_does_not_outlast_its_deadline_where_redis_does_not_answer() -> None:
    with EmbeddedValkey() as server, concurrent.futures.ThreadPoolExecutor(1) as pool:
        caller = submit(URL, redis_url=server.url, deadline_s=1.5)
        assert server.part is not None
        family = descendants(server.part.pid)
        signal_all(family, signal.SIGSTOP)
        try:
            with pytest.raises(QueueUnavailable):
                pool.submit(caller.wait).result(20)
        finally:
            signal_all(family, signal.SIGCONT)


def test_a_caller_that_is_cancelled_while_redis_is_away_is_cancelled_all_the_same() -> None:
    async def run(server: EmbeddedValkey) -> None:
        caller = asyncio.ensure_future(_awaited(submit(URL, redis_url=server.url, deadline_s=60)))
        await asyncio.sleep(0)
        await asyncio.to_thread(server.close)
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller

    async def _awaited(caller: Submission) -> Answer:
        return await caller

    with EmbeddedValkey() as server:
        asyncio.run(run(server))


def test_a_thread_that_is_interrupted_while_redis_is_away_is_interrupted_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Interrupted(redis.Redis):
        def blmove(self, *_: Any, **__: Any) -> Any:
            raise KeyboardInterrupt

    with EmbeddedValkey() as server:
        caller = submit(URL, redis_url=server.url, deadline_s=60)
        server.close()
        monkeypatch.setattr(submission, "connect", lambda *_, **__: Interrupted())
        with pytest.raises(KeyboardInterrupt):
            caller.wait()


def test_a_redis_that_goes_away_behind_the_reply_costs_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    class GoesAway(redis.Redis):
        def delete(self, *_: Any) -> Any:
            server.close()
            return super().delete("any")

    with EmbeddedValkey() as server:
        caller = submit(URL, redis_url=server.url, deadline_s=2)
        answer_all(server.url, 1)
        monkeypatch.setattr(submission, "connect", lambda url, **_: GoesAway.from_url(url, retry=None))
        assert caller.wait().body == b"{}"


OPEN_AND_CLOSE = """
import asyncio, sys
from tasks.client import Client

async def run(count):
    for number in range(count):
        client = Client(sys.argv[1])
        await client.__aenter__()
        await asyncio.sleep(number * 0.004 / count)
        await asyncio.wait_for(client.__aexit__(None, None, None), 10)

asyncio.run(run(100))
"""


def test_clients_close_at_once_however_their_end_falls(valkey: EmbeddedValkey) -> None:
    """Python 3.11's `wait_for`, which redis-py calls, swallows a cancellation at some moments.

    A process of its own: a connection that redis-py forgets at such a moment is closed with it.
    """
    done = subprocess.run(
        [sys.executable, "-c", OPEN_AND_CLOSE, valkey.url],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_a_client_whose_closing_is_cancelled_leaves_no_task_behind() -> None:
    async def run(port: int) -> None:
        client = Client(f"redis://127.0.0.1:{port}/0")
        await client.__aenter__()
        closing = asyncio.create_task(client.__aexit__(None, None, None))
        await asyncio.sleep(0.1)
        assert not closing.done(), "it waits until the connection that listens was tried"
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        left = [task for task in asyncio.all_tasks() if task.get_name() == "touchline-replies"]
        if left:
            done, _ = await asyncio.wait(left, timeout=10)
            assert done, "it listens for ever"

    with socket.create_server(("127.0.0.1", 0)) as silent:
        asyncio.run(run(silent.getsockname()[1]))


def test_what_nobody_understands_on_the_channel_costs_no_caller_its_reply(valkey: EmbeddedValkey) -> None:
    async def run() -> Answer:
        async with Client(valkey.url) as client:
            caller = asyncio.create_task(client.submit(URL, challenge_id="heard", deadline_s=60))
            with redis.Redis.from_url(valkey.url) as connection:
                await queued(connection)
                connection.publish("touchline:replied", b"\xff\xfe")
            await asyncio.to_thread(answer_all, valkey.url, 1)
            return await caller

    assert asyncio.run(run()).challenge_id == "heard"


def test_callers_go_on_waiting_when_redis_loses_its_data() -> None:
    async def run(server: EmbeddedValkey) -> Answer:
        async with Client(server.url) as client:
            caller = asyncio.create_task(client.submit(URL, challenge_id="kept", deadline_s=60))
            with redis.Redis.from_url(server.url) as connection:
                await queued(connection)
            await asyncio.to_thread(server.close)
            await asyncio.to_thread(server.restart)
            await asyncio.to_thread(answer_all, server.url, 1)
            return await caller

    with EmbeddedValkey() as server:
        assert asyncio.run(run(server)).challenge_id == "kept"


def test_connections_that_were_open_before_redis_restarted_cost_no_challenge() -> None:
    async def run(server: EmbeddedValkey) -> list[Any]:
        async with Client(settings=load_settings(redis_url=server.url, max_queue=1000)) as client:

            async def ask(name: str) -> list[Any]:
                asked = (client.submit(URL, challenge_id=f"{name}-{n}", deadline_s=0.5) for n in range(20))
                return await asyncio.gather(*asked, return_exceptions=True)

            await ask("before")
            await asyncio.to_thread(server.close)
            await asyncio.to_thread(server.restart)
            return await ask("after")

    with EmbeddedValkey() as server:
        found = asyncio.run(run(server))
    assert {type(one) for one in found} == {DeadlineExceeded}, "each was enqueued, and nobody works"


class Proxy:
    """Stands between a client and Redis, and can fall silent on the connection that listens."""

    def __init__(self, port: int) -> None:
        self._redis_port = port
        self._silent: set[asyncio.StreamWriter] = set()
        self._carrying: set[asyncio.Task[None]] = set()
        self._writers: list[asyncio.StreamWriter] = []
        self.listeners: list[asyncio.StreamWriter] = []
        self.port = 0

    async def __aenter__(self) -> Proxy:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for writer in self._writers:
            writer.close()
        await asyncio.gather(*self._carrying, return_exceptions=True)

    def fall_silent(self) -> None:
        """As where a router has forgotten the connection, or the server's machine has lost its power."""
        self._silent.update(self.listeners)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._redis_port)
        self._writers += [writer, back]
        for task in (self._carry(reader, back, writer), self._carry(there, writer, writer)):
            self._carrying.add(asyncio.create_task(task))

    async def _carry(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, client: asyncio.StreamWriter
    ) -> None:
        while data := await source.read(65_536):
            if b"SUBSCRIBE" in data and client not in self.listeners:
                self.listeners.append(client)
            if client not in self._silent:
                sink.write(data)
        sink.close()


def test_a_connection_that_has_fallen_silent_is_noticed_and_opened_again(
    valkey: EmbeddedValkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_client, "LISTEN_S", 0.2)

    async def run() -> None:
        async with Proxy(valkey.port) as proxy, Client(f"redis://127.0.0.1:{proxy.port}/0") as client:
            await asyncio.wait_for(client._listening.wait(), 20)
            await asyncio.sleep(1)
            assert len(proxy.listeners) == 1, "one on which nothing is said lives all the same"
            proxy.fall_silent()
            while len(proxy.listeners) < 2:
                await asyncio.sleep(0.02)
            caller = asyncio.create_task(client.submit(URL, challenge_id="again", deadline_s=20))
            await asyncio.to_thread(answer_all, valkey.url, 1)
            assert (await caller).challenge_id == "again"

    asyncio.run(asyncio.wait_for(run(), 30))


def test_an_answer_that_nobody_announced_is_found_all_the_same(valkey: EmbeddedValkey) -> None:
    async def run() -> Answer:
        async with Client(valkey.url) as client:
            caller = asyncio.create_task(client.submit(URL, challenge_id="quiet", deadline_s=60))
            with redis.Redis.from_url(valkey.url) as connection:
                await queued(connection)
                (message,) = connection.lrange("touchline", 0, -1)
                data = pack_answer(Answer("quiet", b"{}", partial=False, timeline={}))
                connection.rpush(reply_key(check_message(bytes(message)).token), data)
            return await caller

    assert asyncio.run(run()).challenge_id == "quiet"


def test_what_cannot_be_answered_is_a_typed_error(valkey: EmbeddedValkey) -> None:
    async def run() -> None:
        async with Client(valkey.url) as client:
            with pytest.raises(InvalidChallenge):
                await client.submit("")
            with pytest.raises(DeadlineExceeded):
                await client.submit(URL, deadline_s=0.1)
        async with Client(f"redis://127.0.0.1:{free_port()}/0") as client:
            with pytest.raises(QueueUnavailable, match="cannot be reached"):
                await client.submit(URL, deadline_s=5)
        with pytest.raises(QueueUnavailable, match="not open"):
            await Client(valkey.url).submit(URL, deadline_s=5)

    asyncio.run(run())


def test_a_caller_hears_which_stages_begin(worker: WorkerProcess, clip_url: str) -> None:
    def fails(progress: Progress) -> None:
        raise RuntimeError("a fault of the caller's")

    async def run() -> list[Progress]:
        heard: list[Progress] = []
        async with Client(worker.redis_url) as client:
            # before the connection that listens is there
            answer, other = await asyncio.gather(
                client.submit(clip_url, deadline_s=60, on_progress=heard.append),
                client.submit(f"{clip_url}?again=1", deadline_s=60, on_progress=fails),
            )
            assert not answer.partial
            assert not other.partial, "its own fault costs nobody an answer"
            with pytest.raises(SourceRejected):
                await client.submit(f"{clip_url}.missing", deadline_s=60)
        return heard

    heard = asyncio.run(run())

    stages = [progress.stage for progress in heard]
    assert stages.index("download") < stages.index("fill") < stages.index("encode")
    assert len(stages) == len(set(stages))
    times = [progress.seconds for progress in heard]
    assert times == sorted(times)


@pytest.mark.parametrize("stage", ["download", "decode", "inference", "track"])
def test_a_caller_that_goes_away_ends_the_work_in_every_stage_and_leaves_nothing_wrong(
    worker: WorkerProcess, clip_url: str, stage: str
) -> None:
    async def run() -> tuple[bytes, bytes]:
        async with Client(worker.redis_url) as client:
            before = await client.submit(f"{clip_url}?before={stage}", deadline_s=60)
            there = asyncio.Event()

            def hear(progress: Progress) -> None:
                if progress.stage == stage:
                    there.set()

            name = f"gone-in-{stage}"
            caller = asyncio.create_task(
                # slowly enough not to be over when the worker looks whether anybody still waits
                client.submit(f"{clip_url}?rate=40000", challenge_id=name, deadline_s=120, on_progress=hear)
            )
            await asyncio.wait_for(there.wait(), 60)
            caller.cancel()
            with pytest.raises(asyncio.CancelledError):
                await caller
            with redis.Redis.from_url(worker.redis_url) as connection:
                while connection.exists(claim_key(name)):
                    await asyncio.sleep(0.01)
                assert not connection.exists(answer_key(name)), "it was not answered"
            after = await client.submit(f"{clip_url}?after={stage}", deadline_s=60)
            return before.body, after.body

    before, after = asyncio.run(run())
    assert frames_part(after) == frames_part(before)
