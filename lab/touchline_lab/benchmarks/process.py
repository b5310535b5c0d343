"""Starts and talks to the process of one method (`touchline_lab.benchmarks.worker`)."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from services.errors import StartFailed
from services.processes.environment import child_environment
from touchline_lab.benchmarks.job import Job, Row
from touchline_lab.benchmarks.origins import Place

ENDING_S = 60.0
"""Seconds that a process has to end after its input has ended: stopping a Celery worker takes some."""


class MethodFailed(Exception):
    """A method could not answer; the text says why."""


class MethodProcess:
    """The running process of one method; ready when the constructor returns.

    Args:
        name: Name of the method.
        place: The origin, and how to reach it.
        device: The setting `DEVICE`.
        env: Settings for the method, by the names of their variables.
        log: File that receives what the process prints.

    Raises:
        StartFailed: The process ended instead of becoming ready.
    """

    def __init__(self, name: str, place: Place, device: str, env: Mapping[str, str], log: Path) -> None:
        self.name = name
        self._log = log
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                place.inside(
                    [sys.executable, "-m", "touchline_lab.benchmarks.worker", name, place.ca_file, device]
                ),
                # HTTP clients of other libraries find the origin's certificate authority through these
                env=child_environment(
                    {
                        **env,
                        "SSL_CERT_FILE": place.ca_file,
                        "REQUESTS_CA_BUNDLE": place.ca_file,
                        "CURL_CA_BUNDLE": place.ca_file,
                        "OPENCV_FFMPEG_CAPTURE_OPTIONS": f"ca_file;{place.ca_file}",
                    }
                ),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        try:
            self._read()
        except BaseException:
            self.close()
            raise

    def run(self, job: Job) -> Row:
        """Run the method once.

        Raises:
            MethodFailed: It could not answer.
            StartFailed: The process has ended.
        """
        assert self._process.stdin is not None
        self._process.stdin.write(job.to_line() + "\n")
        self._process.stdin.flush()
        row = self._read()
        if "error" in row:
            raise MethodFailed(str(row["error"]))
        return {key: float(value) for key, value in row.items()}

    def close(self) -> None:
        """End the process."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(ENDING_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            last = self._log.read_text(errors="replace").splitlines()[-12:]
            raise StartFailed(f"the process of {self.name} ended:\n" + "\n".join(last))
        found: dict[str, Any] = json.loads(line)
        return found
