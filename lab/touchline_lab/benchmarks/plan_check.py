"""Compares what `touchline plan` predicts with what two real workers do.

    touchline bench --check-plan

Each worker has a processor core of its own, like workers with a GPU of their own. Workers that share cores
slow each other down, which a simulation with one set of service times does not model.
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
"""Number of workers."""
BUSY = 0.7
"""Share of the time that the workers are busy: challenges have to queue, but the queue must not keep
growing."""
SEED = 11
"""Seed of the arrival times and of the simulations."""
REPEATS = 400
"""Number of simulated runs."""
BAND = (5, 95)
"""Percentiles of the simulated runs between which the measured value is expected."""
ONE_CORE = {"INFERENCE_SLOTS": "1", "DECODE_THREADS": "1", "TORCH_THREADS": "1"}
"""Settings with which a worker uses one core."""

Say = Callable[[str], None]
"""Receives one line of progress."""
Seconds = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Predicted:
    """One percentile of waiting or answering times: measured and predicted, in seconds.

    Attributes:
        what: `wait` or `answer`.
        percentile: Which percentile of the challenges.
        measured_s: Its value in the real run.
        replayed_s: Its value when the run is simulated with the service time that each challenge really had.
        minimum_s: 5th percentile of its values in the simulated runs.
        median_s: Median of its values in the simulated runs.
        maximum_s: 95th percentile of its values in the simulated runs.
    """

    what: str
    percentile: int
    measured_s: float
    replayed_s: float
    minimum_s: float
    median_s: float
    maximum_s: float

    @property
    def inside(self) -> bool:
        """Whether the measured value lies within the band of the simulated runs."""
        return self.minimum_s <= self.measured_s <= self.maximum_s


@dataclass(frozen=True, slots=True)
class PlanCheck:
    """The results of a whole run.

    Attributes:
        per_hour: Challenges per hour.
        count: Number of challenges.
        service_s: Service times in seconds, measured before and after the run with both workers busy.
        run_service_s: Service times in seconds during the run.
        predicted: The percentiles of waiting and answering times.
        replay_error_s: Median difference in seconds between the real waiting time of a challenge and that of
            the replay, which uses the service times of the run: the error of the simulated queue alone.
    """

    per_hour: float
    count: int
    service_s: Sequence[float]
    run_service_s: Sequence[float]
    predicted: Sequence[Predicted]
    replay_error_s: float


def run_check(device: str, env: Mapping[str, str], say: Say, *, quick: bool = False) -> PlanCheck:
    """Measure service times, submit challenges at random times, and compare with simulations.

    Args:
        device: The setting `DEVICE`.
        env: Settings of the workers, by the names of their variables.
        say: Receives the progress, line by line.
        quick: Whether a fourth of the challenges is enough.

    Raises:
        StartFailed: A worker did not start.
        ChallengeError: A challenge was not answered.
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
                # measured again after the run: a shared machine changes its speed
                service += [one.service_s for one in system.answer_at(url, [0.0] * warm)]
    return compare(rate, arrivals, service, found)


def compare(rate: float, arrivals: Seconds, service: Sequence[float], found: Sequence[Answered]) -> PlanCheck:
    """Simulate the same arrivals many times with the measured service times, and compare with the real run.

    Args:
        rate: Challenges per hour.
        arrivals: Arrival times in seconds, shape (n,), rising.
        service: Service times in seconds, measured before and after the run; each simulation draws from them.
        found: The answers of the real run, in order of arrival.
    """
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
