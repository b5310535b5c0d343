"""`touchline up` as a process: it starts everything, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import redis

from services.processes.embedded_valkey import EmbeddedValkey, free_port
from services.processes.process_tree import descendants
from tests.support.processes import alive, wait_for

pytestmark = pytest.mark.integration
START_S = 300.0


class Up:
    """A running `touchline up` and what it has said."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        self.ended = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip())
        self.ended.set()

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def wait_ready(self) -> None:
        last = "  Ctrl-C stops all of it"  # of the lines that say where everything is
        assert wait_for(lambda: last in self.lines or self.ended.is_set(), START_S), self.text
        assert "ready" in self.lines, self.text

    def wait_end(self) -> int:
        code = self.process.wait()
        self._reader.join()
        return code


@contextmanager
def run_up(tmp_path: Path, *options: str, **env: str) -> Iterator[Up]:
    """Run it with no origin to keep warm; killed at the end if the test has not ended it."""
    settings = {"ORIGINS": ",", "STATE_DIR": str(tmp_path / "state"), **env}
    process = subprocess.Popen(
        [sys.executable, "-m", "services.cli.main", "up", *options],
        env={**os.environ, **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    up = Up(process)
    try:
        yield up
    finally:
        process.kill()
        up.wait_end()
        assert process.stdout is not None
        process.stdout.close()


def test_all_parts_run_and_ctrl_c_stops_them(tmp_path: Path) -> None:
    port, flower_port = free_port(), free_port()
    with run_up(tmp_path, "--redis-port", str(port), FLOWER_PORT=str(flower_port)) as up:
        up.wait_ready()
        url = f"http://127.0.0.1:{flower_port}"
        assert f"  Flower  {url}/tasks" in up.lines
        with redis.Redis.from_url(f"redis://127.0.0.1:{port}/0") as client:
            assert client.ping()
        assert answers(f"{url}/healthcheck")
        below = alive(descendants(up.process.pid))
        commands = [Path(f"/proc/{pid}/cmdline").read_text() for pid in below]
        assert sum("valkey-server" in command and "reaper" not in command for command in commands) == 1
        # the worker and its one child
        assert sum("\0worker\0" in command and "reaper" not in command for command in commands) == 2
        up.process.send_signal(signal.SIGINT)
        assert up.wait_end() == 0, up.text
        assert alive(below) == set()
        assert "stopped" in up.lines
        # the worker ended warm and before its Redis
        assert any("Warm shutdown" in line for line in up.lines)
        assert not any("Connection refused" in line for line in up.lines)


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=60).status_code == 200
    except httpx.TransportError:
        return False


def test_nothing_is_left_after_a_kill(tmp_path: Path) -> None:
    port, flower_port = free_port(), free_port()
    with run_up(tmp_path, "--redis-port", str(port), FLOWER_PORT=str(flower_port)) as up:
        up.wait_ready()
        below = alive(descendants(up.process.pid))
        # three reapers, the server, Flower, the worker and its child
        assert len(below) >= 7
        up.process.kill()
        assert wait_for(lambda: not alive(below)), alive(below)


def test_a_part_that_dies_ends_the_rest(tmp_path: Path, valkey: EmbeddedValkey) -> None:
    with run_up(tmp_path, "--no-flower", REDIS_URL=valkey.url) as up:
        up.wait_ready()
        below = alive(descendants(up.process.pid))
        reapers = [pid for pid in below if b"reaper" in Path(f"/proc/{pid}/cmdline").read_bytes()]
        assert len(reapers) == 1
        main = min(pid for pid in below if pid not in reapers)
        os.kill(main, signal.SIGKILL)
        assert up.wait_end() == 1
        assert "worker ended with exit code 137" in up.text
        assert alive(below) == set()


def test_a_missing_model_is_named_and_nothing_is_left(tmp_path: Path, valkey: EmbeddedValkey) -> None:
    with run_up(tmp_path, "--no-flower", REDIS_URL=valkey.url, DETECTOR_MODEL="/no/such/model.pt") as up:
        assert up.wait_end() == 1
        assert "DETECTOR_MODEL='/no/such/model.pt': no such file" in up.text
        assert "ready" not in up.lines


def test_a_wrong_setting_stops_the_start_at_once(tmp_path: Path) -> None:
    with run_up(tmp_path, FRAME_STRIDE="0") as up:
        assert up.wait_end() == 78
        assert "FRAME_STRIDE='0'" in up.text


def test_a_redis_that_does_not_answer_is_named(tmp_path: Path) -> None:
    url = f"redis://user:secret@127.0.0.1:{free_port()}/0"
    with run_up(tmp_path, "--no-flower", REDIS_URL=url) as up:
        assert up.wait_end() == 1
        assert "does not answer" in up.text
        assert "secret" not in up.text


def test_a_taken_port_is_named(tmp_path: Path, valkey: EmbeddedValkey) -> None:
    with run_up(tmp_path, "--no-flower", "--redis-port", str(valkey.port), REDIS_URL="") as up:
        assert up.wait_end() == 1
        assert f"port {valkey.port} of this machine is taken" in up.text


def test_a_taken_port_of_flower_is_named(tmp_path: Path, valkey: EmbeddedValkey) -> None:
    with run_up(tmp_path, REDIS_URL=valkey.url, FLOWER_PORT=str(valkey.port)) as up:
        assert up.wait_end() == 1
        assert f"FLOWER_PORT={valkey.port} is taken" in up.text


def test_ctrl_c_during_the_start_is_heard(tmp_path: Path, valkey: EmbeddedValkey) -> None:
    with run_up(tmp_path, "--no-flower", REDIS_URL=valkey.url) as up:
        assert wait_for(lambda: any(line.startswith("worker |") or "starting" in line for line in up.lines))
        up.process.send_signal(signal.SIGTERM)
        assert up.wait_end() == 0, up.text
        assert "ready" not in up.lines
