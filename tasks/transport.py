"""Celery's Redis transport, made to outlive what may lie on the queue and what may happen to the server.

It differs in two things. A message that is not one of ours is set aside instead of ending the worker. And an
error that the server answers (a replica that takes no writes, a full server, a key of another type) counts as
a broken connection, after which the worker connects again, instead of ending it.
"""

from __future__ import annotations

import logging
import time
from queue import Empty
from typing import Any

import redis
from kombu.transport import redis as kombu_redis

from services.errors import InvalidChallenge
from services.settings import get_settings
from services.wire.reply import pack_error
from tasks import reply
from tasks.dead_letters import set_aside
from tasks.envelope import BadMessage, check_message

log = logging.getLogger(__name__)

PAUSE_S = 0.5
"""Seconds before the connection is given up after the server refused to be read from: the refusals come at
once, and would otherwise make the worker spin."""


class QoS(kombu_redis.QoS):
    """Keeps the messages that are delivered and not yet acknowledged."""

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

    def _brpop_read(self, **options: Any) -> bool:
        """Read the message that BRPOP brought.

        Follows the method that it replaces, but for the check and for what a refusal leads to.
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
                if queue == get_settings().queue_name:
                    check_message(found[1])
            except BadMessage as error:
                self._refuse(queue, found[1], error)
            else:
                self.connection._deliver(kombu_redis.loads(found[1].decode()), queue)
            return True
        finally:
            self._in_poll = None
            self._flush_brpop_reauth()

    def _refuse(self, queue: str, data: bytes, error: BadMessage) -> None:
        log.error("a message on the queue was set aside: %s", error.reason)
        with self.conn_or_acquire() as client:
            _put_aside(client, queue, data, error.reason)
        if error.token is not None:
            refusal = InvalidChallenge(f"the message was refused by the worker: {error.reason}")
            reply.try_to_publish(error.token, pack_error("", refusal))


class Transport(kombu_redis.Transport):
    """The transport behind `redis://`, `rediss://` and `redis+socket://`."""

    Channel = Channel
    connection_errors = (*kombu_redis.Transport.connection_errors, redis.exceptions.ResponseError)


def _put_aside(client: Any, queue: str, data: bytes, reason: str) -> None:
    try:
        set_aside(client, queue, data, reason)
    except redis.exceptions.RedisError as error:
        # the log has the reason; a full server must not end the worker either
        log.error("the message could not be kept in the dead-letter list: %s", error)
