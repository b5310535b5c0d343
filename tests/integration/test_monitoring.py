"""Prometheus over a loaded worker: every panel of the dashboard has data; promtool tests every alert."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from services.errors import ChallengeError
from services.processes.embedded_valkey import free_port
from services.processes.supervised import SupervisedProcess
from tasks.client import submit
from tests.support.processes import wait_for
from tests.support.servers import MakeWorker
from touchline_lab.demo_origin.server import DemoOrigin

pytestmark = pytest.mark.integration

FOLDER = Path(__file__).parents[2] / "compose" / "monitoring"
needs_prometheus = pytest.mark.skipif(
    shutil.which("prometheus") is None or shutil.which("promtool") is None,
    reason="Debian's package prometheus is not installed",
)


def panels() -> Iterator[tuple[str, str]]:
    """Every query of the dashboard, with the title of its panel."""
    dashboard = json.loads((FOLDER / "grafana/dashboards/touchline.json").read_text())
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            # what Grafana puts in place of its variables
            query = re.sub(r"\$__(range|rate_interval)", "5m", target["expr"])
            yield panel["title"], query


@needs_prometheus
def test_every_alert_fires_when_it_should() -> None:
    done = subprocess.run(
        ["promtool", "test", "rules", "rules_test.yml"],
        cwd=FOLDER / "prometheus",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rules = yaml.safe_load((FOLDER / "prometheus/rules.yml").read_text())["groups"][0]["rules"]
    tested = (FOLDER / "prometheus/rules_test.yml").read_text()
    assert all(f"alertname: {rule['alert']}" in tested for rule in rules)


@pytest.mark.parametrize(
    "receivers",
    [
        {},
        {"ALERT_WEBHOOK_URL": "http://host/hook"},
        {"ALERT_DISCORD_URL": "https://host/discord"},
        {"ALERT_TELEGRAM_TOKEN": "1:secret", "ALERT_TELEGRAM_CHAT": "-42"},
    ],
)
def test_alertmanagers_configuration_follows_the_settings(receivers: dict[str, str], tmp_path: Path) -> None:
    config = tmp_path / "alertmanager.yml"
    env = {"PATH": "/usr/bin:/bin", "ALERT_CONFIG": str(config), **receivers}
    subprocess.run([FOLDER / "alertmanager/start", "--only-write"], env=env, check=True)
    (receiver,) = yaml.safe_load(config.read_text())["receivers"]
    assert len(receiver) == 1 + bool(receivers)
    if shutil.which("amtool"):
        subprocess.run(["amtool", "check-config", config], check=True, capture_output=True)


@needs_prometheus
def test_every_panel_has_data_of_a_loaded_worker(
    make_worker: MakeWorker, origin: DemoOrigin, clip_url: str, tmp_path: Path
) -> None:
    port, web = free_port(), free_port()
    worker = make_worker(METRICS_PORT=str(port), ORIGINS=origin.base_url, LOG_FORMAT="json")
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(FOLDER / "prometheus/rules.yml")],
        "scrape_configs": [{"job_name": "touchline", "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}],
    }
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(config))
    argv = [
        "prometheus",
        f"--config.file={tmp_path}/prometheus.yml",
        f"--storage.tsdb.path={tmp_path}/data",
        f"--web.listen-address=127.0.0.1:{web}",
    ]
    with (
        SupervisedProcess("prometheus", argv) as prometheus,
        httpx.Client(base_url=f"http://127.0.0.1:{web}") as client,
    ):

        def query(text: str) -> list[Any]:
            try:
                reply = client.get("/api/v1/query", params={"query": text})
            except httpx.TransportError:
                return []
            return list(reply.json()["data"]["result"]) if reply.status_code == 200 else []

        assert wait_for(lambda: bool(query("touchline_children"))), prometheus.tail()
        # each batch is scraped before the next one: a rate needs two values
        for number in range(1, 3):
            submit(clip_url, deadline_s=100, redis_url=worker.redis_url).wait()
            with pytest.raises(ChallengeError):
                submit(origin.url("missing.mp4"), deadline_s=20, redis_url=worker.redis_url).wait()
            complete = 'sum(touchline_challenges_total{result="complete"}) >= ' + str(number)
            assert wait_for(lambda text=complete: bool(query(text)))  # type: ignore[misc]

        def empty() -> list[str]:
            return [
                f"{title}: {text}"
                for title, text in panels()
                if not any(value["value"][1] != "NaN" for value in query(text))
            ]

        assert wait_for(lambda: not empty()), "no data: " + "\n".join(empty())
        rules = client.get("/api/v1/rules").json()["data"]["groups"][0]["rules"]
        assert all(rule["health"] in ("ok", "unknown") for rule in rules), rules
    (first, *_) = [json.loads(line) for line in worker.tail().splitlines() if '"challenge complete"' in line]
    assert first["challenge_id"]
    assert first["total_ms"] > 0
    # one line for each challenge, and none that is not of this form
    assert all(line.startswith("{") for line in worker.tail().splitlines() if "challenge_id" in line)
    assert "Task touchline.answer" not in worker.tail()
