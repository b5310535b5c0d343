"""The example distribution of the guide, installed without a network and run in a real worker."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
import pytest

from services.settings import get_settings
from services.wire.private_track import SoccerPrediction, decode_response
from tests.support.servers import WORKER_START_S, MakeWorker

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs/examples/touchline-example-plugin"
SERVED = {"SERVED_KINDS": "brightness,soccer_action", "PREDICTOR": "example-brightness", "FRAME_STRIDE": "20"}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment in which the example is installed."""
    target = tmp_path_factory.mktemp("site")
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "install", *options, "--target", str(target), str(EXAMPLE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {"PYTHONPATH": os.pathsep.join([str(target), str(ROOT)])}


def touchline(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "services.cli.main", *words],
        env={**os.environ, "COLUMNS": "150", **env},
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_is_listed(installed: dict[str, str]) -> None:
    listed = json.loads(touchline("kinds", "--json", **installed, **SERVED).stdout)
    row = {
        "name": "brightness",
        "source": "touchline-example-plugin 1.0",
        "served": True,
        "predictor": "example-brightness",
    }
    assert row in listed["kinds"]
    assert listed["missing"] == []
    assert "touchline-example-plugin 1.0" in touchline("kinds", **installed).stdout
    without = touchline("kinds", **SERVED)
    assert "not installed" in without.stdout


def test_its_kind_and_its_predictor_answer_challenges(
    installed: dict[str, str], make_worker: MakeWorker, clip_url: str, tmp_path: Path
) -> None:
    worker = make_worker(**installed, **SERVED)
    env = installed | SERVED | {"REDIS_URL": worker.redis_url}
    for kind in ("brightness", "soccer_action"):
        file = tmp_path / f"{kind}.json"
        done = touchline("submit", clip_url, "--kind", kind, "--id", kind, "--answer", str(file), **env)
        assert done.returncode == 0, done.stderr
    given = msgspec.json.decode((tmp_path / "brightness.json").read_bytes())
    assert given["challenge_id"] == "brightness"
    assert len(given["brightness"]) == 6
    assert all(20 < value < 235 for value in given["brightness"])
    prediction = decode_response((tmp_path / "soccer_action.json").read_bytes()).prediction
    assert isinstance(prediction, SoccerPrediction)
    assert [action.action for action in prediction.items] == ["shot"]
    refused = touchline("submit", clip_url, "--kind", "gsr", "--json", **env)
    assert refused.returncode == 1
    error = json.loads(refused.stdout)["error"]
    assert (error["type"], error["stage"]) == ("UnsupportedKind", "accept")
    assert "served: brightness, soccer_action" in error["message"]


def test_the_front_end_of_the_guide_answers(
    installed: dict[str, str], make_worker: MakeWorker, clip_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = make_worker(**installed, **SERVED)
    page = (ROOT / "docs/guides/challenge-kinds.md").read_text()
    names: dict[str, Any] = {}
    exec(re.findall(r"```python\n(.*?)```", page, re.S)[0], names)  # noqa: S102 - our own documentation
    for name, value in (SERVED | {"REDIS_URL": worker.redis_url}).items():
        monkeypatch.setenv(name, value)
    get_settings.cache_clear()
    try:
        body = asyncio.run(
            names["challenge"](msgspec.json.encode({"challenge_id": "one", "video_url": clip_url}))
        )
        given = decode_response(body)
        picture = base64.b64encode(bytes(cv2.imencode(".png", np.zeros((64, 64, 3), np.uint8))[1])).decode()
        frames = [{"frame_id": number, "data": picture} for number in (5, 9)]
        body = asyncio.run(names["challenge"](msgspec.json.encode({"challenge_id": "two", "frames": frames})))
    finally:
        get_settings.cache_clear()
    assert (given.challenge_id, decode_response(body).challenge_id) == ("one", "two")
    prediction = decode_response(body).prediction
    assert isinstance(prediction, SoccerPrediction)
    assert [action.frame for action in prediction.items] == [9]


def test_a_kind_that_is_not_installed_stops_the_start(make_worker: MakeWorker) -> None:
    from services.errors import StartFailed

    worker = make_worker(ready=False, SERVED_KINDS="brightness")
    with pytest.raises(StartFailed, match="no challenge kind 'brightness'; installed: cricket_delivery, gsr"):
        worker.wait_until_ready(WORKER_START_S)
