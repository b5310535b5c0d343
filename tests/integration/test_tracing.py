"""One connected trace from the gateway's request over the queue to the stages in a real worker."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from services.processes.embedded_valkey import EmbeddedValkey, free_port
from services.processes.supervised import SupervisedProcess
from tasks.worker_process import WorkerProcess, command
from tests.support.collector import Collector, Span
from tests.support.processes import wait_for
from tests.support.servers import MakeWorker
from touchline_lab.demo_origin.server import DemoOrigin

pytestmark = pytest.mark.integration
SLACK_S = 0.5
"""Seconds by which two clocks that are not read at once may put a span before or behind its parent."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        yield server


@pytest.fixture
def traced(make_worker: MakeWorker, collector: Collector) -> WorkerProcess:
    """A worker that sends its traces to the collector."""
    return make_worker(
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, OTEL_EXPORTER_OTLP_HEADERS="x-team=ours%20and%20theirs"
    )


@pytest.fixture
def gateway(traced: WorkerProcess, collector: Collector, valkey: EmbeddedValkey) -> Iterator[httpx.Client]:
    """`touchline gateway` before it."""
    port = free_port()
    env = {
        "REDIS_URL": valkey.url,
        "VERIFY_ENABLED": "0",
        "BLACKLIST_ENABLED": "0",
        "ALLOW_PRIVATE_ADDRESSES": "1",
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
    }
    with (
        SupervisedProcess("gateway", command("gateway", "--port", str(port)), env) as part,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120, trust_env=False) as client,
    ):

        def ready() -> bool:
            try:
                return client.get("/docs").status_code == 200
            except httpx.TransportError:
                return False

        assert wait_for(ready), part.tail()
        yield client


def tree(spans: list[Span]) -> dict[str, str]:
    """The name of each span's parent; every name occurs once."""
    assert len({span.name for span in spans}) == len(spans)
    names = {span.id: span.name for span in spans} | {"": ""}
    return {span.name: names[span.parent] for span in spans}


def ask(gateway: httpx.Client, url: str, name: str) -> httpx.Response:
    body = {"challenge_id": name, "type": "gsr", "video_url": url, "created_at": None}
    # a stranger's trace is not continued
    header = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
    return gateway.post("/soccer/challenge", json=body, headers=header)


def test_a_challenge_is_one_trace_from_the_request_to_the_stages(
    gateway: httpx.Client, collector: Collector, origin: DemoOrigin, clip_url: str
) -> None:
    assert ask(gateway, clip_url, "traced").status_code == 200

    def names(challenge_id: str) -> set[str]:
        return {span.name for span in collector.of_challenge(challenge_id)}

    stages = {"claim", "download", "decode", "inference", "fill", "encode", "publish"}
    parts = {"queue", "result_wait", "inference_detector", "inference_pitch"}
    assert wait_for(lambda: {"POST /soccer/challenge", "answer"} | stages | parts <= names("traced"))
    spans = {span.name: span for span in collector.of_challenge("traced")}
    parents = tree(list(spans.values()))
    assert parents["POST /soccer/challenge"] == ""
    assert parents["submit"] == "POST /soccer/challenge"
    assert {name for name in parents if parents[name] == "submit"} == {"answer", "queue", "result_wait"}
    assert parents["inference_detector"] == parents["inference_pitch"] == "inference"
    assert stages <= {name for name in parents if parents[name] == "answer"}
    assert {span.service for span in spans.values()} == {"touchline-gateway", "touchline-worker"}
    whole, answer = spans["POST /soccer/challenge"], spans["answer"]
    for span in spans.values():
        assert whole.start - SLACK_S <= span.start <= span.end <= whole.end + SLACK_S, span
    assert answer.attributes["touchline.result"] == "complete"
    assert answer.attributes["touchline.frames"] == 100
    assert not answer.failed
    assert any(headers.get("x-team") == "ours and theirs" for headers in collector.headers)

    secret = "signature-of-an-address"
    assert ask(gateway, f"{origin.url('missing.mp4')}?key={secret}", "traced-failure").status_code >= 400
    assert wait_for(lambda: {"POST /soccer/challenge", "answer"} <= names("traced-failure"))
    failed = {span.name: span for span in collector.of_challenge("traced-failure")}
    assert tree(list(failed.values()))["answer"] == "submit"
    assert failed["answer"].failed
    assert failed["answer"].attributes["error.type"] == "SourceRejected"
    assert failed["POST /soccer/challenge"].failed
    assert secret not in str(failed)
