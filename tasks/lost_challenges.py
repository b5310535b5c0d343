"""Challenges whose worker is lost are handed to another one within two seconds.

Each worker's parent says every quarter of a second that it lives, and looks through the deliveries of all
workers (`tasks.deliveries`). One whose worker no longer says so, and on which no process holds a claim, goes
back to the head of the queue while its deadline allows; otherwise its caller gets a typed error.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from typing import Any

import msgspec
import redis
from celery import bootsteps

from services.errors import ChallengeError, DeadlineExceeded, WorkerLost
from services.monitoring.logs import log_challenge
from services.monitoring.metrics import count_queue_event
from services.redis_connection import connect
from services.settings import get_settings
from services.timeline import Timeline
from services.wire.reply import claim_key, pack_error
from tasks import reply
from tasks.caller import Caller
from tasks.claims import LEASE_S
from tasks.deliveries import DELIVERIES_KEY, UNACKED_INDEX_KEY, UNACKED_KEY, Delivery, worker_key
from tasks.identity import is_dead, worker_name
from tasks.outcomes import tell

log = logging.getLogger(__name__)

LOOK_S = 0.25
"""Seconds between two looks."""
CONFIRMED_S = 0.3
"""Seconds for which a worker of another machine has to be missing: more than one look."""
RECONNECTED_S = 3.0
"""The same after Redis was away: by then every worker that lives has said so again."""
MAX_RETRIES = 1
"""How often a challenge whose process was lost is tried again: one that kills its worker ends there."""
CHILD_CHECK_S = 0.2
"""Seconds between two looks of Celery for children that ended; it looks every 5 s by default."""
KEPT_S = 86_400
"""Seconds after which the records of a deployment that is no longer there go."""
OVER_S = 60.0
"""Seconds behind its deadline after which a challenge is forgotten that nobody acknowledged."""
CONNECT_S = 1.0
"""Seconds for an answer of Redis: a look that hangs must not delay the next sign of life for long."""


class LostChallenges:
    """Looks for challenges whose worker is lost, and says that this worker lives.

    Args:
        client: Its own connection to Redis.
        worker: The name of this worker.
        queue: The queue of the challenges.
    """

    def __init__(self, client: redis.Redis, worker: str, queue: str) -> None:
        self._client = client
        self._worker = worker
        self._queue = queue
        self._missing: dict[bytes, float] = {}
        self._reached_since: float | None = None
        self._redis_now = 0.0

    def put_back(self) -> None:
        """Look for lost challenges once, and put them back or answer their callers.

        Raises:
            redis.exceptions.RedisError, OSError: Redis is away.
        """
        try:
            with self._client.pipeline(transaction=False) as pipe:
                pipe.set(worker_key(self._worker), "1", px=int(LEASE_S * 1000))
                pipe.expire(DELIVERIES_KEY, KEPT_S)
                pipe.hgetall(DELIVERIES_KEY)
                pipe.time()
                *_, found, clock = pipe.execute()
            self._redis_now = clock[0] + clock[1] / 1e6
            now = time.monotonic()
            if self._reached_since is None:
                self._reached_since = now
            self._missing = {tag: since for tag, since in self._missing.items() if tag in found}
            for tag, data in found.items():
                self._look_at(tag, data, now)
        except (redis.exceptions.RedisError, OSError):
            self._reached_since = None
            self._missing.clear()
            raise

    def _look_at(self, tag: bytes, data: bytes, now: float) -> None:
        try:
            delivery = msgspec.json.decode(data, type=Delivery)
        except msgspec.MsgspecError as error:
            log.error("a record of a delivery was removed: %s", error)
            self._client.hdel(DELIVERIES_KEY, tag)
            return
        if self._redis_now > delivery.deadline + OVER_S:
            self._forget(tag)
        elif delivery.worker == self._worker or not self._is_missing(delivery):
            self._missing.pop(tag, None)
        elif is_dead(delivery.worker) or now - self._missing.setdefault(tag, now) >= self._confirmed_s(now):
            self._missing.pop(tag, None)
            self._hand_on(tag, delivery)

    def _confirmed_s(self, now: float) -> float:
        assert self._reached_since is not None
        return CONFIRMED_S if now - self._reached_since > RECONNECTED_S else RECONNECTED_S

    def _is_missing(self, delivery: Delivery) -> bool:
        """Whether neither the worker nor the process that works on the challenge gives a sign of life."""
        with self._client.pipeline(transaction=False) as pipe:
            pipe.exists(worker_key(delivery.worker))
            pipe.get(claim_key(delivery.challenge_id))
            lives, holder = pipe.execute()
        if holder is not None and not is_dead(holder.decode()):
            return False
        return not lives or is_dead(delivery.worker)

    def _forget(self, tag: bytes) -> None:
        with self._client.pipeline() as pipe:
            pipe.zrem(UNACKED_INDEX_KEY, tag)
            pipe.hdel(UNACKED_KEY, tag)
            pipe.hdel(DELIVERIES_KEY, tag)
            pipe.execute()

    def _hand_on(self, tag: bytes, delivery: Delivery) -> None:
        """Put the message back at the head of the queue, or tell the caller why not. One worker succeeds."""
        outcome: list[ChallengeError | None] = []

        def transaction(pipe: Any) -> None:
            outcome.clear()
            held = pipe.hget(UNACKED_KEY, tag)
            pipe.multi()
            pipe.zrem(UNACKED_INDEX_KEY, tag)
            pipe.hdel(UNACKED_KEY, tag)
            pipe.hdel(DELIVERIES_KEY, tag)
            if held is None:
                return
            message, _, _ = json.loads(held)
            error = _error_of_lost(delivery, message, self._redis_now)
            outcome.append(error)
            if error is None:
                message["headers"]["retries"] = message["headers"].get("retries", 0) + 1
                pipe.rpush(self._queue, json.dumps(message))

        self._client.transaction(transaction, UNACKED_KEY, claim_key(delivery.challenge_id))
        for error in outcome:
            with log_challenge(delivery.challenge_id):
                if error is None:
                    log.warning("its worker (%s) is lost; back on the queue", delivery.worker)
                    count_queue_event("put_back")
                    continue
                data = pack_error(delivery.challenge_id, error)
                late = isinstance(error, DeadlineExceeded)
                caller = Caller(delivery.challenge_id, delivery.token)
                reply.publish(caller, data, reply.Sort.ERROR, for_first_only=late, by_holder=False)
                tell(None, delivery.challenge_id, Timeline(), "error", error)


def _error_of_lost(delivery: Delivery, message: dict[str, Any], now: float) -> ChallengeError | None:
    """Why a challenge is not tried again; `now` is by Redis's clock, as deadlines are."""
    if now >= delivery.deadline:
        return DeadlineExceeded("the deadline passed when its worker was lost", stage="worker")
    if message["headers"].get("retries", 0) >= MAX_RETRIES:
        return WorkerLost("the worker was lost that worked on the challenge, and so was another one before")
    return None


