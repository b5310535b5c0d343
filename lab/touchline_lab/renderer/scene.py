"""Renders the match of one seed as pictures with exact ground truth.

Play, surroundings, kits and noise use separate streams of random numbers, and the noise of a frame depends on
seed and frame number only. Any process may therefore render any frame and gets the same pixels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from services import pitch
from touchline_lab.renderer.camera import Camera, FloatArray
from touchline_lab.renderer.figures import Colour, Figure, Image, Kit, Layers, Pose, draw_ball, draw_figure
from touchline_lab.renderer.match import BALL_RADIUS, LIFE_SIZE, Match
from touchline_lab.renderer.stadium import Stadium

__all__ = ["Box", "Rendered", "Scene"]

Box = tuple[int, float, float, float, float]
"""``class_id, x1, y1, x2, y2`` in pixels."""

_KITS: Final[tuple[Colour, ...]] = (
    *((40, 40, 200), (200, 60, 30), (235, 235, 235), (230, 160, 90)),
    *((60, 20, 110), (20, 110, 235), (150, 50, 110)),
)
"""Colours of the teams."""
_KEEPER_KITS: Final[tuple[Colour, ...]] = ((50, 230, 240), (70, 245, 140), (220, 70, 235))
"""Colours of the goalkeepers."""
_REFEREE_KIT: Final = Kit(shirt=(24, 24, 24), shorts=(18, 18, 18), socks=(18, 18, 18))
_SKINS: Final[tuple[Colour, ...]] = ((140, 170, 220), (90, 120, 170), (50, 70, 110), (160, 190, 235))
"""Colours of skin, BGR."""
_DISTINCT: Final = 180
"""Minimum difference between the kits of two teams, summed over the channels."""
_VISIBLE_SHARE: Final = 0.3
"""Share of its pixels that have to be visible for an object to have a box."""
_BALL: Final = -1
"""Stands for the ball among the indices of people."""
_BALL_LABEL: Final = 255
"""Label of the ball's pixels; people have 1 to 23."""
_MINIMUM_BALL_RADIUS: Final = 3.0
"""Pixels that the ball's radius has at least, also far away."""
_NEAREST: Final = 2.0
"""Metres from the camera below which people are not drawn."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """A rendered frame and its ground truth.

    Attributes:
        image: Shape (height, width, 3), BGR.
        boxes: The visible objects.
        keypoints: Shape (32, 2), in pixels; 0, 0 for one that is out of the picture.
        homography: The map from pitch centimetres to pixels, shape (3, 3).
    """

    image: Image
    boxes: list[Box]
    keypoints: FloatArray
    homography: FloatArray


class Scene:
    """The match of one seed, rendered frame after frame.

    Attributes:
        frame: Number of the present frame.
        match: The simulated match.
        figures: Appearance of every person of the match, in its order.
        stadium: The surroundings.
    """

    def __init__(self, seed: int, size: tuple[int, int] = (1280, 720), fps: int = 25) -> None:
        """Prepare frame 0.

        Args:
            seed: Determines everything in the picture.
            size: Width and height in pixels.
            fps: Frames per second.
        """
        self._seed = seed
        self._size = size
        self.match = Match(seed, fps)
        self.stadium = Stadium(seed)
        random = np.random.default_rng([seed, 3])
        self.figures = self._dress(random, self.match)
        self._noise = float(random.uniform(1.0, 3.0))
        self._blur = float(random.uniform(0.45, 0.8))
        self.frame = 0

    @staticmethod
    def _dress(random: np.random.Generator, match: Match) -> list[Figure]:
        """Choose kit, skin, hair and height of everybody."""

        def pick(colours: tuple[Colour, ...]) -> Colour:
            return colours[int(random.integers(len(colours)))]

        def outfield(shirt: Colour) -> Kit:
            shorts = shirt if random.random() < 0.5 else pick(_KITS)
            stripe = pick(_KITS) if random.random() < 0.3 else None
            return Kit(shirt, shorts, shirt, stripe)

        home = away = pick(_KITS)
        while sum(abs(one - other) for one, other in zip(home, away, strict=True)) < _DISTINCT:
            away = pick(_KITS)
        kits = [outfield(home), outfield(away)]
        keepers = [_KEEPER_KITS[int(index)] for index in random.permutation(len(_KEEPER_KITS))[:2]]
        figures = []
        for class_id, team in zip(match.class_ids, match.teams, strict=True):
            if class_id == pitch.PLAYER:
                kit = kits[team]
            elif class_id == pitch.GOALKEEPER:
                kit = Kit(keepers[team], keepers[team], keepers[team])
            else:
                kit = _REFEREE_KIT
            blue, green, red = (int(channel) for channel in random.integers(10, 60, 3))
            height = float(random.uniform(1.72, 1.95)) * LIFE_SIZE
            figures.append(Figure(kit, pick(_SKINS), (blue, green, red), height))
        return figures

    def advance(self, frame: int) -> None:
        """Simulate up to ``frame``.

        Raises:
            ValueError: The frame lies before the present one.
        """
        if frame < self.frame:
            raise ValueError(f"cannot go back from frame {self.frame} to {frame}")
        while self.frame < frame:
            self.match.step()
            self.frame += 1

    def render(self) -> Rendered:
        """Draw the present frame."""
        width, height = self._size
        camera = self.match.camera(self._size)
        image = self.stadium.draw(camera, self._size)
        layers = Layers(image, np.zeros((height, width), np.uint8))
        boxes = self._draw_objects(layers, camera)
        picture = cv2.GaussianBlur(layers.image, (0, 0), self._blur)
        cv2.setRNGSeed((self._seed * 1_000_003 + self.frame * 7919 + 1) & 0x7FFFFFFF)
        noise = np.empty((height // 2, width // 2, 3), np.int16)
        cv2.randn(noise, np.zeros(3), np.full(3, self._noise * 2))
        noisy = cv2.add(picture, cv2.resize(noise, (width, height)), dtype=cv2.CV_8U)
        keypoints, homography = self._keypoints(camera)
        return Rendered(np.asarray(noisy, np.uint8), boxes, keypoints, homography)

    def _draw_objects(self, layers: Layers, camera: Camera) -> list[Box]:
        """Draw people and ball from far to near; returns the boxes of those that are visible enough."""
        match = self.match
        _, depths = camera.project_ground(match.position)
        _, (ball_depth,) = camera.project([[*match.ball, match.ball_height]])
        order = [(float(depth), index) for index, depth in enumerate(depths) if depth > _NEAREST]
        order.append((float(ball_depth), _BALL))
        found: dict[int, tuple[Box, int]] = {}
        for depth, index in sorted(order, reverse=True):
            if index == _BALL:
                found[_BALL_LABEL] = self._draw_ball(layers, camera, depth)
                continue
            drawn = self._draw_person(layers, camera, index, depth)
            if drawn is not None:
                found[index + 1] = drawn
        shown = np.bincount(layers.owner.ravel(), minlength=256)
        return [box for label, (box, area) in found.items() if shown[label] >= _VISIBLE_SHARE * area]

    def _draw_ball(self, layers: Layers, camera: Camera, depth: float) -> tuple[Box, int]:
        """Draw the ball; returns its box and the number of its pixels without occlusion."""
        match = self.match
        ((x, y),), _ = camera.project([[*match.ball, match.ball_height]])
        (ground,), _ = camera.project_ground(match.ball)
        radius = max(_MINIMUM_BALL_RADIUS, camera.focal * BALL_RADIUS / depth)
        centre = (float(x), float(y))
        below = (float(ground[0]), float(ground[1]))
        draw_ball(layers, centre, below, radius, self.stadium.shadow, _BALL_LABEL)
        x1, y1, x2, y2 = self._clip(
            (centre[0] - radius, centre[1] - radius, centre[0] + radius, centre[1] + radius)
        )
        return (pitch.BALL, x1, y1, x2, y2), int(math.pi * radius * radius)

    def _draw_person(
        self, layers: Layers, camera: Camera, index: int, depth: float
    ) -> tuple[Box, int] | None:
        """Draw a person; returns the box and the number of pixels of the person without occlusion."""
        match, stadium = self.match, self.stadium
        ((x, y),), _ = camera.project_ground(match.position[index])
        velocity = match.velocity[index]
        pose = Pose(float(match.phase[index]), float(np.linalg.norm(velocity)), 1 if velocity[0] >= 0 else -1)
        drawn = draw_figure(
            layers,
            self.figures[index],
            pose,
            foot=(float(x), float(y)),
            metre=camera.focal / depth,
            light=stadium.light,
            shadow=stadium.shadow,
            label=index + 1,
        )
        if drawn is None:
            return None
        x1, y1, x2, y2, area = drawn
        return (int(match.class_ids[index]), float(x1), float(y1), float(x2), float(y2)), area

    def _clip(self, extent: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
        width, height = self._size
        x1, y1, x2, y2 = extent
        return max(0.0, x1), max(0.0, y1), min(float(width), x2), min(float(height), y2)

    def _keypoints(self, camera: Camera) -> tuple[FloatArray, FloatArray]:
        """The visible vertices in pixels, and the homography from centimetres."""
        width, height = self._size
        pixels, depths = camera.project_ground(pitch.VERTICES_CM / 100)
        inside = (pixels >= 0).all(axis=1) & (pixels < (width, height)).all(axis=1) & (depths > 1)
        keypoints: npt.NDArray[np.float64] = np.where(inside[:, None], pixels, 0.0)
        return keypoints, camera.homography @ np.diag([0.01, 0.01, 1.0])
