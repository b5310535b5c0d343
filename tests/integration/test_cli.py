"""The command line against a real worker: `submit`, `doctor`, `demo`, and help for all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest

from services.processes.embedded_valkey import EmbeddedValkey, free_port
from services.wire.gsr import decode_response
from tasks.worker_process import WorkerProcess
from touchline_lab.demo_origin.server import DemoOrigin
from touchline_lab.renderer.clip_store import StoredClip

pytestmark = pytest.mark.integration


def touchline(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a subcommand and wait for it."""
    return subprocess.run(
        [sys.executable, "-m", "services.cli.main", *words],
        env={**os.environ, "COLUMNS": "150", **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("command", ["up", "demo", "submit", "worker", "flower", "doctor"])
def test_every_command_explains_itself(command: str) -> None:
    done = touchline(command, "--help")
    assert done.returncode == 0
    assert f"touchline {command}" in done.stdout
    assert done.stderr == ""


def test_all_commands_are_listed() -> None:
    done = touchline("--help")
    listed = {
        line.split()[1] for line in done.stdout.splitlines() if line.startswith("│ ") and line[2] != " "
    }
    assert {"up", "demo", "submit", "worker", "flower", "doctor"} <= listed


def test_help_and_submit_do_not_load_the_models_libraries() -> None:
    code = (
        "import sys\n"
        "from services.cli.main import app\n"
        "import tasks.client\n"
        "sys.argv = ['touchline', 'submit', '--help']\n"
        "try:\n    app()\nexcept SystemExit:\n    pass\n"
        "print([name for name in ('torch', 'ultralytics', 'cv2', 'av', 'scipy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_clip_is_answered_into_files(
    tmp_path: Path, worker: WorkerProcess, clip_url: str, clip_4s: StoredClip
) -> None:
    answer, timeline = tmp_path / "new" / "answer.json", tmp_path / "timeline.json"
    done = touchline(
        *("submit", clip_url, "--id", "by-hand", "--deadline", "100"),
        *("--answer", str(answer), "--timeline", str(timeline)),
        REDIS_URL=worker.redis_url,
    )
    assert done.returncode == 0, done.stderr
    response = decode_response(answer.read_bytes())
    assert response.challenge_id == "by-hand"
    assert [frame.frame_number for frame in response.frames] == list(range(len(clip_4s.truth.frames)))
    assert "inference" in json.loads(timeline.read_text())["stages"]
    assert "total in the worker" in done.stdout
    assert "waiting for the answer" in done.stderr


def test_json_is_all_that_stands_on_standard_output(worker: WorkerProcess, clip_url: str) -> None:
    done = touchline("submit", clip_url, "--json", "--deadline", "100", REDIS_URL=worker.redis_url)
    found = json.loads(done.stdout)
    assert done.returncode == 0
    assert found["answer_bytes"] > 1000
    assert found["timeline"]["facts"]["frames"] == 100
    assert done.stderr == ""


def test_a_failure_keeps_its_type(worker: WorkerProcess, origin: DemoOrigin, clip_url: str) -> None:
    url = clip_url + "?status=403"
    done = touchline("submit", url, "--json", "--deadline", "100", REDIS_URL=worker.redis_url)
    assert done.returncode == 1
    error = json.loads(done.stdout)["error"]
    assert error["type"] == "SourceRejected"
    assert error["stage"]
    told = touchline("submit", url, "--deadline", "100", REDIS_URL=worker.redis_url)
    assert told.returncode == 1
    assert "SourceRejected in " in told.stderr
    assert "What to do:" in told.stderr
    assert "Traceback" not in told.stderr


def test_without_a_worker_the_deadline_ends_the_wait(valkey: EmbeddedValkey) -> None:
    done = touchline("submit", "https://host/x.mp4", "--deadline", "0.3", "--json", REDIS_URL=valkey.url)
    assert done.returncode == 1
    assert json.loads(done.stdout)["error"]["type"] == "DeadlineExceeded"


def test_without_redis_the_submission_fails_at_once() -> None:
    url = f"redis://127.0.0.1:{free_port()}/0"
    done = touchline("submit", "https://host/x.mp4", REDIS_URL=url)
    assert done.returncode == 1
    assert "QueueUnavailable" in done.stderr
    assert "touchline up" in done.stderr


def findings(done: subprocess.CompletedProcess[str]) -> dict[str, dict[str, Any]]:
    return {found["name"]: found for found in json.loads(done.stdout)}


def test_the_doctor_finds_a_sound_system_sound(worker: WorkerProcess, origin: DemoOrigin) -> None:
    done = touchline(
        *("doctor", "--json"),
        REDIS_URL=worker.redis_url,
        ORIGINS=origin.base_url,
        CA_FILE=str(origin.ca_file),
        ALLOW_PRIVATE_ADDRESSES="1",
    )
    found = findings(done)
    assert {name for name, one in found.items() if not one["ok"]} == set()
    assert done.returncode == 0
    assert "Valkey" in found["redis"]["detail"]
    assert worker.node in found["workers"]["detail"]
    assert "HTTP/2" in found["origin"]["detail"]
    assert {"settings", "packages", "clock", "queue", "device", "model"} <= set(found)


def test_the_doctor_says_what_is_wrong_and_what_to_do(valkey: EmbeddedValkey) -> None:
    wrong = {"REDIS_URL": f"redis://127.0.0.1:{free_port()}/0", "DETECTOR_MODEL": "/no/model.pt"}
    wrong |= {
        "ORIGINS": f"https://127.0.0.1:{free_port()}/",
        "ALLOW_PRIVATE_ADDRESSES": "1",
        "SKIP_PITCH": "1",
    }
    done = touchline("doctor", "--json", **wrong)
    found = findings(done)
    assert done.returncode == 1
    assert {name for name, one in found.items() if not one["ok"]} == {"redis", "model", "origin"}
    assert all(one["advice"] for one in found.values() if not one["ok"])
    # a Redis but no worker, in words
    lines = touchline("doctor", **{**wrong, "REDIS_URL": valkey.url}).stdout.splitlines()
    names = [line.split()[1] for line in lines if line.startswith("wrong ")]
    assert names == ["workers", "model", "origin"]
    assert sum("what to do:" in line for line in lines) == 3


def test_the_doctor_stops_at_wrong_settings() -> None:
    done = touchline("doctor", "--json", IMG_SIZE="7")
    assert done.returncode == 1
    assert list(findings(done)) == ["settings"]
    assert "IMG_SIZE='7'" in findings(done)["settings"]["detail"]


def marked(mark: str) -> list[str]:
    """Command lines of the processes that have `mark` in their environment."""
    found = []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark.encode() in environ.read_bytes():
                found.append(environ.with_name("cmdline").read_text().replace("\0", " "))
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue  # it ended while we looked, or is somebody else's
    return found


def test_the_demo_shows_what_the_pool_is_for(tmp_path: Path) -> None:
    mark = f"demo-{uuid.uuid4()}"
    out = tmp_path / "out"
    cache = Path(__file__).parents[2] / ".cache" / "clips"
    done = touchline("demo", "--seconds", "4", "--out", str(out), "--cache", str(cache), "--json", MARK=mark)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert {check["name"]: check["detail"] for check in found["checks"] if not check["ok"]} == {}
    assert found["handshakes"] == {"cold": 1, "warm": 0}
    assert sorted(path.name for path in out.iterdir()) == [
        "answer.json",
        "overlay.jpg",
        "overlay.mp4",
        "timeline.json",
    ]
    assert len(decode_response((out / "answer.json").read_bytes()).frames) == 100
    assert (out / "overlay.mp4").stat().st_size < 8_000_000
    assert marked(mark) == []
