"""Renders scenes as varied as possible, for training: any kit, grass, crowd, camera, and more balls.

A quarter of the scenes show no pitch, but ground of any colour from a nearer camera. On half of these,
everybody wears clothes of their own and counts as a player. The detector learns from them to find people who
play no match.

Weather and light are applied by `touchline_lab.training.augment`, anew for every sample.
"""

from __future__ import annotations

import colorsys
from typing import Final

import cv2
import numpy as np

from services import pitch
from touchline_lab.renderer.camera import Camera
from touchline_lab.renderer.figures import Colour, Figure, Kit, Layers, draw_ball
from touchline_lab.renderer.match import BALL_RADIUS, LENGTH, WIDTH
from touchline_lab.renderer.scene import Box, Scene
from touchline_lab.renderer.variants import UNSEEN_KITS

__all__ = ["VariedScene", "draw_kits", "draw_street_clothes", "hue_and_saturation"]

_ORDINARY_SHARE: Final = 0.4
"""Share of the scenes that stay as in the demonstration."""
_ANYWHERE_SHARE: Final = 0.25
"""Share of the scenes that show no pitch."""
_DISTINCT: Final = 190
"""Minimum difference between the shirts of two sides, summed over the channels."""
_RESERVED_NEAR: Final = 45
"""Minimum difference to a reserved shirt of the same role, in at least one channel."""
_RESERVED: Final = {
    role: tuple(kits[place][0] for kits in UNSEEN_KITS.values() for place in places)
    for role, places in ((pitch.PLAYER, (0, 1)), (pitch.GOALKEEPER, (2, 3)), (pitch.REFEREE, (4,)))
}
"""Shirts that are reserved for the evaluation, by role."""
_FIRST_EXTRA_BALL: Final = 230
"""Label of the first additional ball; no match uses labels from here on but 255."""
_REFEREES: Final[tuple[Colour, ...]] = (
    *((24, 24, 24), (24, 24, 24), (60, 40, 35), (30, 30, 200), (235, 200, 110)),
    *((190, 60, 200), (30, 120, 245), (70, 30, 90)),
)
"""Usual shirts of referees."""


def hue_and_saturation(colour: Colour) -> tuple[float, float, float]:
    """Hue in degrees, saturation and value, 0 to 1, of a BGR colour."""
    blue, green, red = colour
    hue, saturation, value = colorsys.rgb_to_hsv(red / 255, green / 255, blue / 255)
    return 360 * hue, saturation, value


def _reserved(colour: Colour, class_id: int) -> bool:
    """Whether a shirt is close to one that is reserved for the evaluation of unseen kits.

    Beside these shirts themselves, green and pale cream are reserved for teams, black and grey for
    goalkeepers, and yellow for referees.
    """
    for shirt in _RESERVED[class_id]:
        if max(abs(one - other) for one, other in zip(colour, shirt, strict=True)) < _RESERVED_NEAR:
            return True
    hue, saturation, value = hue_and_saturation(colour)
    if class_id == pitch.PLAYER:
        return (95 < hue < 180 and saturation > 0.25) or (10 < hue < 75 and saturation < 0.4 and value > 0.75)
    if class_id == pitch.GOALKEEPER:
        return saturation < 0.4 or value < 0.4
    return 35 < hue < 80 and saturation > 0.3


def _any_colour(random: np.random.Generator, class_id: int) -> Colour:
    """Choose a shirt that is not reserved: bright for goalkeepers, colourless for a third of the teams."""
    while True:
        bright = class_id == pitch.GOALKEEPER
        saturation = random.uniform(0.55, 1.0) if bright or random.random() < 0.7 else random.uniform(0, 0.25)
        value = random.uniform(0.7, 1.0) if bright else random.uniform(0.1, 1.0)
        red, green, blue = colorsys.hsv_to_rgb(random.random(), saturation, value)
        colour = (int(255 * blue), int(255 * green), int(255 * red))
        if not _reserved(colour, class_id):
            return colour


def _difference(one: Colour, other: Colour) -> int:
    return sum(abs(first - second) for first, second in zip(one, other, strict=True))


