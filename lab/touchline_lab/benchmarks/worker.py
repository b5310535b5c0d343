"""One way in a process of its own, alive over the rounds: models are loaded once, CPU and memory are its own.

    python -m touchline_lab.benchmarks.worker WAY CA_FILE DEVICE

Reads a `Job` a line, writes a row a line (`{"error": ...}` where the way failed); ends when its input does.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any, Protocol

from touchline_lab.benchmarks import baselines, celery_method, floors, touchline_methods
from touchline_lab.benchmarks.job import Context, Job, Row
from touchline_lab.benchmarks.meter import child_cpu_seconds, own_cpu_seconds, peak_mb, reset_peak


class Method(Protocol):
    """What is measured."""

    def run(self, job: Job) -> Row:
        """Once."""

    def close(self) -> None:
        """Let go of everything."""


METHODS: dict[str, Callable[[Context], Method]] = {
    "official": baselines.ReferenceMiner,
    "cv2-url": baselines.Cv2Url,
    "yolo-stream": baselines.YoloStream,
    "pyav-url": baselines.PyavUrl,
    "ours-cold": lambda context: touchline_methods.Ours(context, warm=False),
    "ours-warm": lambda context: touchline_methods.Ours(context, warm=True),
    "ours-frames": touchline_methods.OursFrames,
    "ours-idle": touchline_methods.OursIdle,
    "ours-deadline": touchline_methods.OursDeadline,
    "ours-celery": celery_method.OursCelery,
    "floor-network": floors.NetworkFloor,
    "floor-compute": floors.ComputeFloor,
}


def measured(method: Method, job: Job) -> Row:
    """One run with the CPU seconds and the memory that it took."""
    reset_peak()
    before = own_cpu_seconds() + child_cpu_seconds()
    row = method.run(job)
    used = own_cpu_seconds() + child_cpu_seconds() - before
    return row | {"cpu_s": used, "peak_mb": peak_mb()}


def main() -> None:
    """Serve one way until the input ends."""
    name, ca_file, device = sys.argv[1:]
    # libraries print to standard output as they like
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    method = METHODS[name](Context(ca_file, device))
    answers.write(json.dumps({"ready": True}) + "\n")
    try:
        for line in sys.stdin:
            found: dict[str, Any]
            try:
                found = dict(measured(method, Job.from_line(line)))
            except Exception as error:  # noqa: BLE001 - one way's failure is a finding, not the run's end
                found = {"error": f"{type(error).__name__}: {error}"}
            answers.write(json.dumps(found) + "\n")
    finally:
        method.close()


if __name__ == "__main__":
    main()
