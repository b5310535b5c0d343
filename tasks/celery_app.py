"""The Celery app and its configuration. Never imports torch: clients and the worker's parent load this."""

from __future__ import annotations

from celery import Celery
from kombu.transport import TRANSPORT_ALIASES

from services.redis_connection import SENTINEL_OPTIONS
from services.settings import Settings, get_settings
from services.settings.redis_url import celery_url, sentinel_address

VISIBILITY_S = 7200.0
"""Seconds after which Celery delivers an unacknowledged message again: longer than any deadline, because lost
workers are noticed otherwise (tasks/lost_challenges.py)."""

for _scheme in ("redis", "rediss"):
    TRANSPORT_ALIASES[_scheme] = "tasks.transport:Transport"
TRANSPORT_ALIASES["sentinel"] = "tasks.transport:SentinelTransport"


def make_app(settings: Settings) -> Celery:
    """The app for a set of settings."""
    app = Celery(
        "touchline",
        broker=celery_url(settings.broker_url),
        # answers travel apart (tasks/reply.py) and Flower reads events: nothing would read a result
        backend=None,
        include=["tasks.challenge", "tasks.ended_by_celery", "tasks.lifecycle", "tasks.child_report"],
    )
    app.conf.update(
        # the message is a small dict; pickle would let whoever reaches Redis run code
        task_serializer="json",
        result_serializer="json",
        accept_content=["json"],
        task_default_queue=settings.queue_name,
        # a queued challenge must not sit behind a busy worker beside an idle one
        worker_prefetch_multiplier=1,
        worker_disable_prefetch=True,
        # the message outlives a worker that dies with it ...
        task_acks_late=True,
        # ... and a failed challenge is answered with its error, not run again
        task_acks_on_failure_or_timeout=True,
        worker_concurrency=settings.child_count(len(settings.listed_gpus)),
        worker_pool="prefork",
        # imports, models and warm-up happen in the child before it counts as up; 4 s would kill it for ever
        worker_proc_alive_timeout=float(settings.worker_start_timeout_s),
        # reconnecting is the worker's business at every start, also when Redis comes up after it
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options={
            "visibility_timeout": VISIBILITY_S,
            # submitting while Redis is away fails at once instead of hanging
            "socket_connect_timeout": 2.0,
            # redis-py 8 would end the worker's blocking reads after 5 s
            "socket_timeout": None,
            "health_check_interval": 10,
            **_sentinel_options(settings.broker_url),
        },
        task_ignore_result=True,
        # events feed Flower; without them states stick
        worker_send_task_events=True,
        task_send_sent_event=True,
        task_track_started=True,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        timezone="UTC",
    )
    from tasks.capacity_report import ReportCapacity
    from tasks.lost_challenges import WatchLostChallenges
    from tasks.metrics_endpoint import ServeMetrics
    from tasks.ready import WaitUntilWarm

    app.steps["worker"].update((ServeMetrics, WaitUntilWarm, WatchLostChallenges, ReportCapacity))
    return app


def _sentinel_options(url: str) -> dict[str, object]:
    address = sentinel_address(url)
    if address is None:
        return {}
    return {"master_name": address.name, "sentinel_kwargs": SENTINEL_OPTIONS}


def worker_argv(settings: Settings, children: int) -> list[str]:
    """The arguments of `celery -A tasks` that start a worker as this project wants it.

    Args:
        settings: Queue and log level.
        children: Child processes.
    """
    return [
        "worker",
        "--queues",
        settings.queue_name,
        "--concurrency",
        str(children),
        "--loglevel",
        settings.log_level,
        "--task-events",
        # gossip and mingle cost seconds at the start and serve nothing here
        "--without-gossip",
        "--without-mingle",
    ]


app = make_app(get_settings())
