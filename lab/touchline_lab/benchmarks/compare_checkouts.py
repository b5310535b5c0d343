"""Paired comparison of two checkouts of this project: warm answers of the demonstration clip, in turn.

    python -m touchline_lab.benchmarks.compare_checkouts ../other-checkout . --rounds 40

A worker of each checkout stays up, with the code and the `.venv` of its checkout. In each round both answer
the clip once, one after the other, and the order changes with every round, so that a drift of the machine's
speed hits both alike. The first two rounds are not counted. Printed are the medians, the median of the ratios
of all rounds with its 95 % confidence interval, and whether both checkouts give the same answer.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from statistics import median
from typing import IO, Final

from touchline_lab.benchmarks import warm_answers
from touchline_lab.renderer.clip_store import stored_clip
from touchline_lab.renderer.seeds import DEMO_SEED

_CLIP_S: Final = 30.0
"""Seconds of the clip, as the demonstration's."""
_UNCOUNTED: Final = 2
"""Rounds before those that count: the first opens the connection, both fill what is filled on demand."""


@dataclass(frozen=True, slots=True)
class WarmAnswer:
    """One answer of the clip.

    Attributes:
        total_s: Seconds from the start of the challenge in the worker to its encoded answer.
        fingerprint: See `frames_fingerprint`.
    """

    total_s: float
    fingerprint: str


class WorkerOfCheckout:
    """The process that answers the clip with the code of one checkout, see `warm_answers`.

    Args:
        name: What the checkout is called in messages.
        requests: The standard input of the process.
        answers: Its standard output.
    """

    def __init__(self, name: str, requests: IO[str], answers: IO[str]) -> None:
        self._name, self._requests, self._answers = name, requests, answers

    def wait_until_ready(self) -> None:
        """Wait until its models are warm.

        Raises:
            RuntimeError: It ended.
        """
        self._line()

    def answer(self) -> WarmAnswer:
        """Have the clip answered once.

        Raises:
            RuntimeError: The process ended.
        """
        self._requests.write("\n")
        self._requests.flush()
        return WarmAnswer(**json.loads(self._line()))

    def _line(self) -> str:
        line = self._answers.readline()
        if not line:
            raise RuntimeError(f"the worker of {self._name} ended; its messages are above")
        return line


@contextmanager
def worker_of(checkout: Path, clip: Path) -> Iterator[WorkerOfCheckout]:
    """Start the worker of a checkout, and stop it at the end."""
    # commands and plug-ins are registered in the environment: an older checkout has others
    own = checkout / ".venv/bin/python"
    process = subprocess.Popen(
        [str(own) if own.exists() else sys.executable, warm_answers.__file__, str(clip)],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": f"{checkout}{os.pathsep}{checkout / 'lab'}"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        # leaving closes its standard input, at which it stops what it started
        yield WorkerOfCheckout(checkout.name, process.stdin, process.stdout)


def answer_in_turn(
    workers: tuple[WorkerOfCheckout, WorkerOfCheckout], rounds: int
) -> list[tuple[WarmAnswer, WarmAnswer]]:
    """Have both workers answer in each round; the order changes with every round."""
    pairs = []
    for number in range(rounds):
        if number % 2:
            second = workers[1].answer()
            first = workers[0].answer()
        else:
            first = workers[0].answer()
            second = workers[1].answer()
        pairs.append((first, second))
    return pairs


def median_interval(values: Sequence[float]) -> tuple[float, float]:
    """The 95 % confidence interval of a median, whatever the distribution.

    Source: the order statistics at n / 2 -+ 1.96 sqrt(n) / 2, the normal approximation of the binomial
    distribution.
    """
    ordered, half = sorted(values), 1.96 * sqrt(len(values)) / 2
    low = max(int(len(ordered) / 2 - half), 0)
    return ordered[low], ordered[len(ordered) - 1 - low]


def report(names: tuple[str, str], pairs: Sequence[tuple[WarmAnswer, WarmAnswer]]) -> str:
    """Medians, ratio and whether the answers agree, as lines of text."""
    lines = []
    for name, answers in zip(names, zip(*pairs, strict=True), strict=True):
        times = [answer.total_s for answer in answers]
        lines.append(f"{name}: {median(times):.3f} s ({min(times):.3f} to {max(times):.3f})")
    ratios = [second.total_s / first.total_s for first, second in pairs]
    low, high = median_interval(ratios)
    lines.append(f"second / first: {median(ratios):.3f} (95 % of the median: {low:.3f} to {high:.3f})")
    found = {answer.fingerprint for pair in pairs for answer in pair}
    agree = "the same" if len(found) == 1 else "different"
    lines.append(f"answers: {agree} ({pairs[0][1].fingerprint[:16]})")
    return "\n".join(lines)


def main() -> None:
    """Compare two checkouts and print the report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("first", type=Path, help="root of a checkout")
    parser.add_argument("second", type=Path, help="root of the checkout that is compared with it")
    parser.add_argument("--rounds", type=int, default=40, help="counted rounds; two come first")
    options = parser.parse_args()
    first, second = options.first.resolve(), options.second.resolve()
    clip = stored_clip(Path(".cache/clips"), DEMO_SEED, _CLIP_S).path.resolve()
    with ExitStack() as stack:
        workers = stack.enter_context(worker_of(first, clip)), stack.enter_context(worker_of(second, clip))
        for worker in workers:
            worker.wait_until_ready()
        pairs = answer_in_turn(workers, _UNCOUNTED + options.rounds)[_UNCOUNTED:]
    print(report((first.name, second.name), pairs))


if __name__ == "__main__":
    main()
