"""Boxes of all tracks in every frame: people move over the ground, and the camera moves by itself.

Each box is a point on the ground and a size in metres. Between sampled frames the ground point follows a
smooth curve over the pitch and is projected into the picture by that frame's camera; the size follows the
depth. Where there is no camera, or a box does not stand on the ground, the same curves are used in pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from services.pitch import BALL
from services.tracking.ball.trajectory import Trajectory
from services.tracking.camera.homography import Matrix, PictureSize
from services.tracking.camera.lens import Lens
from services.tracking.interpolation.cubic_curves import CubicCurves
from services.tracking.track import Track

EDGE = 2.0
"""Pixels from the edge of the picture within which a box is taken for cut off."""
MARGIN = 40.0
"""Metres around the pitch that count as ground."""
PITCH = np.array([120.0, 70.0])
BALL_NOISE = 3.0
"""Pixels that a ball's middle may be off."""
BALL_SPEED = 0.6
"""Metres per frame that are usual for a ball."""
BALL_ACCELERATION = 0.01
"""Metres per frame and frame of a ball that nobody touches."""
BALL_SIZE = 0.5
"""Metres that a ball's box is wide, drawn large as it is."""
MIN_SHOWN = 0.3
"""Share of a box that must lie in the picture."""


def complete_boxes(boxes: Matrix, curve: npt.NDArray[np.int64], size: PictureSize) -> Matrix:
    """Boxes (n, 4) as if the picture did not end: cut ones get the shape of their track's other boxes."""
    width, height = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    left, right = boxes[:, 0] <= EDGE, boxes[:, 2] >= size.width - EDGE
    low = boxes[:, 3] >= size.height - EDGE
    cut = left | right | low
    result = boxes.copy()
    for number in np.unique(curve[cut]):
        own = curve == number
        free = own & ~cut
        if not free.any():
            continue
        shape = float(np.median(width[free] / np.maximum(height[free], 1.0)))
        tall = float(np.median(height[free]))
        full_height = np.where(low, np.maximum(height, tall), height)
        full_width = np.maximum(width, shape * full_height)
        result[:, 3] = np.where(own & low, boxes[:, 1] + full_height, result[:, 3])
        result[:, 0] = np.where(own & left, boxes[:, 2] - full_width, result[:, 0])
        result[:, 2] = np.where(own & right & ~left, boxes[:, 0] + full_width, result[:, 2])
    return result


