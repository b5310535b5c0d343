"""One method in a process of its own, which lives through all rounds.

    python -m touchline_lab.benchmarks.worker METHOD CA_FILE DEVICE

Models are loaded once, and CPU time and memory are those of the method alone. The process reads one `Job` per
line and writes one row per line, or `{"error": ...}` if the method failed. It ends when its input ends.
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
    """A method of answering, or a floor, that is measured."""

    def run(self, job: Job) -> Row:
        """Run once; returns times in seconds and other numbers by name."""

    def close(self) -> None:
        """Release everything."""


METHODS: dict[str, Callable[[Context], Method]] = {
    "reference-miner": baselines.ReferenceMiner,
    "cv2-url": baselines.Cv2Url,
    "yolo-stream": baselines.YoloStream,
    "pyav-url": baselines.PyavUrl,
    "touchline-cold": lambda context: touchline_methods.Touchline(context, warm=False),
    "touchline-warm": lambda context: touchline_methods.Touchline(context, warm=True),
    "touchline-no-models": touchline_methods.TouchlineWithoutModels,
    "touchline-idle": touchline_methods.TouchlineAfterIdle,
    "touchline-deadline": touchline_methods.TouchlineWithDeadline,
    "touchline-celery": celery_method.TouchlineThroughCelery,
    "floor-network": floors.NetworkFloor,
    "floor-compute": floors.ComputeFloor,
}
"""How each method is made, by the name of its row."""


def measured(method: Method, job: Job) -> Row:
    """Run once, and add the CPU seconds and the peak memory (MB) of the process and its children."""
    reset_peak()
    before = own_cpu_seconds() + child_cpu_seconds()
    row = method.run(job)
    used = own_cpu_seconds() + child_cpu_seconds() - before
    return row | {"cpu_s": used, "peak_mb": peak_mb()}


def main() -> None:
    """Run one method for every line of the input."""
    name, ca_file, device = sys.argv[1:]
    # libraries print to standard output, too: rows get a copy of it, prints go to standard error
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    method = METHODS[name](Context(ca_file, device))
    answers.write(json.dumps({"ready": True}) + "\n")
    try:
        for line in sys.stdin:
            found: dict[str, Any]
            try:
                found = dict(measured(method, Job.from_line(line)))
            except Exception as error:  # noqa: BLE001 - a method that fails is a result, not the end of the run
                found = {"error": f"{type(error).__name__}: {error}"}
            answers.write(json.dumps(found) + "\n")
    finally:
        method.close()


if __name__ == "__main__":
    main()
