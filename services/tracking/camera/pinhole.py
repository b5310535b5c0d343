"""A fixed camera that turns and zooms: one position for a whole shot, three numbers per frame.

A homography has eight degrees of freedom, and the noise of the keypoints affects all of them. A broadcast
camera has three: pan, tilt and focal length. Position and roll are estimated for several sampled frames
together, by bundle adjustment (Triggs et al., Bundle Adjustment - A Modern Synthesis, 2000) with robust
weights; the pose of every sampled frame then follows from its own keypoints. The first estimate comes from
decomposing a homography (Zhang, A Flexible New Technique for Camera Calibration, 2000).

World: metres, x along the touchline, y towards the camera, z up; the picture's centre is the principal point.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]
Decomposition = tuple[Matrix, Matrix]
"""Position (3,) in metres and pose (3,): pan, tilt, logarithm of the focal length."""

MAX_BUNDLE_FRAMES: Final = 32
"""Sampled frames, spread over the shot, from which position and roll are estimated."""
ROUNDS: Final = 8
"""Iterations of the bundle adjustment; it usually converges earlier."""
KEYPOINT_NOISE_PX: Final = 2.0
"""Error of a keypoint, in pixels of a picture 1280 wide, from which on it counts less."""
POSITION_PRIOR_M: Final = 15.0
"""Standard deviation, in metres, of the position around the median of the first estimates."""
ROLL_PRIOR_RAD: Final = 0.01
"""Standard deviation of the roll, radians."""


@dataclass(frozen=True, slots=True, eq=False)
class FixedCamera:
    """Position and roll of a shot's camera.

    Attributes:
        position: (3,) metres.
        roll: Radians.
        centre: (2,) middle of the picture, pixels.
    """

    position: Matrix
    roll: float
    centre: Matrix

    def homographies(self, poses: Matrix) -> Matrix:
        """(n, 3, 3) from pitch metres to pixels, for poses (n, 3): pan, tilt, log of the focal length."""
        x, y, z = self.position
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


def decompose_homography(homography: Matrix, centre: Matrix) -> Decomposition | None:
    """Position (3,) and pose (3,) of the camera behind a homography; None where no camera could see that."""
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
        position = -turn.T @ (sign * m[:, 2] / scale)
        # seen from above, and the middle of the lower half of the picture lies before the camera
        if position[2] > 0.5 and up[1] < 0:
            tilt = float(np.arcsin(np.clip(-up[2], -1, 1)))
            return position, np.array([np.arctan2(turn[0, 1], turn[0, 0]), tilt, np.log(focal)])
    return None


def estimate_fixed_camera(
    guesses: Matrix, poses: Matrix, ground: Matrix, seen: Matrix, there: Matrix, centre: Matrix
) -> FixedCamera:
    """Position and roll of a shot's camera.

    Args:
        guesses: (n, 3) positions from decomposing single homographies.
        poses: (n, 3) poses from the same.
        ground: (k, 2) keypoints in metres.
        seen: (n, k, 2) the same keypoints in source pixels.
        there: (n, k) 1.0 where a keypoint was found, otherwise 0.0.
        centre: (2,) middle of the picture.
    """
    middle = np.median(guesses, axis=0)
    if len(poses) > MAX_BUNDLE_FRAMES:
        chosen = np.linspace(0, len(poses) - 1, MAX_BUNDLE_FRAMES).round().astype(np.int64)
        poses, seen, there = poses[chosen], seen[chosen], there[chosen]
    fixed = FixedCamera(middle, 0.0, centre)
    poses = refine(fixed, poses, ground, seen, there)
    stiff = np.diag([POSITION_PRIOR_M**-2] * 3 + [ROLL_PRIOR_RAD**-2])
    for _ in range(ROUNDS):
        off, own, shared = _linear(fixed, poses, ground, seen, there)
        a = own.transpose(0, 2, 1) @ own + 1e-9 * np.eye(3)
        b = own.transpose(0, 2, 1) @ shared
        g = (own.transpose(0, 2, 1) @ off[..., None])[..., 0]
        solved = np.linalg.solve(a, np.concatenate([b, g[..., None]], 2))
        reduced = np.einsum("nij,nik->jk", shared, shared) - np.einsum("nij,nik->jk", b, solved[..., :4])
        away = np.append(middle - fixed.position, -fixed.roll)
        right = np.einsum("nij,ni->j", shared, off) - np.einsum("nij,ni->j", b, solved[..., 4]) + stiff @ away
        move = np.linalg.solve(reduced + stiff, right)
        move[:3] *= min(1.0, 10.0 / max(1e-9, float(np.abs(move[:3]).max())))
        fixed = FixedCamera(fixed.position + move[:3], fixed.roll + float(move[3]), centre)
        poses = poses + np.clip(solved[..., 4] - solved[..., :4] @ move, -0.2, 0.2)
        if np.abs(move[:3]).max() < 1e-3:
            break
    return fixed


def refine(
    fixed: FixedCamera, poses: Matrix, ground: Matrix, seen: Matrix, there: Matrix, rounds: int = 5
) -> Matrix:
    """Poses (n, 3) that fit the keypoints of each sampled frame best, for a known camera position."""
    for _ in range(rounds):
        off, own, _shared = _linear(fixed, poses, ground, seen, there)
        a = own.transpose(0, 2, 1) @ own + 1e-6 * np.eye(3)
        g = own.transpose(0, 2, 1) @ off[..., None]
        move = np.linalg.solve(a, g)[..., 0]
        poses = poses + np.clip(move, -0.2, 0.2)
        if np.abs(move).max(initial=0) < 1e-7:
            break
    return poses


def _linear(
    fixed: FixedCamera, poses: Matrix, ground: Matrix, seen: Matrix, there: Matrix
) -> tuple[Matrix, Matrix, Matrix]:
    """Weighted residuals (n, 2k) and their derivatives by pose (n, 2k, 3) and stand (n, 2k, 4)."""
    sin, cos = (f(poses[:, 0])[:, None] for f in (np.sin, np.cos))
    q, p = (f(poses[:, 1])[:, None] for f in (np.sin, np.cos))
    focal = np.exp(poses[:, 2])[:, None]
    dx, dy, cz = ground[:, 0] - fixed.position[0], ground[:, 1] - fixed.position[1], fixed.position[2]
    along, ahead = cos * dx + sin * dy, sin * dx - cos * dy
    u, v, w = along, -q * ahead + p * cz, p * ahead + q * cz
    w_raw = w
    w = np.where(np.abs(w) < 1.0, np.copysign(1.0, w), w)
    x, y = focal * u / w, focal * v / w
    a, b = np.cos(fixed.roll), np.sin(fixed.roll)
    turned = np.stack([a * x - b * y, b * x + a * y], 2)
    off = seen - fixed.centre - turned
    noise = KEYPOINT_NOISE_PX * fixed.centre[0] / 640
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
