"""Celery's Redis transport, made to outlive what may lie on the queue and what may happen to the server.

It differs in four things. A message that is not one of ours is set aside instead of ending the worker. An
error that the server answers (a replica that takes no writes, a full server, a key of another type) counts as
a broken connection, after which the worker connects again, instead of ending it. A message that is delivered
is recorded with the worker that has it, so that another one notices when that worker is lost. And purging the
queue answers the callers whose challenges are purged.
"""

from __future__ import annotations

import logging
import time
from queue import Empty
from typing import Any

import msgspec
import redis
from celery.worker import state
from kombu.transport import redis as kombu_redis

from services.errors import Cancelled, InvalidChallenge
from services.monitoring.metrics import count_queue_event
from services.settings import get_settings
from services.wire.reply import pack_error
from tasks import ready, reply
from tasks.dead_letters import set_aside
from tasks.deliveries import DELIVERIES_KEY, UNACKED_INDEX_KEY, UNACKED_KEY, UNACKED_MUTEX_KEY, Delivery
from tasks.identity import worker_name
from tasks.queue_message import Accepted, BadMessage, check_message

log = logging.getLogger(__name__)

PAUSE_S = 0.5
"""Seconds before the connection is given up after the server refused to be read from: the refusals come at
once, and would otherwise make the worker spin."""


class QoS(kombu_redis.QoS):
    """Keeps the messages that are delivered and not yet acknowledged."""

    def can_consume(self) -> bool:
        """Whether another message is taken from the queue now; commands come by channels of their own."""
        takes_challenges = get_settings().queue_name in self.channel.active_queues
        if takes_challenges and not ready.has_room(len(state.reserved_requests)):
            return False
        return bool(super().can_consume())

    def append(self, message: Any, delivery_tag: Any) -> None:
        """Keep a message, and record that this worker has it."""
        accepted = self.channel.accepted.pop(delivery_tag, None)
        if accepted is not None:
            delivery = Delivery(worker_name(), accepted.challenge_id, accepted.token, accepted.deadline)
            with self.channel.conn_or_acquire() as connection:
                connection.hset(DELIVERIES_KEY, delivery_tag, msgspec.json.encode(delivery))
        super().append(message, delivery_tag)

    def _remove_from_indices(self, delivery_tag: Any, pipe: Any = None) -> Any:
        return super()._remove_from_indices(delivery_tag, pipe).hdel(DELIVERIES_KEY, delivery_tag)

    def restore_by_tag(self, tag: Any, client: Any = None, leftmost: bool = False) -> None:
        """Put a message whose worker is lost back on the queue; one that cannot be read is set aside."""
        try:
            super().restore_by_tag(tag, client, leftmost)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            with self.channel.conn_or_acquire(client) as connection:
                data = connection.hget(self.unacked_key, tag) or b""
                _put_aside(connection, self.unacked_key, data, f"{type(error).__name__}: {error}")
                with connection.pipeline() as pipe:
                    self._remove_from_indices(tag, pipe).execute()


class Channel(kombu_redis.Channel):
    """Takes messages from the queue."""

    QoS = QoS
    unacked_key = UNACKED_KEY
    unacked_index_key = UNACKED_INDEX_KEY
    unacked_mutex_key = UNACKED_MUTEX_KEY
    # every key of this system begins with one word, which access rules can name (compose/redis/access)
    keyprefix_queue = "touchline:binding.%s"
    keyprefix_binding_deadlines = "touchline:binding-deadlines"
    keyprefix_binding_permanent = "touchline:binding-permanent.%s"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.accepted: dict[Any, Accepted] = {}
        """What is known of messages that are about to be delivered, by delivery tag."""

    def _brpop_read(self, **options: Any) -> bool:
        """Read the message that BRPOP brought.

        Follows the method that it replaces, but for the check and for what a message that fails it leads to.
        """
        connection = self.client.connection
        try:
            try:
                found = self.client.parse_response(connection, "BRPOP", **options)
            except redis.exceptions.ResponseError as error:
                log.warning("the server refuses to be read from (%s); connecting again", error)
                time.sleep(PAUSE_S)
                connection.disconnect()
                raise
            except self.connection_errors:
                connection.disconnect()
                raise
            if not found:
                raise Empty
            queue = found[0].decode().rsplit(self.sep, 1)[0]
            self._queue_cycle.rotate(queue)
            try:
                # Celery's own queues, such as that of replies to a ping, hold messages of other kinds
                accepted = check_message(found[1]) if queue == get_settings().queue_name else None
            except BadMessage as error:
                self._refuse(queue, found[1], error)
            else:
                message = kombu_redis.loads(found[1].decode())
                if accepted is not None:
                    self.accepted[message["properties"]["delivery_tag"]] = accepted
                self.connection._deliver(message, queue)
            return True
        finally:
            self._in_poll = None
            self._flush_brpop_reauth()

    def _purge(self, queue: str) -> int:
        """Empty a queue; whoever waits for one of its challenges is told."""
        if queue != get_settings().queue_name:
            return int(super()._purge(queue))
        purged = 0
        with self.conn_or_acquire() as client:
            while (data := client.rpop(queue)) is not None:
                purged += 1
                try:
                    accepted = check_message(data)
                except BadMessage:
                    # nobody who could be named waits for it
                    continue
                log.warning("challenge %s: purged from the queue", accepted.challenge_id)
                count_queue_event("purged")
                error = Cancelled("the queue was purged while the challenge was waiting in it", stage="queue")
                reply.try_to_publish(accepted.token, pack_error(accepted.challenge_id, error), client)
        return purged

    def _refuse(self, queue: str, data: bytes, error: BadMessage) -> None:
        log.error("a message on the queue was set aside: %s", error.reason)
        count_queue_event("set_aside")
        with self.conn_or_acquire() as client:
            _put_aside(client, queue, data, error.reason)
        if error.token is not None:
            invalid = InvalidChallenge(f"the message was refused by the worker: {error.reason}")
            reply.try_to_publish(error.token, pack_error("", invalid))


class Transport(kombu_redis.Transport):
    """The transport behind `redis://`, `rediss://` and `redis+socket://`."""

    Channel = Channel
    connection_errors = (*kombu_redis.Transport.connection_errors, redis.exceptions.ResponseError)


class SentinelChannel(Channel, kombu_redis.SentinelChannel):
    """Takes messages from the queue of the primary that Sentinels name."""


class SentinelTransport(Transport):
    """The transport behind `sentinel://`, into which Celery's form of `redis+sentinel://` is made."""

    default_port = kombu_redis.SentinelTransport.default_port
    Channel = SentinelChannel


def _put_aside(client: Any, queue: str, data: bytes, reason: str) -> None:
    try:
        set_aside(client, queue, data, reason)
    except redis.exceptions.RedisError as error:
        # the log has the reason; a full server must not end the worker either
        log.error("the message could not be kept in the dead-letter list: %s", error)