class WatchLostChallenges(bootsteps.StartStopStep):
    """Runs `LostChallenges` in a thread of the worker's parent, and has ended children noticed at once."""

    requires = ("tasks.ready:WaitUntilWarm",)

    def __init__(self, parent: Any, **kwargs: Any) -> None:
        super().__init__(parent, **kwargs)
        self._ended = threading.Event()

    def start(self, worker: Any) -> None:
        """Begin before the worker takes its first challenge."""
        settings = get_settings()
        client = connect(
            settings.broker_url, socket_timeout=CONNECT_S, socket_connect_timeout=CONNECT_S, retry=None
        )
        challenges = LostChallenges(client, worker_name(), settings.queue_name)
        threading.Thread(target=self._run, args=(challenges,), name="lost-challenges", daemon=True).start()
        if worker.hub is not None:
            worker.hub.call_repeatedly(CHILD_CHECK_S, worker.pool._pool.maintain_pool)

    def stop(self, worker: Any) -> None:
        """The worker has finished its challenges by then."""
        self._ended.set()

    def _run(self, challenges: LostChallenges) -> None:
        while not self._ended.wait(LOOK_S):
            try:
                challenges.put_back()
            except (redis.exceptions.RedisError, OSError) as error:
                log.warning("lost challenges cannot be looked for: %s", error)
