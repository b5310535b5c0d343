"""`touchline preflight` against a real gateway, a real queue and a real worker."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from services.cli.main import app
from services.preflight.gateway_probe import probe
from services.preflight.repeat import check_answers
from services.processes.embedded_valkey import EmbeddedValkey, free_port
from services.settings import load_settings
from tasks.worker_process import WorkerProcess
from tests.integration.test_gateway_authentication import checks, guarded, metagraph
from tests.support.gateways import MINER, POOR, running

pytestmark = pytest.mark.integration
__all__ = ["checks", "guarded", "metagraph"]


def states(findings: Any) -> dict[str, str]:
    return {finding.check: finding.state for finding in findings}


def test_a_gateway_that_checks_strangers_and_has_no_worker(guarded: httpx.Client) -> None:
    found = states(probe(str(guarded.base_url).rstrip("/"), MINER))
    assert found == {"reachable over plain HTTP": "ok", "/docs": "failed", "signed requests": "ok"}


def test_a_gateway_that_expects_another_hotkey(guarded: httpx.Client) -> None:
    (finding,) = [
        one
        for one in probe(str(guarded.base_url).rstrip("/"), POOR.ss58_address)
        if one.check == "signed requests"
    ]
    assert finding.state == "failed"
    assert "hotkey" in finding.text
    assert "MINER_HOTKEY" in finding.advice


def test_a_gateway_that_answers_anybody(valkey: EmbeddedValkey) -> None:
    kinds = ("soccer_action",)
    with running(valkey.url, verify_enabled=False, blacklist_enabled=False, served_kinds=kinds) as client:
        found = states(probe(str(client.base_url).rstrip("/"), MINER))
    assert found["signed requests"] == "failed"


def test_a_port_that_nobody_listens_on() -> None:
    assert states(probe(f"http://127.0.0.1:{free_port()}", MINER)) == {
        "reachable over plain HTTP": "failed",
        "/docs": "unknown",
        "signed requests": "unknown",
    }


def test_a_clip_is_answered_twice_the_same(worker: WorkerProcess, clip_url: str) -> None:
    settings = load_settings(redis_url=worker.redis_url)
    assert states(check_answers(settings, clip_url, "gsr")) == {
        "answered in time": "ok",
        "answered twice the same": "ok",
    }
    assert states(check_answers(settings, clip_url + "x", "gsr")) == {
        "answered in time": "failed",
        "answered twice the same": "unknown",
    }


def test_the_command_lists_everything_in_order(guarded: httpx.Client, tmp_path: Path) -> None:
    snapshot = tmp_path / "snapshot.json"
    snapshot.write_text(json.dumps({"hotkey": MINER, "commitment": {"track": "private"}, "neurons": []}))
    url = str(guarded.base_url)

    given = CliRunner().invoke(app, ["preflight", "--snapshot", str(snapshot), "--url", url, "--json"])

    assert given.exit_code == 1
    findings = json.loads(given.stdout)
    assert [finding["check"] for finding in findings] == [
        "element id",
        "commitment",
        "axon",
        "reachable over plain HTTP",
        "/docs",
        "signed requests",
        "answered in time",
        "answered twice the same",
        "image size",
        "hotkey is registered",
        "hotkey is not inactive",
    ]
    unknown = {finding["check"] for finding in findings if finding["state"] == "unknown"}
    assert unknown >= {"answered twice the same", "image size", "hotkey is not inactive"}


def test_a_chain_that_cannot_be_read_is_said_and_the_rest_is_checked(guarded: httpx.Client) -> None:
    node, listed = "ws://127.0.0.1:9", "http://127.0.0.1:9/inactive.json"
    options = ["--network", node, "--inactive", listed, "--url", str(guarded.base_url), "--json"]

    given = CliRunner().invoke(app, ["preflight", *options])

    assert given.exit_code == 1, "what was asked for could not be read"
    findings = {finding["check"]: finding for finding in json.loads(given.stdout)}
    assert findings["chain"]["state"] == findings["list of inactive miners"]["state"] == "unknown"
    assert node in findings["chain"]["text"]
    assert findings["reachable over plain HTTP"]["state"] == "ok"
