"""Traces through OpenTelemetry: from the front end's request over the queue to the stages in the worker.

Nothing of OpenTelemetry is imported unless OTEL_EXPORTER_OTLP_ENDPOINT is set. Spans of the worker are made
when a challenge has ended, from its timeline; sending them is the business of a thread.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import unquote

from services.errors import MissingExtra
from services.monitoring.outcome import Outcome
from services.monitoring.redaction import redact
from services.monitoring.trace_spans import (
    PREFIX,
    StageSpan,
    nanoseconds,
    outcome_attributes,
    stage_spans,
    whole_span,
)
from services.settings import Settings

FRONT_END: Final = "touchline-front-end"
GATEWAY: Final = "touchline-gateway"
WORKER: Final = "touchline-worker"

SEND_EVERY_MS: Final = 1000
"""Milliseconds between two messages to the collector: a trace is to be seen soon after its challenge."""
SEND_S: Final = 2.0
"""Seconds for one message; a process that ends does not wait longer for a collector that is away."""
PATH: Final = "/v1/traces"
"""Where a collector takes traces, below OTEL_EXPORTER_OTLP_ENDPOINT, by the rules of OTLP over HTTP."""


class _Process:
    """What this process traces with; nothing unless the setting is set."""

    lock = threading.Lock()
    provider: Any = None
    tracer: Any = None


def begin(settings: Settings, service: str) -> None:
    """Trace from now on if the settings say so; a second call in a process changes nothing.

    Args:
        settings: Where to send traces.
        service: The name under which this process is shown.

    Raises:
        MissingExtra: The settings say so and OpenTelemetry is not installed.
    """
    if settings.otel_exporter_otlp_endpoint is None:
        return
    with _Process.lock:
        if _Process.tracer is None:
            _Process.provider = _provider(settings, service)
            _Process.tracer = _Process.provider.get_tracer("touchline")


def end() -> None:
    """Send what was not sent yet, and trace no more."""
    with _Process.lock:
        if _Process.provider is not None:
            _Process.provider.shutdown()
        _Process.provider = _Process.tracer = None


@contextmanager
def request_span(name: str, seconds_ago: float) -> Iterator[None]:
    """Trace the body of a `with` as the answer to a request, in which a trace begins.

    Args:
        name: Method and route.
        seconds_ago: How long ago the request arrived.
    """
    if _Process.tracer is None:
        yield
        return
    from opentelemetry.context import Context
    from opentelemetry.trace import SpanKind

    started = time.time_ns() - nanoseconds(seconds_ago)
    # whatever trace a stranger's header names is not continued: an empty context has no parent
    with _Process.tracer.start_as_current_span(
        name, Context(), SpanKind.SERVER, start_time=started, record_exception=False
    ):
        yield


@contextmanager
def submit_span(settings: Settings, challenge_id: str, kind: str) -> Iterator[str | None]:
    """Trace the body of a `with` as the submission of a challenge.

    It belongs to the span that is current in the caller, if there is one.

    Yields:
        The header `traceparent` of the W3C for the message on the queue; None without tracing.

    Raises:
        MissingExtra: See `begin`.
    """
    begin(settings, FRONT_END)
    if _Process.tracer is None:
        yield None
        return
    from opentelemetry.trace import SpanKind
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    attributes = {PREFIX + "challenge_id": challenge_id, PREFIX + "kind": kind}
    with _Process.tracer.start_as_current_span(
        "submit", kind=SpanKind.PRODUCER, attributes=attributes, record_exception=False
    ):
        headers: dict[str, str] = {}
        TraceContextTextMapPropagator().inject(headers)
        yield headers.get("traceparent")


def record_result_wait(timeline: Mapping[str, Any], traceparent: str | None) -> None:
    """Add the stage `result_wait`, which only the front end knows, to the trace of a challenge.

    Args:
        timeline: With that stage, if it was waited for at all.
        traceparent: What `submit_span` gave.
    """
    if _Process.tracer is None or traceparent is None:
        return
    for span in stage_spans(timeline) if "result_wait" in timeline.get("stages", {}) else ():
        if span.name == "result_wait":
            _add(span, _context(traceparent))


def record(outcome: Outcome, traceparent: str | None) -> None:
    """Add a challenge that has ended to the trace in which it was submitted, as `answer` with its stages.

    Args:
        outcome: How it ended.
        traceparent: The header of its message; without one it is a trace of its own.
    """
    if _Process.tracer is None:
        return
    from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context

    sender = _context(traceparent)
    started, ended = whole_span(outcome.timeline)
    answer = _Process.tracer.start_span(
        "answer", sender, SpanKind.CONSUMER, outcome_attributes(outcome), start_time=started
    )
    if outcome.error:
        answer.set_status(Status(StatusCode.ERROR, redact(outcome.message)))
    contexts = {"": set_span_in_context(answer, sender)}
    for span in stage_spans(outcome.timeline):
        # it ended when the worker's part began
        above = sender if span.name == "queue" and traceparent is not None else contexts[span.within]
        contexts[span.name] = set_span_in_context(_add(span, above), above)
    answer.end(ended)


def _add(span: StageSpan, above: Any) -> Any:
    made = _Process.tracer.start_span(
        span.name, above, attributes={PREFIX + "busy_s": span.busy_s}, start_time=span.start_ns
    )
    made.end(span.end_ns)
    return made


def _context(traceparent: str | None) -> Any:
    """What a header says; empty where it is none."""
    from opentelemetry.context import Context
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier = {} if traceparent is None else {"traceparent": traceparent}
    return TraceContextTextMapPropagator().extract(carrier, Context())


def _provider(settings: Settings, service: str) -> Any:
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise MissingExtra(
            "OTEL_EXPORTER_OTLP_ENDPOINT needs the extra [tracing]: pip install 'touchline[tracing]'"
        ) from error
    exporter = OTLPSpanExporter(
        endpoint=f"{settings.otel_exporter_otlp_endpoint}".rstrip("/") + PATH,
        headers=_headers(settings.otel_exporter_otlp_headers),
        timeout=SEND_S,
    )
    resource = Resource.create({"service.name": service, "service.namespace": "touchline"})
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=SEND_EVERY_MS))
    return provider


def _headers(text: str | None) -> dict[str, str]:
    """Names and values in `name=value,name=value`, whose values are percent-encoded."""
    pairs = (part.partition("=") for part in (text or "").split(",") if part.strip())
    return {name.strip().lower(): unquote(value.strip()) for name, _, value in pairs}
