"""Paired comparison of two checkouts of this project: the warm answer of the demonstration clip, in turn.

    python -m touchline_lab.benchmarks.compare_checkouts ../other-checkout . --rounds 5

Each round runs `touchline demo` once with the code of each checkout, in its own `.venv` where it has one, so
that a drift of the machine's speed hits both. The first round is not counted. Printed are the medians, their
ratio, and whether both checkouts give the same answer.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from touchline_lab.evaluation.fingerprint import frames_fingerprint


@dataclass(frozen=True, slots=True)
class DemoRun:
    """One run of the demonstration.

    Attributes:
        total_s: Seconds from the start of the warm challenge in the worker to its encoded answer.
        fingerprint: See `frames_fingerprint`.
    """

    total_s: float
    fingerprint: str


def run_demo(checkout: Path) -> DemoRun:
    """Run `touchline demo` with the code of a checkout.

    Raises:
        subprocess.CalledProcessError: The demonstration failed.
    """
    # commands are registered in the environment: an older checkout has others
    own = checkout / ".venv/bin/python"
    python = str(own) if own.exists() else sys.executable
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [python, "-m", "services.cli.main", "demo", "--out", folder],
            cwd=checkout,
            env={**os.environ, "PYTHONPATH": f"{checkout}{os.pathsep}{checkout / 'lab'}"},
            check=True,
            capture_output=True,
        )
        timeline = json.loads((Path(folder) / "timeline.json").read_text())
        body = (Path(folder) / "answer.json").read_bytes()
    return DemoRun(float(timeline["warm"]["timeline"]["total"]), frames_fingerprint(body))


def compare(checkouts: tuple[Path, Path], rounds: int) -> tuple[list[DemoRun], list[DemoRun]]:
    """Run both checkouts in turn; the first round is left out."""
    runs: tuple[list[DemoRun], list[DemoRun]] = ([], [])
    for _ in range(rounds + 1):
        for found, checkout in zip(runs, checkouts, strict=True):
            found.append(run_demo(checkout))
    return runs[0][1:], runs[1][1:]


def main() -> None:
    """Compare two checkouts and print medians, ratio and whether the answers agree."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("first", type=Path, help="root of a checkout")
    parser.add_argument("second", type=Path, help="root of the checkout that is compared with it")
    parser.add_argument("--rounds", type=int, default=5, help="counted rounds; one more comes first")
    options = parser.parse_args()
    checkouts = options.first.resolve(), options.second.resolve()
    found = compare(checkouts, options.rounds)
    for checkout, runs in zip(checkouts, found, strict=True):
        times = [run.total_s for run in runs]
        print(f"{checkout.name}: {median(times):.3f} s ({min(times):.3f} to {max(times):.3f})")
    one, other = (median(run.total_s for run in runs) for runs in found)
    print(f"second / first: {other / one:.3f}")
    same = len({run.fingerprint for runs in found for run in runs}) == 1
    print(f"answers: {'the same' if same else 'different'} ({found[1][0].fingerprint[:16]})")


if __name__ == "__main__":
    main()
