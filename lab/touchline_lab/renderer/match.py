"""Simulates a match: where people run, where the ball goes, and where the camera points.

The state after N steps depends on the seed only, not on which steps were rendered.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from services import pitch
from touchline_lab.renderer.camera import Camera, FloatArray

__all__ = ["BALL_RADIUS", "LENGTH", "LIFE_SIZE", "WIDTH", "Match"]

LENGTH: Final = pitch.LENGTH_CM / 100
"""Length of the pitch in metres."""
WIDTH: Final = pitch.WIDTH_CM / 100
"""Width of the pitch in metres."""

LIFE_SIZE: Final = LENGTH / 105
"""Factor by which people are larger than life: the 120 m of the answer's pitch stand for a real one of 105
m."""

BALL_RADIUS: Final = 0.26
"""Radius of the ball in metres: larger than a real one, so that it covers some pixels."""

_GRAVITY: Final = 9.8
"""Metres per second squared."""
_WARM_UP_STEPS: Final = 40
"""Steps before frame 0, in which people begin to run."""
_SPACE: Final = 1.5
"""Metres that people keep between each other."""

_FORMATION: Final = (
    (0.20, 0.15), (0.17, 0.38), (0.17, 0.62), (0.20, 0.85), (0.38, 0.20),
    (0.35, 0.50), (0.38, 0.80), (0.52, 0.30), (0.50, 0.50), (0.52, 0.70),
)  # fmt: skip
"""Outfield players of the team that attacks to the right, as fractions of the pitch."""


class Match:
    """Twenty players, two goalkeepers, a referee, a ball and a camera.

    Attributes:
        class_ids: Class of every person, shape (23,).
        teams: 0 or 1 for a team, 2 for the referee, shape (23,).
        position: Position of every person on the pitch, shape (23, 2), in metres.
        velocity: Velocity of every person, shape (23, 2), in metres per second.
        phase: Phase of every person's stride, shape (23,), in radians.
        ball: Position of the ball on the pitch, shape (2,), in metres.
        ball_height: Height of the ball's centre above the grass in metres.
        camera_position: Position of the camera, shape (3,), in metres.
        hfov: Horizontal field of view of the camera in degrees.
        hfov_target: The field of view that the camera zooms to.
        aim: The point of the pitch in the middle of the picture, shape (2,), in metres.
    """

    def __init__(self, seed: int, fps: int) -> None:
        """Place everybody, and simulate a moment before frame 0."""
        self._random = np.random.default_rng([seed, 1])
        self._dt = 1 / fps
        random = self._random
        base = [(x * LENGTH, y * WIDTH) for x, y in _FORMATION]
        base += [((1 - x) * LENGTH, y * WIDTH) for x, y in _FORMATION]
        base += [(4.5, WIDTH / 2), (LENGTH - 4.5, WIDTH / 2), (LENGTH / 2, WIDTH / 2)]
        self._base: FloatArray = np.array(base)
        self.class_ids: npt.NDArray[np.int64] = np.array(
            [pitch.PLAYER] * 20 + [pitch.GOALKEEPER] * 2 + [pitch.REFEREE]
        )
        self.teams: npt.NDArray[np.int64] = np.array([0] * 10 + [1] * 10 + [0, 1, 2])
        self.ball: FloatArray = self._pick_target()
        self.position: FloatArray = self._base + self._shape_shift() + random.normal(0, 3, self._base.shape)
        self.velocity: FloatArray = np.zeros_like(self._base)
        self.phase: FloatArray = random.uniform(0, 2 * np.pi, len(self._base))
        self.ball_height = BALL_RADIUS
        self._ball_velocity: FloatArray = random.normal(0, 5, 2)
        self._ball_climb = 0.0
        self.camera_position: FloatArray = np.array(
            [LENGTH / 2 + random.uniform(-3, 3), WIDTH + random.uniform(27, 33), random.uniform(15, 18.5)]
        )
        self.hfov = self.hfov_target = random.uniform(33.5, 37.5)
        self.aim: FloatArray = self._aim_target()
        for _ in range(_WARM_UP_STEPS):
            self.step()
        self.aim = self._aim_target()

    def step(self) -> None:
        """Simulate one frame."""
        self._step_ball()
        self._step_people()
        self._step_camera()

    def camera(self, size: tuple[int, int]) -> Camera:
        """The camera at this moment, for a picture of ``size`` (width, height) pixels."""
        return Camera(self.camera_position, np.append(self.aim, 0.0), self.hfov, size)

    def _pick_target(self) -> FloatArray:
        """Choose a target of the ball near a goal, around the centre, or anywhere; shape (2,), in metres."""
        random = self._random
        kind = random.random()
        if kind < 0.65:
            x = random.uniform(3.5, 19)
            x = x if random.random() < 0.5 else LENGTH - x
        elif kind < 0.85:
            x = LENGTH / 2 + random.uniform(-11, 11)
        else:
            x = random.uniform(8, LENGTH - 8)
        return np.array([x, random.uniform(0.14, 0.74) * WIDTH])

    def _shape_shift(self) -> FloatArray:
        """How far the formations shift with the ball, shape (2,), in metres."""
        return (self.ball - (LENGTH / 2, WIDTH / 2)) * (0.55, 0.25)

    def _step_ball(self) -> None:
        random, dt = self._random, self._dt
        if random.random() < dt * 0.8:
            towards_target = self._pick_target() - self.ball
            distance = float(np.linalg.norm(towards_target)) + 1e-6
            self._ball_velocity = towards_target / distance * min(22.0, distance * 0.8 + 4)
            if random.random() < 0.3:
                self._ball_climb = random.uniform(3, 7)
        self.ball = self.ball + self._ball_velocity * dt
        self._ball_velocity = self._ball_velocity * (1 - 0.45 * dt)
        self.ball_height += self._ball_climb * dt
        self._ball_climb -= _GRAVITY * dt
        if self.ball_height < BALL_RADIUS:
            self.ball_height = BALL_RADIUS
            self._ball_climb = -self._ball_climb * 0.5 if abs(self._ball_climb) > 1 else 0.0
        low, high = np.array([1.0, 0.1 * WIDTH]), np.array([LENGTH - 1.0, 0.8 * WIDTH])
        outside = (self.ball < low) | (self.ball > high)
        self._ball_velocity = np.where(outside, -0.6 * self._ball_velocity, self._ball_velocity)
        self.ball = np.clip(self.ball, low, high)

    def _step_people(self) -> None:
        random, dt = self._random, self._dt
        goal = self._base + self._shape_shift()
        keepers, referee = self.class_ids == pitch.GOALKEEPER, self.class_ids == pitch.REFEREE
        goal[keepers] = self._base[keepers] + [0.0, (self.ball[1] - WIDTH / 2) * 0.12]
        towards_centre = np.sign(LENGTH / 2 - self.ball[0]) or 1.0
        goal[referee] = self.ball + [7.0 * towards_centre, 5.0 if self.ball[1] < WIDTH / 2 else -5.0]
        to_ball = np.linalg.norm(self.position - self.ball, axis=1)
        for team in (0, 1):
            field = np.flatnonzero((self.teams == team) & (self.class_ids == pitch.PLAYER))
            chaser = field[to_ball[field].argmin()]
            goal[chaser] = self.ball + [-0.7 if team == 0 else 0.7, 0.2]
        acceleration = (goal - self.position) * 0.9 - self.velocity * 1.1 + random.normal(0, 6, goal.shape)
        gap = self.position[:, None, :] - self.position[None, :, :]
        distance = np.linalg.norm(gap, axis=2) + 1e-6
        push = np.clip(_SPACE - distance, 0, None) / distance
        acceleration += 12 * (gap * push[..., None]).sum(axis=1)
        self.velocity = self.velocity + acceleration * dt
        speed = np.linalg.norm(self.velocity, axis=1)
        self.velocity *= np.minimum(1, 8 / (speed + 1e-6))[:, None]
        self.position = np.clip(self.position + self.velocity * dt, (-1.5, -1.0), (LENGTH + 1.5, WIDTH + 1.0))
        self.phase = self.phase + (2 + speed * 1.5) * dt * 1.6

    def _aim_target(self) -> FloatArray:
        """The point of the pitch that the camera turns towards, shape (2,), in metres."""
        x = float(np.clip(self.ball[0], 14, LENGTH - 14))
        return np.array([x, 29 + (self.ball[1] - WIDTH / 2) * 0.2])

    def _step_camera(self) -> None:
        random, dt = self._random, self._dt
        if random.random() < dt * 0.15:
            self.hfov_target = random.uniform(33.5, 37.5)
        self.hfov += (self.hfov_target - self.hfov) * dt * 0.8
        self.aim = self.aim + (self._aim_target() - self.aim) * dt * 1.6
