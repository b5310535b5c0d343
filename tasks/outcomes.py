"""Telling how a challenge ended: one log line, the metrics, and its trace."""

from __future__ import annotations

import logging
import socket
import time
from functools import lru_cache
from typing import Any

import redis

from services.errors import ChallengeError
from services.monitoring import metrics, tracing
from services.monitoring.outcome import Outcome, Result
from services.redis_connection import connect
from services.settings import get_settings
from services.timeline import Timeline
from services.wire.challenge import Challenge
from tasks.events import compact, stage_summary
from tasks.recent import remember

log = logging.getLogger(__name__)


REDIS_S = 0.5
"""Seconds that Redis gets to take a challenge into the list of recent ones: nothing depends on it."""


@lru_cache(maxsize=1)
def _connection() -> redis.Redis:
    return connect(
        get_settings().broker_url, socket_timeout=REDIS_S, socket_connect_timeout=REDIS_S, retry=None
    )


def tell(
    challenge: Challenge | None,
    challenge_id: str,
    timeline: Timeline,
    result: Result,
    error: ChallengeError | None = None,
    traceparent: str | None = None,
) -> dict[str, Any]:
    """Log, count and trace how a challenge ended.

    Args:
        challenge: The challenge; None when its message is none.
        challenge_id: Its id, as far as the message told.
        timeline: Its stages.
        result: How it ended.
        error: Why it failed, if it did.
        traceparent: The trace that it belongs to, as its message named it.

    Returns:
        The summary, for Celery's events.
    """
    outcome = Outcome(
        challenge_id=challenge_id,
        kind=challenge.kind if challenge else "unknown",
        result=result,
        timeline=timeline.to_dict(),
        margin_s=challenge.deadline - time.time() if challenge else None,
        error=type(error).__name__ if error else "",
        stage=error.stage if error else "",
        message=str(error) if error else "",
    )
    metrics.observe(outcome, get_settings().batch_size)
    tracing.record(outcome, traceparent)
    summary = stage_summary(outcome)
    fields = {name: value for name, value in summary.items() if value != ""}
    if outcome.message:
        fields["message"] = outcome.message
    if outcome.margin_s is not None:
        fields["margin_ms"] = round(outcome.margin_s * 1000)
    log.log(logging.WARNING if error else logging.INFO, "challenge %s", result, extra={"fields": fields})
    remember(_connection(), socket.gethostname(), summary)
    return summary | {"timeline": compact(outcome.timeline)}
