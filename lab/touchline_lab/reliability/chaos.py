"""`python -m touchline_lab.reliability.chaos`: faults at every stage of a challenge, on real processes.

The promise that is checked: the challenge ends in one answer or one typed error, at its deadline plus half a
second at the latest, and the next challenge is answered.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from services.errors import ChallengeError
from tasks.client import submit
from touchline_lab.reliability.faults import ALL, DEADLINE_S, STAGES, Fault, Stage, reach
from touchline_lab.reliability.rig import Rig

LATE_S: Final = 0.5
"""Seconds after its deadline by which a challenge has ended."""
NEXT_S: Final = 120.0
"""Seconds within which the next challenge has to be answered; a lone worker may have to load its models."""
BEGIN: Final = "<!-- begin: make chaos -->"
END: Final = "<!-- end: make chaos -->"
"""Between these lines of a document stands the table."""


@dataclass(frozen=True, slots=True)
class Observed:
    """What one fault at one stage did.

    Attributes:
        fault: What was done.
        stage: Where the challenge stood.
        outcome: What the caller got: `answer` or the error's type.
        ended_s: Seconds from the fault to that.
        next_s: Seconds from the outcome to the answer of the next challenge.
        late_s: Seconds after the deadline at which the challenge ended; negative before it.
    """

    fault: str
    stage: Stage
    outcome: str
    ended_s: float
    next_s: float | None
    late_s: float

    @property
    def kept(self) -> bool:
        """Whether the promise was kept; what ended before the fault shows nothing."""
        ended = self.outcome != "nothing" and self.ended_s >= 0
        return ended and self.late_s <= LATE_S and self.next_s is not None


def run(faults: Iterable[Fault], stages: Sequence[Stage] | None = None) -> Iterable[Observed]:
    """Do the faults, each to a fresh system, one after the other."""
    for fault in faults:
        for stage in fault.stages:
            if stages is not None and stage not in stages:
                continue
            with (
                tempfile.TemporaryDirectory(prefix="touchline-chaos-") as folder,
                Rig(
                    Path(folder),
                    fault.workers,
                    keeps_data=fault.keeps_data,
                    env={"SPARE_CHILDREN": str(fault.spare_children)},
                    through_gateway=fault.through_gateway,
                ) as rig,
            ):
                yield _observe(rig, fault, stage)


def _observe(rig: Rig, fault: Fault, stage: Stage) -> Observed:
    submitted = time.monotonic()
    at = reach(rig, stage, "chaos", fault.before)
    # what the predictor does it does as soon as it is asked
    done = submitted if fault.before else time.monotonic()
    fault.do(at)
    at.caller.join(DEADLINE_S + 10 * LATE_S)
    ended = at.caller.ended or time.monotonic()
    rig.set_fault("")
    return Observed(
        fault=fault.name,
        stage=stage,
        outcome=at.caller.outcome,
        ended_s=ended - done,
        next_s=_next_answer_s(rig),
        late_s=ended - submitted - DEADLINE_S,
    )


def _next_answer_s(rig: Rig) -> float | None:
    """Seconds until another challenge is answered; an error means that a front end asks again."""
    started = time.monotonic()
    attempt = 0
    while time.monotonic() < started + NEXT_S:
        attempt += 1
        left = max(1.0, started + NEXT_S - time.monotonic())
        try:
            submit(
                rig.url(), challenge_id=f"next-{attempt}", redis_url=rig.valkey.url, deadline_s=left
            ).wait()
        except ChallengeError:
            time.sleep(0.1)
        else:
            return time.monotonic() - started
    return None


HEADS: Final = ("Fault", "Stage", "The caller got", "seconds after the fault", "next answer after, s")


def row(observed: Observed) -> tuple[str, ...]:
    """As texts, in the order of `HEADS`."""
    following = "never" if observed.next_s is None else f"{observed.next_s:.1f}"
    outcome = "the answer" if observed.outcome == "answer" else f"`{observed.outcome}`"
    return (observed.fault, observed.stage, outcome, f"{observed.ended_s:.1f}", following)


def markdown(rows: Iterable[Observed]) -> str:
    """The table, for a document."""
    lines = ["| " + " | ".join(HEADS) + " |", "|---|---|---|---:|---:|"]
    return "\n".join([*lines, *("| " + " | ".join(row(observed)) + " |" for observed in rows)])


def put_into(document: Path, table: str) -> None:
    """Replace what stands between the two marks of a document."""
    text = document.read_text()
    head, rest = text.split(BEGIN, 1)
    document.write_text(f"{head}{BEGIN}\n\n{table}\n\n{END}{rest.split(END, 1)[1]}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the suite; 1 if the promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m touchline_lab.reliability.chaos", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="only the faults of the quick half")
    parser.add_argument("--only", metavar="TEXT", help="only faults whose name has this text")
    parser.add_argument("--stage", action="append", choices=STAGES, help="only at this stage; repeatable")

    parser.add_argument("--document", type=Path, help="put the table into this Markdown file")
    options = parser.parse_args(argv)
    chosen = [
        fault
        for fault in ALL
        if (fault.quick or not options.quick) and (options.only is None or options.only in fault.name)
    ]
    console = Console(width=None if sys.stdout.isatty() else 150)
    seen = []
    for observed in run(chosen, options.stage):
        seen.append(observed)
        console.print(
            ("kept    " if observed.kept else "BROKEN  ") + " | ".join(row(observed)), highlight=False
        )
    table = Table(*HEADS)
    for observed in seen:
        table.add_row(*row(observed), style="" if observed.kept else "red")
    console.print(table)
    if options.document is not None:
        put_into(options.document, markdown(seen))
    broken = [observed for observed in seen if not observed.kept]
    console.print(f"{len(seen)} faults, the promise was broken by {len(broken)}")
    return 1 if broken or not seen else 0


if __name__ == "__main__":
    sys.exit(main())
