"""`touchline models`: listing, checking, fetching; and a worker that prepares what it needs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.files import sha256_of
from services.inference.bundled_models import WEIGHTS
from services.inference.preparation import needs_preparing
from services.settings import load_settings
from tests.integration.test_cli import touchline
from tests.support.hub import hub_file
from tests.support.servers import MakeWorker
from touchline_lab.demo_origin.server import DemoOrigin

pytestmark = pytest.mark.integration
COMMIT = "0123456789abcdef0123456789abcdef01234567"
REFERENCE = f"hf:owner/repo/weights/best.pt@{COMMIT}"


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[DemoOrigin]:
    """A hub with the bundled detector under another name."""
    file = tmp_path / "hub" / "owner/repo/resolve" / COMMIT / "weights/best.pt"
    file.parent.mkdir(parents=True)
    shutil.copyfile(WEIGHTS / "touchline-detect-rendered.pt", file)
    with DemoOrigin(tmp_path / "hub") as server:
        name = f"owner/repo/resolve/{COMMIT}/weights/best.pt"
        server.set_fault(name, hub_file(file.read_bytes(), COMMIT))
        yield server


def hub_env(hub: DemoOrigin, folder: Path) -> dict[str, str]:
    return {
        "HF_ENDPOINT": hub.base_url,
        "CA_FILE": str(hub.ca_file),
        "MODEL_CACHE_DIR": str(folder / "cache"),
        "DETECTOR_MODEL": REFERENCE,
    }


def test_the_bundled_models_are_listed_with_what_they_find() -> None:
    done = touchline("models", "--json")
    assert done.returncode == 0, done.stderr
    detector, pitch, *others = json.loads(done.stdout)["models"]
    assert {other["use"] for other in others} == {""}, "bundled, but not in the settings"
    assert (detector["use"], detector["classes"]) == ("DETECTOR_MODEL", "ball, goalkeeper, player, referee")
    assert (pitch["use"], pitch["kind"], pitch["classes"]) == ("PITCH_MODEL", "pitch", "32 keypoints")
    assert pitch["sha256"] == sha256_of(WEIGHTS / "touchline-pitch-rendered.pt")
    table = touchline("models", COLUMNS="300").stdout
    assert "touchline-detect" in table
    assert detector["sha256"][:12] in table


def test_a_model_that_is_not_there_yet_is_listed_as_such(hub: DemoOrigin, tmp_path: Path) -> None:
    done = touchline("models", **hub_env(hub, tmp_path))
    assert done.returncode == 1
    assert "touchline models fetch" in done.stderr.replace("\n", " ")
    assert hub.stats().requests == 0


@pytest.mark.parametrize("model", ["touchline-detect-rendered", "touchline-pitch-rendered"])
def test_a_check_says_what_a_model_is(model: str) -> None:
    done = touchline("models", "check", model)
    assert done.returncode == 0, done.stderr
    variable = "PITCH_MODEL" if "pitch" in model else "DETECTOR_MODEL"
    assert f"set      {variable}={model}" in done.stdout
    assert "runtime  openvino" in done.stdout


def test_a_check_says_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "x.pt").write_bytes(b"nothing")
    done = touchline("models", "check", str(tmp_path / "x.pt"), RUNTIME="torch")
    assert done.returncode == 1
    assert "not a model that ultralytics loads" in done.stderr


def test_fetching_prepares_what_a_worker_then_starts_with(
    hub: DemoOrigin, tmp_path: Path, make_worker: MakeWorker
) -> None:
    env = hub_env(hub, tmp_path)
    settings = load_settings(**{name.lower(): value for name, value in env.items()}, device="cpu")
    assert needs_preparing(settings)
    # a worker does it by itself, before its children start
    worker = make_worker(**env, DEVICE="cpu")
    assert not needs_preparing(settings)
    assert sum(request.method == "GET" for request in hub.requests()) == 1
    assert "exported from it" in worker.tail(10_000)
    done = touchline("models", "fetch", **env, DEVICE="cpu")
    assert done.returncode == 0, done.stderr
    assert "openvino runs it" in done.stdout
    assert sum(request.method == "GET" for request in hub.requests()) == 1


def test_a_worker_without_its_model_does_not_start(hub: DemoOrigin, tmp_path: Path) -> None:
    env = hub_env(hub, tmp_path) | {"DETECTOR_MODEL": REFERENCE.replace("best", "other")}
    done = touchline("worker", **env)
    assert done.returncode == 1
    assert "no such repository" in done.stderr