def draw_kits(random: np.random.Generator) -> tuple[list[Kit], list[Kit], Kit]:
    """Choose kits of two teams, their goalkeepers and the referee, whose shirts differ clearly."""
    shirts: list[Colour] = []
    for class_id in (pitch.PLAYER,) * 2 + (pitch.GOALKEEPER,) * 2 + (pitch.REFEREE,):
        while True:
            usual = class_id == pitch.REFEREE and random.random() < 0.8
            colour = (
                _REFEREES[int(random.integers(len(_REFEREES)))] if usual else _any_colour(random, class_id)
            )
            keepers = class_id == pitch.GOALKEEPER and len(shirts) == 3
            if all(_difference(colour, other) >= _DISTINCT for other in (shirts[:2] if keepers else shirts)):
                break
            if (
                class_id == pitch.REFEREE and random.random() < 0.02
            ):  # no colour may be left between the others
                shirts.clear()
                return draw_kits(random)
        shirts.append(colour)

    def outfield(shirt: Colour) -> Kit:
        shorts = shirt if random.random() < 0.4 else _any_colour(random, pitch.PLAYER)
        socks = (shirt, shorts, _any_colour(random, pitch.PLAYER))[int(random.integers(3))]
        stripe = _any_colour(random, pitch.PLAYER) if random.random() < 0.35 else None
        return Kit(shirt, shorts, socks, stripe)

    def plain(shirt: Colour) -> Kit:
        dark = (20, 20, 20)
        shorts = shirt if random.random() < 0.6 else dark
        return Kit(shirt, shorts, shorts if random.random() < 0.7 else dark)

    return (
        [outfield(shirt) for shirt in shirts[:2]],
        [plain(shirt) for shirt in shirts[2:4]],
        plain(shirts[4]),
    )


def draw_street_clothes(random: np.random.Generator) -> Kit:
    """Choose the clothes of one person; never the colours of an evaluated team."""
    shirt, trousers = _any_colour(random, pitch.PLAYER), _any_colour(random, pitch.PLAYER)
    if random.random() < 0.4:
        dark = int(random.integers(10, 60))
        trousers = (dark, dark, dark)
    return Kit(shirt, trousers, trousers, None)


