"""The metrics of one worker: what all its processes counted, its children, the queue, the devices."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import redis
from celery import bootsteps

from services.monitoring.devices import device_use
from services.monitoring.metrics import is_counting, multiprocess_registry
from services.redis_connection import connect
from services.settings import Settings, get_settings
from tasks import ready
from tasks.child_report import ChildReport, read_reports
from tasks.queue_state import queue_state

log = logging.getLogger(__name__)

STATES: Final = (ready.WARMING, ready.READY, ready.BUSY, ready.FAILED)
REDIS_S: Final = 2.0
"""Seconds that Redis gets to answer while metrics are collected."""


class ServeMetrics(bootsteps.StartStopStep):
    """Serves the metrics from the worker's parent, once its children are forked."""

    requires = ("celery.worker.components:Pool",)

    def start(self, worker: Any) -> None:
        """Begin."""
        start_metrics_server(get_settings())


def start_metrics_server(settings: Settings) -> None:
    """Serve the metrics on METRICS_ADDRESS:METRICS_PORT from a thread of this process; 0: do nothing."""
    if not settings.metrics_port or not is_counting():
        return
    from prometheus_client import start_http_server

    registry = multiprocess_registry()
    registry.register(WorkerCollector(settings))
    try:
        start_http_server(settings.metrics_port, settings.metrics_address, registry)
    except OSError as error:
        # a worker without metrics still answers challenges
        log.error("METRICS_PORT=%d cannot be listened on: %s", settings.metrics_port, error)


class WorkerCollector:
    """What is looked up when metrics are asked for.

    Args:
        settings: Redis, queue and state folder.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._redis = connect(settings.broker_url, socket_timeout=REDIS_S, socket_connect_timeout=REDIS_S)

    def collect(self) -> Iterator[Any]:
        """The metrics of this moment."""
        reports = read_reports()
        yield from _children(reports)
        yield from _pools(reports)
        yield from self._queue()
        yield from _devices()

    def _queue(self) -> Iterator[Any]:
        from prometheus_client.core import GaugeMetricFamily

        try:
            state = queue_state(self._redis, self._settings.queue_name)
        except (redis.exceptions.RedisError, OSError):
            yield GaugeMetricFamily("touchline_redis_up", "Whether Redis answers this worker", 0)
            return
        yield GaugeMetricFamily("touchline_redis_up", "Whether Redis answers this worker", 1)
        yield GaugeMetricFamily("touchline_queue_depth", "Challenges that wait", state.depth)
        yield GaugeMetricFamily(
            "touchline_queue_oldest_seconds", "Seconds for which the oldest has waited", state.oldest_s
        )


def _children(reports: list[ChildReport]) -> Iterator[Any]:
    from prometheus_client.core import GaugeMetricFamily

    family = GaugeMetricFamily("touchline_children", "Child processes by their state", labels=["state"])
    counted = Counter(report.state for report in reports)
    for state in STATES:
        family.add_metric([state], counted[state])
    yield family


def _pools(reports: list[ChildReport]) -> Iterator[Any]:
    """The pools of all children together."""
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    pools = [report.pool for report in reports if report.pool is not None]
    open_family = GaugeMetricFamily("touchline_pool_open", "Open connections", labels=["origin", "protocol"])
    opened: Counter[tuple[str, str]] = Counter()
    for pool in pools:
        for connection in pool.connections:
            opened[connection["origin"].rstrip("/"), connection["protocol"]] += 1
        for info in pool.range_connections:
            opened[info["origin"].rstrip("/"), "range"] += info["open"]
    for (origin, protocol), count in sorted(opened.items()):
        open_family.add_metric([origin, protocol], count)
    yield open_family
    for name, text, value in (
        ("touchline_pool_opened", "Connections opened", sum(pool.opened for pool in pools)),
        ("touchline_pool_requests", "Requests sent", sum(pool.requests for pool in pools)),
        ("touchline_pool_reused", "Requests on an open connection", sum(pool.reused for pool in pools)),
    ):
        yield CounterMetricFamily(name, text, value)
    warmed = [pool.warmed_at for pool in pools if pool.warmed_at is not None]
    if warmed:
        yield GaugeMetricFamily(
            "touchline_pool_last_warm_seconds",
            "Seconds since the pool that was warmed longest ago was warmed",
            max(0.0, time.time() - min(warmed)),
        )


def _devices() -> Iterator[Any]:
    from prometheus_client.core import GaugeMetricFamily

    memory = GaugeMetricFamily(
        "touchline_device_memory_bytes", "Memory of the device", labels=["device", "what"]
    )
    busy = GaugeMetricFamily("touchline_device_busy_ratio", "Share of time it computes", labels=["device"])
    for device in device_use():
        memory.add_metric([device.name, "used"], device.used_bytes)
        memory.add_metric([device.name, "total"], device.total_bytes)
        busy.add_metric([device.name], device.busy_ratio)
    yield memory
    yield busy