class BoxCurves:
    """The boxes of some tracks, as curves over time.

    Args:
        tracks: Each seen at least once.
        path: (frames, 3, 3) cameras, frame 0 first, or None.
        first: Number of frame 0 of the path.
        size: The source picture.
        lens: Its distortion; None for none.
    """

    def __init__(
        self,
        tracks: Sequence[Track],
        path: Matrix | None,
        first: int,
        size: PictureSize,
        lens: Lens | None = None,
    ) -> None:
        counts = [len(track.frames) for track in tracks]
        curve = np.repeat(np.arange(len(tracks)), counts)
        frames = np.concatenate([np.array(track.frames) for track in tracks])
        boxes = np.concatenate([np.array(track.boxes, np.float64) for track in tracks])
        boxes = complete_boxes(boxes, curve, size)
        ball = np.array([track.labels[0] == BALL for track in tracks])[curve]
        self._first, self._path, self._lens = first, path, lens
        self._knots = CubicCurves(frames.astype(np.float64), curve)
        # people stand on the lower edge; the ball is where its middle is
        self._anchor = np.where(ball, 0.5, 1.0)
        point = np.stack(
            [boxes[:, [0, 2]].mean(1), boxes[:, 1] + self._anchor * (boxes[:, 3] - boxes[:, 1])], 1
        )
        extent = boxes[:, 2:] - boxes[:, :2]
        self._plain = np.concatenate([point, extent], 1)
        self._plain_slopes = self._slopes(self._plain)
        self._over_ground: npt.NDArray[np.bool_] = np.zeros(len(tracks), bool)
        if path is not None:
            self._straight = point if lens is None else lens.undistort(point)
            ground, scale = to_ground(path[frames - first], self._straight)
            lost = ~(_on_ground(ground) & (scale > 0.5))
            self._over_ground = ~np.isin(np.arange(len(tracks)), curve[lost])
            self._ground = np.concatenate([ground, extent / np.where(lost, 1.0, scale)[:, None]], 1)
            self._ground[lost] = 0.0
            self._ground_slopes = self._slopes(self._ground)
        self._balls = {int(k): self._flight(int(k)) for k in np.unique(curve[ball])}

    def _flight(self, number: int) -> Trajectory:
        """The trajectory of a ball, over the ground where that is known."""
        own = self._knots.curve == number
        times, noise = self._knots.times[own], np.full((int(own.sum()), 2), BALL_NOISE)
        if not self._over_ground[number] or self._path is None:
            across = self._plain[own, 2:].mean() / BALL_SIZE
            usual = np.full(2, across)
            return Trajectory(
                times, self._plain[own, :2], noise, BALL_SPEED * usual, BALL_ACCELERATION * usual
            )
        ground = self._ground[own, :2]
        cameras = self._path[times.astype(np.int64) - self._first]
        _, scale = to_ground(cameras, self._straight[own])
        nearer, _ = to_picture(cameras, ground + [0.0, 0.5])
        down = np.maximum(np.abs(nearer[:, 1] - self._straight[own, 1]) * 2, 0.02 * scale)
        flat = float(np.median(scale / down))
        noise /= np.stack([scale, down], 1)
        return Trajectory(
            times,
            ground,
            noise,
            BALL_SPEED * np.array([1.0, flat]),
            BALL_ACCELERATION * np.array([1.0, flat]),
        )

    def _slopes(self, values: Matrix) -> Matrix:
        slopes = self._knots.slopes(values)
        slopes[:, 2:] = 0.0
        return slopes

    def at(self, curve: npt.NDArray[np.int64], frames: npt.NDArray[np.int64]) -> Matrix:
        """Boxes (n, 4) in source pixels, not cut at the picture's edge, of tracks (n,) in frames (n,)."""
        when = frames.astype(np.float64)
        values = self._knots.evaluate(self._plain, self._plain_slopes, curve, when)
        for number, flight in self._balls.items():
            own = (curve == number) & ~self._over_ground[number]
            values[own, :2] = flight.at(when[own])
        chosen = np.flatnonzero(self._over_ground[curve])
        if self._path is not None and len(chosen):
            moved = self._knots.evaluate(self._ground, self._ground_slopes, curve[chosen], when[chosen])
            for number, flight in self._balls.items():
                own = curve[chosen] == number
                moved[own, :2] = flight.at(when[chosen][own])
            point, scale = to_picture(self._path[frames[chosen] - self._first], moved[:, :2])
            shown_at = point if self._lens is None else self._lens.distort(point)
            values[chosen] = np.concatenate([shown_at, moved[:, 2:] * scale[:, None]], 1)
        left = self._knots.find(curve, when)
        return self._boxes(values, self._anchor[left])

    @staticmethod
    def _boxes(values: Matrix, anchor: Matrix) -> Matrix:
        half = values[:, 2] / 2
        top = values[:, 1] - anchor * values[:, 3]
        return np.stack([values[:, 0] - half, top, values[:, 0] + half, top + values[:, 3]], 1)


def _on_ground(points: Matrix) -> npt.NDArray[np.bool_]:
    near = (points > -MARGIN) & (points < PITCH + MARGIN)
    return np.asarray(near.all(1))


def to_ground(cameras: Matrix, pixels: Matrix) -> tuple[Matrix, Matrix]:
    """Ground (n, 2) under pixels (n, 2), each with a camera of its own, and pixels per metre there (n,).

    The scale is that across the picture, at one depth. NaN-free: a point that is on no ground is far away.
    """
    back = np.linalg.inv(cameras)
    mapped = np.einsum("nij,nj->ni", back[:, :, :2], pixels) + back[:, :, 2]
    depth = np.where(np.abs(mapped[:, 2]) < 1e-12, 1e-12, mapped[:, 2])[:, None]
    ground = mapped[:, :2] / depth
    across = (back[:, :2, 0] - ground * back[:, 2, :1]) / depth
    return ground, 1 / np.maximum(np.linalg.norm(across, axis=1), 1e-9)


def to_picture(cameras: Matrix, ground: Matrix) -> tuple[Matrix, Matrix]:
    """Pixels (n, 2) of ground points (n, 2), and pixels per metre across the picture there (n,)."""
    mapped = np.einsum("nij,nj->ni", cameras[:, :, :2], ground) + cameras[:, :, 2]
    depth = np.where(np.abs(mapped[:, 2]) < 1e-12, 1e-12, mapped[:, 2])[:, None]
    pixels = mapped[:, :2] / depth
    _, scale = to_ground(cameras, pixels)
    return pixels, scale


def clip_to_picture(boxes: Matrix, size: PictureSize) -> Matrix:
    """Boxes (n, 4), cut at the edges of the picture."""
    return np.clip(boxes, 0, [size.width, size.height, size.width, size.height])


def shown(boxes: Matrix, size: PictureSize) -> npt.NDArray[np.bool_]:
    """(n,) whether enough of each box lies in the picture."""
    inside = clip_to_picture(boxes, size)
    extent, whole = inside[:, 2:] - inside[:, :2], boxes[:, 2:] - boxes[:, :2]
    enough = extent.prod(1) > MIN_SHOWN * np.maximum(whole.prod(1), 1e-9)
    return np.asarray(enough & (extent > 1).all(1))
