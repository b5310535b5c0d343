"""`python -m touchline_lab.reliability.fuzz`: damaged input for every function that reads bytes of strangers.

Inputs that end in anything but the errors that a function announces, or that take a second of computing, are
kept in a folder; the process itself dies where a library does.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from touchline_lab.reliability.fuzz_targets import Target, all_targets

MAX_EXECUTION_S: Final = 1.0
"""Seconds of computing for one small input; more is a hang."""
MAX_MEMORY_MB: Final = 512
"""MB that a target may add to the process's largest size."""
MAX_CHANGES: Final = 6
"""Changes to one input: more leave nothing of its form."""
_NUMBERS: Final = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)
"""Values at which lengths and counts go wrong: the limits of their types."""


@dataclass(frozen=True, slots=True)
class Report:
    """What came of fuzzing one target.

    Attributes:
        target: Its name.
        executions: Inputs that were read.
        slowest_s: Seconds of computing that the slowest took.
        memory_mb: MB by which the process's largest size grew.
        problems: Inputs with what was wrong with each.
    """

    target: str
    executions: int
    slowest_s: float
    memory_mb: int
    problems: tuple[tuple[bytes, str], ...]


def mutate(data: bytes, others: Sequence[bytes], random_: random.Random) -> bytes:
    """Change an input in a few places."""
    out = bytearray(data)
    for _ in range(random_.randint(1, MAX_CHANGES)):
        at = random_.randrange(len(out)) if out else 0
        match random_.randrange(7):
            case 0 if out:
                out[at] ^= 1 << random_.randrange(8)
            case 1 if out:
                out[at] = random_.randrange(256)
            case 2:
                size = random_.choice((1, 2, 4))
                number = random_.choice(_NUMBERS) & (1 << 8 * size) - 1
                out[at : at + size] = number.to_bytes(size, "big")
            case 3:
                del out[at : at + random_.randint(1, 16)]
            case 4:
                out[at:at] = out[at : at + random_.randint(1, 64)] * random_.randint(1, 20)
            case 5:
                other = random_.choice(others)
                begin = random_.randrange(len(other))
                out[at : at + random_.randint(0, 64)] = other[begin : begin + random_.randint(1, 64)]
            case _:
                del out[at if random_.random() < 0.1 else len(out) :]
    return bytes(out)


def fuzz(target: Target, executions: int, seed: int = 0, limit_s: float | None = None) -> Report:
    """Read damaged inputs.

    Args:
        target: What reads them.
        executions: How many.
        seed: The same seed makes the same inputs.
        limit_s: Seconds after which it ends sooner.
    """
    random_ = random.Random(f"{target.name} {seed}")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    problems: list[tuple[bytes, str]] = []
    end = None if limit_s is None else time.monotonic() + limit_s
    slowest, done = 0.0, 0
    while done < executions:
        done += 1
        data = mutate(random_.choice(target.seeds), target.seeds, random_)
        begun = time.thread_time()
        try:
            target.read(data)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what is looked for
            problems.append((data, f"{type(error).__name__}: {error}"))
        took = time.thread_time() - begun
        if took > MAX_EXECUTION_S:
            problems.append((data, f"{took:.1f} s of computing"))
        slowest = max(slowest, took)
        if end is not None and time.monotonic() > end:
            break
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024
    if grown > MAX_MEMORY_MB:
        problems.append((b"", f"the process grew by {grown} MB"))
    return Report(target.name, done, slowest, grown, tuple(problems))


def main() -> int:
    """Fuzz all targets, or those that are named; 1 where something was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*", help="names of targets; by default all")
    parser.add_argument("--executions", type=int, default=1_000_000, help="inputs for each target")
    parser.add_argument("--seconds", type=float, default=60.0, help="maximum time for each target")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--out", type=Path, default=Path("fuzz-out"), help="folder for inputs that show a problem"
    )
    options = parser.parse_args()
    found = False
    print(f"{'target':10} {'inputs':>9} {'slowest ms':>10} {'MB more':>8}  problems")
    for target in all_targets():
        if options.targets and target.name not in options.targets:
            continue
        report = fuzz(target, options.executions, options.seed, options.seconds)
        print(
            f"{report.target:10} {report.executions:9} {report.slowest_s * 1000:10.1f} {report.memory_mb:8}"
            f"  {len(report.problems)}",
            flush=True,
        )
        for data, problem in report.problems[:10]:
            found = True
            options.out.mkdir(parents=True, exist_ok=True)
            path = options.out / f"{target.name}-{hashlib.sha256(data).hexdigest()[:12]}"
            path.write_bytes(data)
            print(f"  {path}: {problem[:200]}")
    return int(found)


if __name__ == "__main__":
    sys.exit(main())
