"""What the simulation behind `touchline plan` predicts, beside what two real workers do.

    touchline bench --check-plan

Each worker has a core of its own, as workers on GPUs of their own would: two that share their cores slow each
other down, which a simulation with one set of service times does not know.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from touchline_lab.benchmarks.origins import demo_place
from touchline_lab.benchmarks.system import Answered, System
from touchline_lab.capacity.arrivals import poisson
from touchline_lab.capacity.plan import percentiles
from touchline_lab.capacity.queue import simulate
from touchline_lab.demo_origin.setup_delay import NO_DELAYS
from touchline_lab.renderer.clip_store import stored_clip
from touchline_lab.renderer.seeds import TEST_SEED

WORKERS = 2
BUSY = 0.7
"""Share of the workers' time that the challenges take: enough for queues, not enough to drown in them."""
SEED = 11
REPEATS = 400
BAND = (5, 95)
ONE_CORE = {"INFERENCE_LANES": "1", "DECODE_THREADS": "1", "TORCH_THREADS": "1"}

Say = Callable[[str], None]
Seconds = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Predicted:
    """One percentile.

    Attributes:
        what: `wait` or `answer`.
        percentile: Which.
        measured_s: In the real run.
        replayed_s: Simulated once, each challenge with the service time that it had in the real run.
        least_s: 5th percentile of the simulated runs.
        median_s: Their median.
        most_s: Their 95th percentile.
    """

    what: str
    percentile: int
    measured_s: float
    replayed_s: float
    least_s: float
    median_s: float
    most_s: float

    @property
    def inside(self) -> bool:
        """Whether the real run is one that the simulation expects."""
        return self.least_s <= self.measured_s <= self.most_s


@dataclass(frozen=True, slots=True)
class PlanCheck:
    """A whole run.

    Attributes:
        per_hour: The rate of the challenges.
        count: How many there were.
        service_s: Service times measured before and after the run, with both workers busy.
        run_service_s: Those of the run itself.
        predicted: Percentiles, simulated from the former and from the latter.
        replay_error_s: Median difference between a challenge's wait and the simulated one, when the
            simulation is given the run's own service times: what the real queue does otherwise.
    """

    per_hour: float
    count: int
    service_s: Sequence[float]
    run_service_s: Sequence[float]
    predicted: Sequence[Predicted]
    replay_error_s: float


def run_check(device: str, env: Mapping[str, str], say: Say, *, quick: bool = False) -> PlanCheck:
    """Measure service times, send challenges by chance, and compare.

    Raises:
        StartFailed: A worker did not start.
        ChallengeError: A challenge had no answer.
    """
    warm, count = (6, 30) if quick else (20, 120)
    cores = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory(prefix="touchline-plan-") as folder:
        clip = stored_clip(Path(".cache") / "clips", TEST_SEED, 4.0).path
        (Path(folder) / "clip.mp4").write_bytes(clip.read_bytes())
        with demo_place(Path(folder), NO_DELAYS) as place:
            url = place.urls("clip.mp4")[0]
            say(f"starting {WORKERS} workers")
            with System(
                url,
                place.ca_file,
                workers=WORKERS,
                device=device,
                env={**ONE_CORE, **env},
                deadline_s=600.0,
                cores=cores if len(cores) >= WORKERS else None,
            ) as system:
                system.answer_at(url, [0.0] * WORKERS)
                service = [one.service_s for one in system.answer_at(url, [0.0] * warm)]
                rate = BUSY * WORKERS / float(np.mean(service)) * 3600
                arrivals = poisson(rate, count, np.random.default_rng(SEED))
                say(f"{count} challenges at {rate:.0f} an hour: {arrivals[-1]:.0f} s")
                found = system.answer_at(url, arrivals.tolist())
                # a machine that others use, too, is not as fast at all times
                service += [one.service_s for one in system.answer_at(url, [0.0] * warm)]
    return compare(rate, arrivals, service, found)


def compare(rate: float, arrivals: Seconds, service: Sequence[float], found: Sequence[Answered]) -> PlanCheck:
    """Simulate the same arrivals many times, with service times drawn from those measured apart."""
    rng = np.random.default_rng(SEED + 1)
    waits, tooks = [], []
    for _ in range(REPEATS):
        outcome = simulate(arrivals, rng.choice(np.asarray(service), len(arrivals)), WORKERS)
        waits.append(percentiles(outcome.waited))
        tooks.append(percentiles(outcome.took))
    waited = np.array([one.queue_s for one in found])
    took = np.array([one.wall_s for one in found])
    own = np.array([one.service_s for one in found])
    replayed = simulate(arrivals, own, WORKERS)
    return PlanCheck(
        rate,
        len(found),
        list(service),
        own.tolist(),
        _predicted("wait", percentiles(waited), percentiles(replayed.waited), waits)
        + _predicted("answer", percentiles(took), percentiles(replayed.took), tooks),
        float(np.median(np.abs(replayed.waited - waited))),
    )


def _predicted(
    what: str, measured: dict[int, float], replayed: dict[int, float], runs: list[dict[int, float]]
) -> list[Predicted]:
    return [
        Predicted(
            what,
            percentile,
            seconds,
            replayed[percentile],
            *np.percentile([run[percentile] for run in runs], (BAND[0], 50, BAND[1])).tolist(),
        )
        for percentile, seconds in measured.items()
    ]
