"""How challenges end whose link goes bad: with a complete answer, a partial answer, or a typed error.

python -m touchline_lab.benchmarks.bad_links
"""

from __future__ import annotations

import tempfile
import threading
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from touchline_lab.benchmarks.clips import FRONT, prepare
from touchline_lab.benchmarks.job import Job
from touchline_lab.benchmarks.linklab.lab import Lab, require
from touchline_lab.benchmarks.linklab.links import LINKS, Link
from touchline_lab.benchmarks.origins import LabPlace
from touchline_lab.benchmarks.process import MethodFailed, MethodProcess

GOOD = LINKS["r40"]
WORSE_AFTER_S = 0.1
"""Seconds after the start of a challenge at which the link changes: less than a tenth of the clip has
arrived."""

CASES: dict[str, tuple[Link, Link, float | None]] = {
    # link before the change, link after it, seconds until it is good again (None: never)
    "good": (GOOD, GOOD, None),
    "1 % of the packets lost": (replace(GOOD, loss=0.01), replace(GOOD, loss=0.01), None),
    "5 % of the packets lost": (replace(GOOD, loss=0.05), replace(GOOD, loss=0.05), None),
    "30 % lost from the middle on": (GOOD, replace(GOOD, loss=0.3), None),
    "1 Mbit/s from the middle on": (GOOD, replace(GOOD, down_mbit=1), None),
    "10 kB/s from the middle on": (GOOD, replace(GOOD, down_mbit=0.08), None),
    "silent for 2 s": (GOOD, replace(GOOD, loss=1.0), 2.0),
    "silent for ever": (GOOD, replace(GOOD, loss=1.0), None),
}
"""What happens to the link, by the name of the row."""


def main() -> None:
    """Run all cases in a link lab and print a table."""
    require()
    table = Table(
        "what happens to the link",
        "how the challenge ends",
        "after, s",
        "sampled frames",
        "same answer as over the good link",
    )
    with tempfile.TemporaryDirectory(prefix="touchline-bad-links-") as name:
        folder = Path(name)
        served = folder / "www"
        served.mkdir()
        prepare(served, short=False)
        with Lab(served) as lab:
            place = LabPlace(lab)
            method = MethodProcess("touchline-deadline", place, "cpu", {}, folder / "log")
            try:
                good = None
                for case, (before, after, again_s) in CASES.items():
                    lab.set_link(before)
                    url, short = place.urls(FRONT)
                    row = _run(lab, method, Job(url, short, "", 0, 0), after, again_s)
                    good = row.get("answer_digest") if case == "good" else good
                    table.add_row(case, *_cells(row, good))
            finally:
                method.close()
    Console().print(table)


def _run(
    lab: Lab, method: MethodProcess, job: Job, after: Link, again_s: float | None
) -> dict[str, float | str]:
    timers: list[threading.Timer] = []

    def schedule_changes() -> None:
        timers.append(threading.Timer(WORSE_AFTER_S, lab.set_link, [after]))
        if again_s is not None:
            timers.append(threading.Timer(WORSE_AFTER_S + again_s, lab.set_link, [GOOD]))
        for timer in timers:
            timer.start()

    try:
        method.run(replace(job, idle_s=1.0))
        schedule_changes()
        return dict(method.run(job))
    except MethodFailed as error:
        return {"error": str(error)}
    finally:
        for timer in timers:
            timer.join()
        lab.set_link(GOOD)


def _cells(row: dict[str, float | str], good: float | str | None) -> list[str]:
    if "error" in row:
        return [str(row["error"])[:120], "", "", ""]
    how = "partial answer" if row["partial"] else "complete answer"
    same = "yes" if row["answer_digest"] == good else "no"
    return [how, f"{float(row['answer_s']):.2f}", f"{float(row['frames']):.0f}", same]


if __name__ == "__main__":
    main()
