from __future__ import annotations

import numpy as np
import pytest

from services.tracking.ball.trajectory import Matrix, Trajectory

SPEED, ACCELERATION = np.full(2, 0.6), np.full(2, 0.01)


def rolling(frames: Matrix) -> Matrix:
    """It rolls and slows down, is kicked back and up the pitch at frame 33, and rolls on."""
    t = np.minimum(frames, 33)[:, None]
    late = np.maximum(frames - 33, 0)[:, None]
    first = np.array([20.0, 30.0]) + t * [0.5, 0.1] - t**2 / 2 * [0.002, 0.0]
    return np.asarray(first + late * [-0.3, 0.4] + late**2 / 2 * [0.001, -0.001], np.float64)


@pytest.mark.parametrize(
    "times", [np.arange(0, 67, 6.0), np.array([0, 5, 13, 18, 25, 29, 36, 43, 47, 55, 60, 66.0])]
)
def test_a_kick_between_samples_is_found(times: Matrix) -> None:
    flight = Trajectory(times, rolling(times), np.full((len(times), 2), 0.05), SPEED, ACCELERATION)
    frames = np.arange(67.0)
    found = np.linalg.norm(flight.in_segments(frames) - rolling(frames), axis=1)
    off = np.linalg.norm(flight.at(frames) - rolling(frames), axis=1)
    straight = np.stack([np.interp(frames, times, rolling(times)[:, k]) for k in range(2)], 1)
    lost = np.linalg.norm(straight - rolling(frames), axis=1)
    assert found.max() < 0.01 < lost.max()
    assert off.mean() < 0.7 * lost.mean()


def test_it_passes_through_what_was_seen() -> None:
    times = np.arange(0, 60, 6.0)
    seen = rolling(times) + np.random.default_rng(3).normal(0, 0.05, (10, 2))
    flight = Trajectory(times, seen, np.full((10, 2), 0.05), SPEED, ACCELERATION)
    np.testing.assert_allclose(flight.at(times), seen, atol=1e-6)


def test_one_sighting_stays_where_it_was() -> None:
    flight = Trajectory(np.array([6.0]), np.array([[3.0, 4.0]]), np.full((1, 2), 0.05), SPEED, ACCELERATION)
    np.testing.assert_allclose(flight.at(np.array([4.0, 6.0, 8.0])), [[3, 4]] * 3, atol=0.01)