class VariedScene(Scene):
    """A scene that `vary` changes for every picture; two in five stay ordinary, a quarter shows no pitch.

    Attributes:
        without_pitch: Whether the scene shows other ground than a pitch.
        own_clothes: Whether everybody wears clothes of their own, and so counts as a player.
    """

    def __init__(self, seed: int) -> None:
        """As `Scene`."""
        super().__init__(seed)
        self._choices = np.random.default_rng([seed, 5])
        kind = self._choices.random()
        self._varied = bool(kind >= _ORDINARY_SHARE)
        self.without_pitch = bool(kind >= 1 - _ANYWHERE_SHARE)
        self.own_clothes = False
        if self._varied:
            self._repaint()

    def _repaint(self) -> None:
        """Choose other colours of grass, crowd and lines."""
        random, stadium = self._choices, self.stadium
        gain = random.uniform(0.7, 1.3) * random.uniform(0.8, 1.2, 3)
        stadium.grass = np.asarray(np.clip(stadium.grass * gain, 0, 255), np.uint8)
        blue, green, red = (
            int(channel * factor) for channel, factor in zip(stadium.shadow, gain, strict=True)
        )
        stadium.shadow = (blue, green, red)
        tint = random.uniform(0.3, 1.7, 3)
        stadium.crowd = np.asarray(np.clip(stadium.crowd * tint, 0, 255), np.uint8)
        white = int(random.integers(185, 256))
        stadium.white = (white, white, white)

    def vary(self) -> None:
        """Give everybody another kit and move the camera, unless this is an ordinary scene."""
        if not self._varied:
            return
        random, match = self._choices, self.match
        if self.without_pitch:
            self._go_anywhere()
            if self.own_clothes:
                self.figures = [
                    Figure(draw_street_clothes(random), figure.skin, figure.hair, figure.height)
                    for figure in self.figures
                ]
                return
        teams, keepers, referee = draw_kits(random)
        people = zip(self.figures, match.class_ids, match.teams, strict=True)
        kits = {pitch.PLAYER: teams, pitch.GOALKEEPER: keepers, pitch.REFEREE: [referee] * 3}
        self.figures = [
            Figure(kits[int(kind)][int(team)], figure.skin, figure.hair, figure.height)
            for figure, kind, team in people
        ]
        if not self.without_pitch and random.random() < 0.5:
            match.hfov = match.hfov_target = random.uniform(26, 46)
            match.aim = match.aim + random.normal(0, (5, 2))
            match.camera_position = np.array(
                [LENGTH / 2 + random.uniform(-5, 5), WIDTH + random.uniform(24, 38), random.uniform(13, 21)]
            )

    def _go_anywhere(self) -> None:
        """Choose another ground, move the camera close to somebody, and people closer together."""
        random, match, stadium = self._choices, self.match, self.stadium
        self.own_clothes = bool(random.random() < 0.5)
        colour = 255 * np.array(
            colorsys.hsv_to_rgb(random.random(), random.uniform(0, 1) ** 2, random.uniform(0.15, 1.0))
        )
        texture = cv2.cvtColor(stadium.grass, cv2.COLOR_BGR2GRAY).astype(np.float32)
        texture = (texture - texture.mean()) * np.float32(random.uniform(0, 1.5))
        stadium.grass = np.asarray(np.clip(texture[..., None] + colour, 0, 255), np.uint8)
        blue, green, red = (int(channel) for channel in colour * random.uniform(0.4, 0.95))
        stadium.shadow = (blue, green, red)
        line = colour * random.uniform(0.5, 1.5) if random.random() < 0.6 else random.uniform(0, 255, 3)
        blue, green, red = (int(channel) for channel in np.clip(line, 0, 255))
        stadium.white = (blue, green, red)
        centre = match.position[int(random.integers(len(match.position)))].copy()
        match.position = centre + (match.position - centre) * random.uniform(0.15, 0.8)
        match.hfov = match.hfov_target = random.uniform(10, 32)
        match.aim = centre + random.normal(0, 3, 2)
        match.camera_position = np.array(
            [centre[0] + random.uniform(-25, 25), WIDTH + random.uniform(8, 38), random.uniform(9, 32)]
        )

    def _draw_person(
        self, layers: Layers, camera: Camera, index: int, depth: float
    ) -> tuple[Box, int] | None:
        """Draw a person; with clothes of their own, everybody is a player."""
        drawn = super()._draw_person(layers, camera, index, depth)
        if drawn is None or not self.own_clothes:
            return drawn
        (_, *corners), area = drawn
        x1, y1, x2, y2 = corners
        return (pitch.PLAYER, x1, y1, x2, y2), area

    def _draw_objects(self, layers: Layers, camera: Camera) -> list[Box]:
        """Draw people, the ball, and up to three more balls: one per picture is little to learn from."""
        boxes = super()._draw_objects(layers, camera)
        random = self._choices
        for label in range(_FIRST_EXTRA_BALL, _FIRST_EXTRA_BALL + int(random.integers(0, 4))):
            low = random.random() < 0.7
            spot = self.match.ball + random.normal(0, 12, 2)
            height = BALL_RADIUS if low else BALL_RADIUS + random.uniform(0, 4)
            ((x, y),), (depth,) = camera.project([[*spot, height]])
            (ground,), _ = camera.project_ground(spot)
            if depth < 5 or not (8 < x < self._size[0] - 8 and 8 < y < self._size[1] - 8):
                continue
            if layers.owner[int(y) - 4 : int(y) + 5, int(x) - 4 : int(x) + 5].any():
                continue
            radius = max(3.0, camera.focal * BALL_RADIUS / depth)
            draw_ball(
                layers, (float(x), float(y)), (float(ground[0]), float(ground[1])), radius,
                self.stadium.shadow, label,
            )  # fmt: skip
            x1, y1, x2, y2 = self._clip((x - radius, y - radius, x + radius, y + radius))
            boxes.append((pitch.BALL, x1, y1, x2, y2))
        return boxes
