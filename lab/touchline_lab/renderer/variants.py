"""Matches and scenes that differ from the ordinary ones by the options of a `SceneConditions`.

They are separate from the ordinary ones, so that the clips of the demonstration, the tests and the training
stay the same, byte for byte.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from services import pitch
from touchline_lab.renderer.camera import Camera, FloatArray
from touchline_lab.renderer.conditions import SceneConditions
from touchline_lab.renderer.figures import Colour, Figure, Kit, Layers
from touchline_lab.renderer.match import LENGTH, WIDTH, Match
from touchline_lab.renderer.scene import Box, Rendered, Scene
from touchline_lab.renderer.weather import apply_weather

__all__ = ["UNSEEN_KITS", "VariantMatch", "VariantScene"]

_HFOV: Final = 35.5
"""Horizontal field of view in degrees: the middle of the ordinary range."""
_PULL: Final = 0.25
"""Share of their formation that people in a crowd keep."""

UNSEEN_KITS: Final[dict[str, tuple[tuple[Colour, Colour], ...]]] = {
    "other": (
        ((60, 150, 20), (240, 240, 240)),
        ((190, 225, 250), (90, 40, 30)),
        ((20, 20, 20), (60, 190, 240)),
        ((150, 150, 150), (150, 150, 150)),
        ((80, 235, 250), (20, 20, 20)),
    ),
    "held-out": (
        ((150, 200, 60), (60, 60, 40)),
        ((215, 170, 200), (215, 170, 200)),
        ((70, 75, 85), (70, 75, 85)),
        ((30, 50, 100), (30, 50, 100)),
        ((40, 140, 150), (40, 140, 150)),
    ),
}
"""Shirt and shorts of home, away, both goalkeepers and the referee, by the name of the set of kits.

They are far from all colours of the same role in ordinary scenes, and training does not use them."""


class VariantMatch(Match):
    """A match with a livelier camera or a denser crowd."""

    def __init__(self, seed: int, fps: int, conditions: SceneConditions) -> None:
        """As `Match`.

        Args:
            seed: Determines everything that happens.
            fps: Frames per second.
            conditions: The options.
        """
        self._conditions = conditions  # before the base class, which simulates the warm-up steps
        super().__init__(seed, fps)
        if conditions.camera_position is not None:
            along, behind, above = conditions.camera_position
            self.camera_position = np.array([LENGTH / 2 + along, WIDTH + behind, above])

    def _shape_shift(self) -> FloatArray:
        shift = super()._shape_shift()
        crowding = self._conditions.crowding
        if not crowding:
            return shift
        around_ball = self.ball + _PULL * (self._base - (LENGTH / 2, WIDTH / 2))
        return np.asarray((1 - crowding) * shift + crowding * (around_ball - self._base), np.float64)

    def _step_camera(self) -> None:
        conditions, random, dt = self._conditions, self._random, self._dt
        if conditions.pan == 1.0 and not conditions.zoom:
            super()._step_camera()
            return
        width = 2.0 + _HFOV * 0.5 * conditions.zoom
        if random.random() < dt * (0.15 + conditions.zoom):
            self.hfov_target = random.uniform(_HFOV - width, _HFOV + width)
        self.hfov += (self.hfov_target - self.hfov) * dt * (0.8 + 2 * conditions.zoom)
        self.aim = self.aim + (self._aim_target() - self.aim) * dt * 1.6 * conditions.pan


class VariantScene(Scene):
    """A scene with options, whose boxes have ids.

    Attributes:
        ids: After `render`, the id of each box in the order of the boxes: 0 for the ball, from 1 for people.
    """

    def __init__(self, conditions: SceneConditions, seed: int, fps: int = 25) -> None:
        """As `Scene`.

        Args:
            conditions: The options.
            seed: Seed of the match.
            fps: Frames per second.
        """
        super().__init__(seed, conditions.size, fps)
        self._conditions = conditions
        self.match = VariantMatch(seed, fps, conditions)
        if conditions.grass != (1.0, 1.0, 1.0):
            self.stadium.tint_grass(conditions.grass)
        if conditions.kits != "ordinary":
            kits = UNSEEN_KITS[conditions.kits]
            people = zip(self.figures, self.match.class_ids, self.match.teams, strict=True)
            self.figures = [_redressed(kits, figure, int(kind), int(team)) for figure, kind, team in people]
        self._ids_of_boxes: dict[Box, int] = {}
        self.ids: list[int] = []

    def render(self) -> Rendered:
        """Draw the present frame."""
        self._ids_of_boxes = {}
        rendered = super().render()
        self.ids = [self._ids_of_boxes[box] for box in rendered.boxes]
        image = apply_weather(rendered.image, self._conditions.weather, self._seed, self.frame)
        return replace(rendered, image=image)

    def _draw_ball(self, layers: Layers, camera: Camera, depth: float) -> tuple[Box, int]:
        box, area = super()._draw_ball(layers, camera, depth)
        self._ids_of_boxes[box] = 0
        return box, area

    def _draw_person(
        self, layers: Layers, camera: Camera, index: int, depth: float
    ) -> tuple[Box, int] | None:
        drawn = super()._draw_person(layers, camera, index, depth)
        if drawn is not None:
            self._ids_of_boxes[drawn[0]] = index + 1
        return drawn


def _redressed(kits: tuple[tuple[Colour, Colour], ...], figure: Figure, class_id: int, team: int) -> Figure:
    """The same person in another kit."""
    place = {pitch.PLAYER: team, pitch.GOALKEEPER: 2 + team, pitch.REFEREE: 4}[class_id]
    shirt, shorts = kits[place]
    hoop = np.array(shirt) // 2
    stripe = (int(hoop[0]), int(hoop[1]), int(hoop[2])) if class_id == pitch.PLAYER and team == 0 else None
    return replace(figure, kit=Kit(shirt, shorts, shorts, stripe))
