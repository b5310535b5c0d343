"""A camera that stands still, turns and zooms: one place for the whole shot, three numbers for each sample.

A homography has eight degrees of freedom, and each sample's noise moves all of them. A broadcast camera has
three: pan, tilt and focal length. Place and roll are found together with those of a spread of samples, by
bundle adjustment (Triggs et al., Bundle Adjustment - A Modern Synthesis, 2000) with robust weights; the
camera of every sample then follows from its own keypoints. The first guess is read off a homography
(Zhang, A Flexible New Technique for Camera Calibration, 2000).

World: metres, x along the touchline, y towards the camera, z up; the picture's centre is the principal point.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]
CameraReading = tuple[Matrix, Matrix]
"""Place (3,) and pose (3,) of a camera."""

SPREAD = 32
"""Samples that the place is found from."""
ROUNDS = 8
NOISE = 2.0
"""Error of a keypoint in a picture 1280 pixels wide, from which on it counts less."""
PLACE_PRIOR = 15.0
"""Metres that the place may lie from the middle of the first guesses."""
ROLL_PRIOR = 0.01
"""Radians of roll that are ordinary."""


@dataclass(frozen=True, slots=True, eq=False)
class FixedCamera:
    """Where a shot's camera is fixed.

    Attributes:
        place: (3,) metres.
        roll: Radians.
        centre: (2,) middle of the picture, pixels.
    """

    place: Matrix
    roll: float
    centre: Matrix

    def homographies(self, poses: Matrix) -> Matrix:
        """(n, 3, 3) from pitch metres to pixels, for poses (n, 3): pan, tilt, log of the focal length."""
        x, y, z = self.place
        sin, cos = np.sin(poses[:, 0]), np.cos(poses[:, 0])
        q, p = np.sin(poses[:, 1]), np.cos(poses[:, 1])
        rows = np.stack(
            [
                np.stack([cos, sin, -(cos * x + sin * y)], 1),
                np.stack([-sin * q, cos * q, q * (sin * x - cos * y) + p * z], 1),
                np.stack([sin * p, -cos * p, -p * (sin * x - cos * y) + q * z], 1),
            ],
            1,
        )
        focal = np.exp(poses[:, 2])[:, None]
        a, b = np.cos(self.roll), np.sin(self.roll)
        across = focal * (a * rows[:, 0] - b * rows[:, 1]) + self.centre[0] * rows[:, 2]
        down = focal * (b * rows[:, 0] + a * rows[:, 1]) + self.centre[1] * rows[:, 2]
        return np.stack([across, down, rows[:, 2]], 1)


def decompose_homography(homography: Matrix, centre: Matrix) -> CameraReading | None:
    """Place (3,) and pose (3,) of a homography by itself; None where no such camera could see that."""
    h = np.array([[1, 0, -centre[0]], [0, 1, -centre[1]], [0, 0, 1.0]]) @ homography
    # the two columns of the ground are orthogonal and of one length
    first = h[0, 0] * h[0, 1] + h[1, 0] * h[1, 1], h[2, 0] * h[2, 1]
    second = (
        (h[0, 0] ** 2 + h[1, 0] ** 2 - h[0, 1] ** 2 - h[1, 1] ** 2) / 2,
        (h[2, 0] ** 2 - h[2, 1] ** 2) / 2,
    )
    below = first[1] ** 2 + second[1] ** 2
    square = -(first[0] * first[1] + second[0] * second[1]) / below if below > 0 else -1.0
    if not (np.isfinite(square) and (centre[0] * 0.3) ** 2 < square < (centre[0] * 60) ** 2):
        return None
    focal = float(np.sqrt(square))
    m = h / np.array([[focal], [focal], [1.0]])
    scale = (np.linalg.norm(m[:, 0]) + np.linalg.norm(m[:, 1])) / 2
    up = -np.cross(m[:, 0], m[:, 1]) / scale**2
    for sign in (1.0, -1.0):
        turn = np.stack([sign * m[:, 0] / scale, sign * m[:, 1] / scale, up], 1)
        place = -turn.T @ (sign * m[:, 2] / scale)
        # seen from above, and the middle of the lower half of the picture lies before the camera
        if place[2] > 0.5 and up[1] < 0:
            tilt = float(np.arcsin(np.clip(-up[2], -1, 1)))
            return place, np.array([np.arctan2(turn[0, 1], turn[0, 0]), tilt, np.log(focal)])
    return None


def estimate_fixed_camera(
    guesses: Matrix, poses: Matrix, ground: Matrix, seen: Matrix, there: Matrix, centre: Matrix
) -> FixedCamera:
    """Place and roll of a shot's camera.

    Args:
        guesses: (n, 3) places read off single homographies.
        poses: (n, 3) poses read off them.
        ground: (k, 2) keypoints in metres.
        seen: (n, k, 2) where they were seen, pixels.
        there: (n, k) 1.0 where they were, else 0.0.
        centre: (2,) middle of the picture.
    """
    middle = np.median(guesses, axis=0)
    if len(poses) > SPREAD:
        chosen = np.linspace(0, len(poses) - 1, SPREAD).round().astype(np.int64)
        poses, seen, there = poses[chosen], seen[chosen], there[chosen]
    stand = FixedCamera(middle, 0.0, centre)
    poses = refine(stand, poses, ground, seen, there)
    stiff = np.diag([PLACE_PRIOR**-2] * 3 + [ROLL_PRIOR**-2])
    for _ in range(ROUNDS):
        off, own, shared = _linear(stand, poses, ground, seen, there)
        a = own.transpose(0, 2, 1) @ own + 1e-9 * np.eye(3)
        b = own.transpose(0, 2, 1) @ shared
        g = (own.transpose(0, 2, 1) @ off[..., None])[..., 0]
        solved = np.linalg.solve(a, np.concatenate([b, g[..., None]], 2))
        reduced = np.einsum("nij,nik->jk", shared, shared) - np.einsum("nij,nik->jk", b, solved[..., :4])
        away = np.append(middle - stand.place, -stand.roll)
        right = np.einsum("nij,ni->j", shared, off) - np.einsum("nij,ni->j", b, solved[..., 4]) + stiff @ away
        move = np.linalg.solve(reduced + stiff, right)
        move[:3] *= min(1.0, 10.0 / max(1e-9, float(np.abs(move[:3]).max())))
        stand = FixedCamera(stand.place + move[:3], stand.roll + float(move[3]), centre)
        poses = poses + np.clip(solved[..., 4] - solved[..., :4] @ move, -0.2, 0.2)
        if np.abs(move[:3]).max() < 1e-3:
            break
    return stand


def refine(
    stand: FixedCamera, poses: Matrix, ground: Matrix, seen: Matrix, there: Matrix, rounds: int = 5
) -> Matrix:
    """Poses (n, 3) that put the keypoints of each sample where they were seen, the stand being known."""
    for _ in range(rounds):
        off, own, _shared = _linear(stand, poses, ground, seen, there)
        a = own.transpose(0, 2, 1) @ own + 1e-6 * np.eye(3)
        g = own.transpose(0, 2, 1) @ off[..., None]
        move = np.linalg.solve(a, g)[..., 0]
        poses = poses + np.clip(move, -0.2, 0.2)
        if np.abs(move).max(initial=0) < 1e-7:
            break
    return poses


def _linear(
    stand: FixedCamera, poses: Matrix, ground: Matrix, seen: Matrix, there: Matrix
) -> tuple[Matrix, Matrix, Matrix]:
    """Weighted residuals (n, 2k) and their derivatives by pose (n, 2k, 3) and stand (n, 2k, 4)."""
    sin, cos = (f(poses[:, 0])[:, None] for f in (np.sin, np.cos))
    q, p = (f(poses[:, 1])[:, None] for f in (np.sin, np.cos))
    focal = np.exp(poses[:, 2])[:, None]
    dx, dy, cz = ground[:, 0] - stand.place[0], ground[:, 1] - stand.place[1], stand.place[2]
    along, ahead = cos * dx + sin * dy, sin * dx - cos * dy
    u, v, w = along, -q * ahead + p * cz, p * ahead + q * cz
    w_raw = w
    w = np.where(np.abs(w) < 1.0, np.copysign(1.0, w), w)
    x, y = focal * u / w, focal * v / w
    a, b = np.cos(stand.roll), np.sin(stand.roll)
    turned = np.stack([a * x - b * y, b * x + a * y], 2)
    off = seen - stand.centre - turned
    noise = NOISE * stand.centre[0] / 640
    weight = there / (1 + (off**2).sum(2) / (2 * noise) ** 2) / noise
    zero = np.zeros_like(u)
    one = np.ones_like(u)
    changes = [
        (-ahead, -q * along, p * along),  # pan
        (zero, -w_raw, -q * ahead + p * cz),  # tilt
        (-cos * one, sin * q * one, -sin * p * one),  # x
        (-sin * one, -cos * q * one, cos * p * one),  # y
        (zero, p * one, q * one),  # z
    ]
    by = [
        np.stack([focal * (du - u / w * dw) / w, focal * (dv - v / w * dw) / w], 2) for du, dv, dw in changes
    ]
    turned_by = [np.stack([a * d[..., 0] - b * d[..., 1], b * d[..., 0] + a * d[..., 1]], 2) for d in by]
    by_roll = np.stack([-turned[..., 1], turned[..., 0]], 2)
    own = np.stack([turned_by[0], turned_by[1], turned], 3) * weight[..., None, None]
    shared = np.stack([*turned_by[2:], by_roll], 3) * weight[..., None, None]
    n = len(poses)
    return (off * weight[..., None]).reshape(n, -1), own.reshape(n, -1, 3), shared.reshape(n, -1, 4)
