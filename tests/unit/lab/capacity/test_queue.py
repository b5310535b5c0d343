"""The simulated queue compared with queues whose behaviour is known from theory or by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from touchline_lab.capacity.arrivals import bursts, poisson
from touchline_lab.capacity.queue import simulate

MANY = 400_000


def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def erlang_c(workers: int, load: float) -> float:
    """Share of challenges that wait in M/M/c, `load` = arrival rate x mean service time.

    Source: Erlang 1917; Gross and Harris, Fundamentals of Queueing Theory, section on M/M/c.
    """
    full = load**workers / math.factorial(workers) * workers / (workers - load)
    return full / (sum(load**k / math.factorial(k) for k in range(workers)) + full)


@pytest.mark.parametrize("busy", [0.3, 0.6, 0.8])
def test_waiting_times_of_m_m_1(busy: float) -> None:
    """Waiting is 0 with chance 1 - rho, else exponential with rate mu - lambda."""
    chance = rng()
    arrivals = poisson(3600 * busy, MANY, chance)
    found = simulate(arrivals, chance.exponential(1.0, MANY), 1)
    assert found.busy == pytest.approx(busy, rel=0.02)
    assert found.waited.mean() == pytest.approx(busy / (1 - busy), rel=0.05)
    assert (found.waited > 0).mean() == pytest.approx(busy, rel=0.02)
    after = 2.0
    assert (found.waited > after).mean() == pytest.approx(
        busy * math.exp(-(1 - busy) * after), rel=0.06, abs=0.002
    )
    # time in the system is exponential
    assert np.percentile(found.took, 95) == pytest.approx(-math.log(0.05) / (1 - busy), rel=0.06)


@pytest.mark.parametrize("busy", [0.3, 0.6, 0.8])
def test_waiting_times_of_m_d_1(busy: float) -> None:
    """Pollaczek and Khinchine: the mean wait of a constant service time is half of M/M/1's."""
    found = simulate(poisson(3600 * busy, MANY, rng()), np.ones(MANY), 1)
    assert found.waited.mean() == pytest.approx(busy / (2 * (1 - busy)), rel=0.04)


@pytest.mark.parametrize(("workers", "busy"), [(2, 0.5), (2, 0.8), (4, 0.7), (8, 0.85)])
def test_waiting_times_of_m_m_c(workers: int, busy: float) -> None:
    """Erlang C gives the share that waits; those wait exponentially with rate c mu - lambda."""
    chance = rng()
    found = simulate(poisson(3600 * busy * workers, MANY, chance), chance.exponential(1.0, MANY), workers)
    waits = erlang_c(workers, busy * workers)
    assert (found.waited > 0).mean() == pytest.approx(waits, rel=0.04)
    assert found.waited.mean() == pytest.approx(waits / (workers * (1 - busy)), rel=0.06)
    assert found.busy == pytest.approx(busy, rel=0.02)


def test_two_workers_take_four_challenges_in_order() -> None:
    found = simulate(np.zeros(4), np.array([2.0, 3.0, 2.0, 2.0]), 2)
    assert found.waited.tolist() == [0, 0, 2, 3]
    assert found.took.tolist() == [2, 3, 4, 5]
    assert found.busy == pytest.approx(9 / 10)
    assert not found.missed.any()


def test_a_deadline_ends_work_and_refuses_challenges_that_waited_too_long() -> None:
    # the 1st is answered at 3, the 2nd is ended at its deadline 4, the 3rd is refused when it is taken at 4
    found = simulate(np.array([0.0, 0.0, 0.0, 3.0]), np.array([3.0, 3.0, 3.0, 1.0]), 1, deadline_s=4.0)
    assert found.missed.tolist() == [False, True, True, False]
    assert found.took.tolist() == [3, 4, 4, 2]
    assert found.waited.tolist() == [0, 3, 4, 1]


def test_bursts_arrive_at_regular_intervals() -> None:
    assert bursts(60.0, 3, 6, rng()).tolist() == [0, 0, 0, 180, 180, 180]
    spread = bursts(60.0, 3, 6, rng(), spread_s=10.0)
    assert ((spread[:3] >= 0) & (spread[:3] < 10)).all()
    assert (np.diff(spread) >= 0).all()
    # a burst of k on c workers of service time s is over after ceil(k / c) s
    found = simulate(bursts(8.0, 8, 800, rng()), np.ones(800), 3)
    assert found.took.max() == 3


def test_a_queue_without_challenges_is_not_busy() -> None:
    assert simulate(np.empty(0), np.empty(0), 2).busy == 0
