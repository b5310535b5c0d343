"""Counters of the gateway, in the text format of Prometheus."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

BUCKETS: Final = (0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0, 12.0, 20.0, 30.0)
"""Upper limits of the histogram, seconds: a rejection takes milliseconds, a challenge up to 30 s."""


class GatewayMetrics:
    """Counts requests; a registry of its own, so that nothing else is exposed here."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        labels = ["route", "status"]
        self._requests = Counter("touchline_gateway_requests", "Requests", labels, registry=self._registry)
        self._seconds = Histogram(
            "touchline_gateway_seconds",
            "Seconds from arrival to answer",
            ["route"],
            buckets=BUCKETS,
            registry=self._registry,
        )
        self._waiting = Gauge("touchline_gateway_waiting", "Requests that wait", registry=self._registry)
        self._workers = Gauge("touchline_gateway_warm_workers", "Warm workers", registry=self._registry)
        self._age = Gauge(
            "touchline_gateway_metagraph_age_seconds", "Age of the snapshot", registry=self._registry
        )

    def answered(self, route: str, status: int, seconds: float) -> None:
        """Count a request."""
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def text(self, waiting: int, workers: int, metagraph_age_s: float | None) -> bytes:
        """All of it."""
        self._waiting.set(waiting)
        self._workers.set(workers)
        self._age.set(-1.0 if metagraph_age_s is None else metagraph_age_s)
        return generate_latest(self._registry)
