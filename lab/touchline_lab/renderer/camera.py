"""A pinhole camera over a pitch that lies in the plane z = 0.

World coordinates are metres: x along the touchline, y towards the main stand, z up; pitch coordinates are the
same x and y. The y axis of the picture points down.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

__all__ = ["Camera", "FloatArray"]

FloatArray = npt.NDArray[np.float64]


class Camera:
    """A camera at ``position`` that looks at ``target``.

    Attributes:
        matrix: The projection, shape (3, 4), from homogeneous world metres to pixels.
        focal: The focal length in pixels.
    """

    def __init__(self, position: FloatArray, target: FloatArray, hfov: float, size: tuple[int, int]) -> None:
        """Set the camera up.

        Args:
            position: Position of the camera, shape (3,), in metres.
            target: The point in the middle of the picture, shape (3,), in metres.
            hfov: The horizontal field of view in degrees.
            size: Width and height of the picture in pixels.
        """
        width, height = size
        self.focal = width / 2 / math.tan(math.radians(hfov) / 2)
        forward = (target - position) / np.linalg.norm(target - position)
        # y points towards the viewer, so the world is left-handed: right = up x forward.
        right = np.cross(np.array([0.0, 0.0, 1.0]), forward)
        right /= np.linalg.norm(right)
        down = np.cross(right, forward)
        rotation = np.stack([right, down, forward])
        intrinsic = np.array([[self.focal, 0, width / 2], [0, self.focal, height / 2], [0, 0, 1.0]])
        self.matrix: FloatArray = intrinsic @ np.c_[rotation, -rotation @ position]

    @property
    def homography(self) -> FloatArray:
        """The map from pitch metres to pixels, shape (3, 3), scaled so that its last entry is 1."""
        ground: FloatArray = self.matrix[:, [0, 1, 3]]
        return np.asarray(ground / ground[2, 2], dtype=np.float64)

    def project(self, points: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Project world points.

        Args:
            points: Shape (N, 3), in metres.

        Returns:
            Pixels, shape (N, 2), and depths along the view axis, shape (N,), in metres. A point with a
            depth of 0 or less is behind the camera and its pixels mean nothing.
        """
        world = np.atleast_2d(np.asarray(points, dtype=np.float64))
        image = world @ self.matrix[:, :3].T + self.matrix[:, 3]
        depth = image[:, 2]
        divisor = np.where(np.abs(depth) < 1e-6, 1e-6, depth)
        return image[:, :2] / divisor[:, None], depth

    def project_ground(self, points: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Project points of the pitch, shape (N, 2), in metres; see `project`."""
        ground = np.atleast_2d(np.asarray(points, dtype=np.float64))
        return self.project(np.c_[ground, np.zeros(len(ground))])

    def plane(self, origin: npt.ArrayLike, across: npt.ArrayLike, up: npt.ArrayLike) -> FloatArray:
        """The homography, shape (3, 3), of the plane ``origin + u * across + v * up`` to pixels."""
        columns = [
            np.append(np.asarray(vector, float), end) for vector, end in ((across, 0), (up, 0), (origin, 1))
        ]
        return np.asarray(self.matrix @ np.stack(columns, axis=1), dtype=np.float64)
