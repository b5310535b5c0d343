"""Traces: the spans that a timeline makes, what is loaded for them, and what is said when that is missing."""

from __future__ import annotations

import subprocess
import sys

import pytest

from services.errors import SettingsError
from services.monitoring.outcome import Outcome
from services.monitoring.trace_spans import outcome_attributes, stage_spans, whole_span
from services.monitoring.tracing import _headers
from services.settings import load_settings

TIMELINE = {
    "version": 2,
    "began": 1000.0,
    "total": 1.5,
    "stages": {
        "queue": {"start": -0.25, "end": 0.0, "busy": 0.25},
        "tls": {"start": 0.2, "end": 0.3, "busy": 0.1},
        "connect": {"start": 0.1, "end": 0.3, "busy": 0.2},
        "inference_pitch": {"start": 0.5, "end": 1.25, "busy": 0.5},
    },
    "facts": {"frames": 750, "protocol": "HTTP/2", "broke_off": "https://u:p@host/?key=secret", "gone": None},
}


def test_stages_become_spans_on_the_clock_of_the_timeline() -> None:
    spans = {span.name: span for span in stage_spans(TIMELINE)}
    assert (spans["queue"].start_ns, spans["queue"].end_ns) == (999_750_000_000, 1_000_000_000_000)
    assert spans["inference_pitch"].busy_s == 0.5
    assert whole_span(TIMELINE) == (1_000_000_000_000, 1_001_500_000_000)


def test_a_part_stands_within_its_stage_and_behind_it() -> None:
    spans = stage_spans(TIMELINE)
    names = [span.name for span in spans]
    assert names.index("connect") < names.index("tls")
    within = {span.name: span.within for span in spans}
    assert within["tls"] == "connect"
    # the stage that it belongs to is not there
    assert within["inference_pitch"] == ""


def test_facts_become_attributes_without_secrets() -> None:
    found = outcome_attributes(
        Outcome("one", "gsr", "error", TIMELINE, margin_s=2.0, error="CorruptVideo", stage="decode")
    )
    assert found["touchline.frames"] == 750
    assert found["error.type"] == "CorruptVideo"
    assert found["touchline.error_stage"] == "decode"
    assert "secret" not in str(found)
    assert "touchline.gone" not in found


def test_headers_are_percent_encoded() -> None:
    assert _headers("api-key=a%2Cb, X-Team = us") == {"api-key": "a,b", "x-team": "us"}
    assert _headers(None) == {}


@pytest.mark.parametrize("url", ["collector:4318", "ftp://host", "http://"])
def test_an_endpoint_that_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="OTEL_EXPORTER_OTLP_ENDPOINT"):
        load_settings(otel_exporter_otlp_endpoint=url)


def test_the_headers_of_a_collector_are_not_shown() -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(otel_exporter_otlp_headers="token-without-a-name")
    assert "token-without-a-name" not in str(caught.value)


SUBMIT = """
import sys
from services.errors import MissingExtra, QueueUnavailable
from tasks.client import submit
{before}
try:
    submit("https://host/clip.mp4", redis_url="redis://127.0.0.1:9/0")
except (MissingExtra, QueueUnavailable) as error:
    print(type(error).__name__, error)
# redis-py looks for OpenTelemetry's metrics by itself
ours = ("opentelemetry.sdk.trace", "opentelemetry.exporter")
print(sorted(name for name in sys.modules if name.startswith(ours)))
"""


def submitted(before: str, **env: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", SUBMIT.format(before=before)],
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_nothing_is_loaded_without_the_setting() -> None:
    error, loaded = submitted("")
    assert error.startswith("QueueUnavailable")
    assert loaded == "[]"


def test_the_setting_without_the_extra_says_what_to_install() -> None:
    error, _ = submitted(
        "sys.modules['opentelemetry'] = None", OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:4318"
    )
    assert error.startswith("MissingExtra")
    assert "pip install 'touchline[tracing]'" in error


def test_a_collector_that_is_away_stops_nobody() -> None:
    error, loaded = submitted("", OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9")
    assert error.startswith("QueueUnavailable")
    assert loaded != "[]"
