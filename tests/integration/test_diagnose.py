"""`touchline diagnose` against real origins with defects: the verdict names the defect."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from services.challenges.kinds import serve
from services.diagnosis.diagnose import Diagnosis, diagnose
from services.errors import ConnectFailed, SourceRejected, StreamStalled
from services.inference.models import Models
from services.processes.embedded_valkey import free_port
from services.results import Detections
from tests.integration.test_cli import touchline
from tests.support.downloads import PATIENT_S, loopback_settings
from touchline_lab.demo_origin.server import DemoOrigin, SetupDelays
from touchline_lab.renderer.clip_store import StoredClip

pytestmark = pytest.mark.integration

LONG = SetupDelays(tls=1.0, negotiation=1.0)
Measure = Callable[..., Diagnosis]


@pytest.fixture
def measure(tmp_path: Path, clip_4s: StoredClip, clip_4s_faststart: StoredClip) -> Iterator[Measure]:
    """Diagnose the download of a clip at an origin of its own: `measure(delay=1.0)`."""
    shutil.copyfile(clip_4s.path, tmp_path / "last.mp4")
    shutil.copyfile(clip_4s_faststart.path, tmp_path / "first.mp4")
    with ExitStack() as stack:

        def measure(
            clip: str = "first.mp4",
            delays: SetupDelays | None = None,
            idle_s: float = 0.0,
            origin: dict[str, Any] | None = None,
            settings: dict[str, Any] | None = None,
            **fault: object,
        ) -> Diagnosis:
            server = stack.enter_context(DemoOrigin(tmp_path, delays or SetupDelays(), **(origin or {})))
            url = server.url(clip, **fault)
            own = loopback_settings(server, **(settings or {}))
            return diagnose(url, own, None, repeat=1, idle_s=idle_s)

        yield measure


def codes(found: Diagnosis) -> set[str]:
    return {finding.code for finding in found.verdict.findings}


def test_slow_set_up_is_what_dominates_a_cold_challenge_and_not_a_warm_one(measure: Measure) -> None:
    found = measure(delays=LONG, rate=1_000_000)
    assert found.verdict.dominates_cold == "connect"
    assert found.verdict.dominates_warm == "transfer"
    assert "connect" in codes(found)
    assert found.cold["stages"]["tls"]["busy"] >= 1.0
    assert found.warm["stages"]["connect"]["busy"] == 0.0
    assert (found.origin.protocol, found.origin.pipelined) == ("HTTP/2", True)
    assert found.origin.server.startswith("hypercorn")


def test_an_origin_that_thinks_long_is_told_from_a_long_round_trip(measure: Measure) -> None:
    found = measure(delay=1.5)
    assert found.verdict.dominates_warm == "first_byte"
    assert "slow-origin" in codes(found)


def test_a_slow_link_is_a_transfer(measure: Measure) -> None:
    found = measure(rate=500_000)
    assert found.verdict.dominates_warm == "transfer"
    assert "slow-link" in codes(found)


def test_an_origin_without_ranges_and_the_index_at_the_end(measure: Measure) -> None:
    found = measure("last.mp4", no_range=True)
    assert (found.origin.ranges, found.origin.pipelined, found.origin.index) == (False, None, "end")
    assert "no-ranges" in codes(found)
    assert "index-at-end" in codes(measure("last.mp4"))


def test_http1_redirects_and_a_short_idle_time_out(measure: Measure) -> None:
    found = measure(origin={"http2": False, "keep_alive_s": 1.0}, idle_s=3.0)
    assert {"http1", "short-idle"} <= codes(found)
    assert found.origin.idle_timeout_s is not None
    found = measure(redirect="/first.mp4")
    assert "redirect" in codes(found)
    assert found.origin.final_url.endswith("/first.mp4")


def test_an_origin_that_breaks_off_is_found_though_the_clip_arrives(measure: Measure) -> None:
    assert "broken-transfer" in codes(measure(reset_after=400_000))


def test_an_origin_that_allows_few_connections_is_found(measure: Measure) -> None:
    settings = {"range_connections": 8, "range_min_rtt_ms": 0.0}
    found = measure(settings=settings, maximum_connections=4, rate=1_000_000)
    assert "few-connections" in codes(found)


@pytest.mark.parametrize(
    ("fault", "stall_timeout_s", "error"),
    [
        ({"status": 404}, PATIENT_S, SourceRejected),
        ({"stall_after": 1000, "no_range": True}, 2.0, StreamStalled),
    ],
)
def test_a_clip_that_does_not_come_is_an_error_with_the_stages_up_to_it(
    measure: Measure, fault: dict[str, object], stall_timeout_s: float, error: type[Exception]
) -> None:
    with pytest.raises(error) as raised:
        measure(settings={"stall_timeout_s": stall_timeout_s}, **fault)
    assert "tls" in raised.value.timeline["stages"]  # type: ignore[attr-defined]


def test_an_origin_that_is_not_there(origin: DemoOrigin) -> None:
    with pytest.raises(ConnectFailed):
        diagnose(f"https://127.0.0.1:{free_port()}/a.mp4", loopback_settings(origin), None)


def test_a_whole_challenge_is_measured_with_its_models(origin: DemoOrigin, clip_url: str) -> None:
    class FindsNothing:
        def predict(self, images: list[Any], letterbox: Any) -> list[Detections]:
            return [Detections.empty()] * len(images)

    settings = loopback_settings(origin)
    kinds = serve(settings, lambda name, settings: Models(FindsNothing(), None, "cpu"))
    found = diagnose(clip_url, settings, kinds, repeat=2)
    assert found.whole
    assert len(found.warm_totals_s) == 2
    assert {"index", "first_frame", "decode", "inference", "inference_detector", "encode"} <= set(
        found.warm["stages"]
    )


def test_the_command_shows_both_runs_and_the_verdict(origin: DemoOrigin, clip_url: str) -> None:
    env = {"CA_FILE": str(origin.ca_file), "ALLOW_PRIVATE_ADDRESSES": "1"}
    done = touchline("diagnose", clip_url, "--download", "--repeat", "1", **env)
    assert done.returncode == 0, done.stderr
    for text in ("cold: a new connection", "warm: open connections", "tls", "index", "verdict", "No pool"):
        assert text in done.stdout
    assert max(len(line) for line in done.stdout.splitlines() if line.startswith("  tls")) <= 100
    done = touchline("diagnose", clip_url, "--download", "--repeat", "1", "--json", **env)
    found = json.loads(done.stdout)
    assert found["origin"]["ranges"] is True
    assert found["verdict"]["dominates_warm"]


def test_the_command_says_what_to_do_about_an_origin_that_is_not_there() -> None:
    env = {"ALLOW_PRIVATE_ADDRESSES": "1"}
    done = touchline("diagnose", f"https://127.0.0.1:{free_port()}/a.mp4", "--download", **env)
    assert done.returncode == 1
    assert "ConnectFailed" in done.stderr
    assert "What to do" in done.stderr
    assert "Traceback" not in done.stderr
    done = touchline("diagnose", "https://127.0.0.1:1/a.mp4", "--download", "--json", **env)
    assert json.loads(done.stdout)["error"]["type"] == "ConnectFailed"
