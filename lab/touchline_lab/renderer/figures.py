"""Draws people and the ball into a picture, and records exactly which pixels they cover."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

__all__ = ["Colour", "Figure", "Image", "Kit", "Layers", "Pose", "draw_ball", "draw_figure"]

Colour = tuple[int, int, int]
"""Blue, green and red."""
Image = npt.NDArray[np.uint8]
Point = tuple[float, float]

_SUPERSAMPLING: Final = 3
"""Figures are drawn this many times larger and then reduced, for smooth edges."""
_FRACTION_BITS: Final = 4
"""OpenCV draws at sixteenths of a pixel: the number of fraction bits of its coordinates."""
_UNIT: Final = 1 << _FRACTION_BITS
_COVERED: Final = 0.35
"""Opacity, 0 to 1, from which a pixel counts as covered by the figure."""
_BOOTS: Final[Colour] = (30, 30, 30)
"""Colour of everybody's boots, BGR."""


@dataclass(frozen=True, slots=True)
class Kit:
    """What a person wears; ``stripe`` is the colour of a stripe on the shirt, if there is one."""

    shirt: Colour
    shorts: Colour
    socks: Colour
    stripe: Colour | None = None


@dataclass(frozen=True, slots=True)
class Figure:
    """The appearance of a person; ``height`` is in metres."""

    kit: Kit
    skin: Colour
    hair: Colour
    height: float


@dataclass(frozen=True, slots=True)
class Pose:
    """A moment of a stride.

    Attributes:
        phase: Phase of the stride in radians.
        speed: Metres per second.
        facing: 1 if the person faces to the right, -1 to the left.
    """

    phase: float
    speed: float
    facing: int


@dataclass(slots=True)
class Layers:
    """A picture that is being drawn.

    Attributes:
        image: Shape (height, width, 3), BGR.
        owner: Label of the object that each pixel shows, 0 for none, shape (height, width). Objects that are
            drawn later cover earlier ones.
    """

    image: Image
    owner: Image


class _Canvas:
    """A supersampled cut-out on which one figure is drawn, in units of its own height divided by 1.8."""

    def __init__(self, width: int, height: int, foot: float, scale: float) -> None:
        self.colour = np.zeros((height * _SUPERSAMPLING, width * _SUPERSAMPLING, 3), np.uint8)
        self.alpha = np.zeros(self.colour.shape[:2], np.uint8)
        self._size = (width, height)
        self._centre = width * _SUPERSAMPLING / 2
        self._foot = (height - foot) * _SUPERSAMPLING
        self._scale = scale * _SUPERSAMPLING

    def _fixed(self, point: Point) -> tuple[int, int]:
        x = self._centre + point[0] * self._scale
        y = self._foot - point[1] * self._scale
        return int(x * _UNIT), int(y * _UNIT)

    def limb(self, start: Point, end: Point, thickness: float, colour: Colour) -> None:
        width = max(1, int(thickness * self._scale))
        ends = self._fixed(start), self._fixed(end)
        cv2.line(self.colour, *ends, colour, width, cv2.LINE_AA, _FRACTION_BITS)
        cv2.line(self.alpha, *ends, 255, width, cv2.LINE_AA, _FRACTION_BITS)

    def polygon(self, corners: list[Point], colour: Colour) -> None:
        outline = [np.array([self._fixed(corner) for corner in corners], np.int32)]
        cv2.fillPoly(self.colour, outline, colour, cv2.LINE_AA, _FRACTION_BITS)
        cv2.fillPoly(self.alpha, outline, 255, cv2.LINE_AA, _FRACTION_BITS)

    def disc(self, centre: Point, radius: float, colour: Colour) -> None:
        fixed = max(1, int(radius * self._scale * _UNIT))
        cv2.circle(self.colour, self._fixed(centre), fixed, colour, -1, cv2.LINE_AA, _FRACTION_BITS)
        cv2.circle(self.alpha, self._fixed(centre), fixed, 255, -1, cv2.LINE_AA, _FRACTION_BITS)

    def reduced(self) -> tuple[Image, Image]:
        """Colour and opacity at the picture's own resolution."""
        colour = cv2.resize(self.colour, self._size, interpolation=cv2.INTER_AREA)
        alpha = cv2.resize(self.alpha, self._size, interpolation=cv2.INTER_AREA)
        return np.asarray(colour, np.uint8), np.asarray(alpha, np.uint8)


def _shade(colour: Colour, factor: float) -> Colour:
    blue, green, red = (int(min(255.0, channel * factor)) for channel in colour)
    return blue, green, red


def _draw_body(canvas: _Canvas, figure: Figure, pose: Pose) -> None:
    """Draw legs, trunk, arms and head, from the ground up."""
    kit = figure.kit
    swing = min(0.42, 0.06 + pose.speed * 0.06)
    effort = min(1.0, pose.speed / 4)
    lean = pose.facing * min(0.12, pose.speed * 0.016)
    for side, light in ((-1, 0.8), (1, 1.0)):
        stride = side * swing * math.sin(pose.phase)
        lift = max(0.0, side * math.cos(pose.phase)) * 0.22 * effort
        hip = (side * 0.07, 0.86)
        knee = (stride * 0.55 + 0.05 * pose.facing * (lift > 0.02) + side * 0.05, 0.48 + lift * 0.4)
        foot = (stride + side * 0.05, 0.04 + lift)
        canvas.limb(hip, knee, 0.15, _shade(figure.skin, light))
        canvas.limb(knee, foot, 0.12, _shade(kit.socks, light))
        canvas.limb(foot, (foot[0] + 0.1 * pose.facing, foot[1] - 0.01), 0.08, _BOOTS)
        thigh = ((side * 0.07 + knee[0]) / 2, (0.9 + knee[1]) / 2)
        canvas.limb((side * 0.07, 0.9), thigh, 0.21, _shade(kit.shorts, light))
    canvas.polygon([(-0.17, 0.8), (0.17, 0.8), (0.2, 1.0), (-0.2, 1.0)], kit.shorts)
    for side, light in ((-1, 0.85), (1, 0.95)):
        elbow = (side * 0.28 + lean, 1.15)
        hand = (side * 0.26 - swing * 0.6 * math.sin(pose.phase) + lean, 0.95 + 0.1 * effort)
        canvas.limb((side * 0.2 + lean, 1.42), elbow, 0.12, _shade(kit.shirt, light))
        canvas.limb(elbow, hand, 0.08, _shade(figure.skin, light))
    shoulders = [(0.25 + lean, 1.45), (0.08 + lean, 1.52), (-0.08 + lean, 1.52), (-0.25 + lean, 1.45)]
    canvas.polygon([(-0.19, 0.93), (0.19, 0.93), *shoulders], kit.shirt)
    if kit.stripe is not None:
        canvas.limb((lean * 0.5, 0.95), (lean, 1.48), 0.09, kit.stripe)
    canvas.disc((lean * 1.3, 1.65), 0.125, figure.skin)
    canvas.disc((lean * 1.3, 1.71), 0.11, figure.hair)


def draw_figure(
    layers: Layers,
    figure: Figure,
    pose: Pose,
    foot: Point,
    metre: float,
    light: float,
    shadow: Colour,
    label: int,
) -> tuple[int, int, int, int, int] | None:
    """Draw a person.

    Args:
        layers: The picture to draw into.
        figure: The person.
        pose: The pose.
        foot: Position of the feet on the ground, in pixels.
        metre: Pixels per metre at that depth.
        light: Brightness factor of the scene.
        shadow: Colour of the shadow.
        label: Label of the covered pixels, 1 to 255.

    Returns:
        The extent x1, y1, x2, y2 of the part that lies in the picture, and the number of pixels that the
        whole figure covers, also outside of the picture; None if no part lies in the picture.
    """
    height, width = layers.owner.shape
    sprite_width, sprite_height = int(2.0 * metre) + 4, int(2.5 * metre) + 4
    margin = 0.12 * metre
    left = round(foot[0] - sprite_width / 2)
    top = round(foot[1] - sprite_height + margin)
    x0, y0, x1, y1 = (
        max(0, left),
        max(0, top),
        min(width, left + sprite_width),
        min(height, top + sprite_height),
    )
    if x1 - x0 < 3 or y1 - y0 < 5:
        return None

    canvas = _Canvas(sprite_width, sprite_height, margin, metre * figure.height / 1.8)
    _draw_body(canvas, figure, pose)
    colour, alpha = canvas.reduced()

    centre = (int(foot[0] + 0.25 * metre), int(foot[1]))
    axes = (max(1, int(0.45 * metre)), max(1, int(0.12 * metre)))
    cv2.ellipse(layers.image, centre, axes, 0, 0, 360, shadow, -1, cv2.LINE_AA)

    visible = (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))
    opacity = alpha[visible][..., None].astype(np.float32) / 255
    region = layers.image[y0:y1, x0:x1]
    region[:] = (region * (1 - opacity) + colour[visible] * light * opacity).clip(0, 255)
    covered = alpha > 255 * _COVERED
    layers.owner[y0:y1, x0:x1][covered[visible]] = label
    rows, columns = np.nonzero(covered[visible])
    if len(rows) < 6:
        return None
    area = int(np.count_nonzero(covered))
    return (
        x0 + int(columns.min()),
        y0 + int(rows.min()),
        x0 + int(columns.max()) + 1,
        y0 + int(rows.max()) + 1,
        area,
    )


def draw_ball(
    layers: Layers, centre: Point, ground: Point, radius: float, shadow: Colour, label: int
) -> None:
    """Draw the ball and its shadow.

    Args:
        layers: The picture to draw into.
        centre: Centre of the ball in pixels.
        ground: Point of the ground below the ball, in pixels.
        radius: Radius in pixels.
        shadow: Colour of the shadow.
        label: Label of the covered pixels, 1 to 255.
    """

    def fixed(point: Point) -> tuple[int, int]:
        return int(point[0] * _UNIT), int(point[1] * _UNIT)

    axes = (int(radius * _UNIT), int(radius * 0.4 * _UNIT))
    cv2.ellipse(layers.image, fixed(ground), axes, 0, 0, 360, shadow, -1, cv2.LINE_AA, _FRACTION_BITS)
    cv2.circle(
        layers.image, fixed(centre), int(radius * _UNIT), (245, 245, 245), -1, cv2.LINE_AA, _FRACTION_BITS
    )
    patch = (centre[0] + radius * 0.3, centre[1] + radius * 0.25)
    cv2.circle(
        layers.image, fixed(patch), int(radius * 0.3 * _UNIT), (60, 60, 60), -1, cv2.LINE_AA, _FRACTION_BITS
    )
    cv2.circle(layers.owner, fixed(centre), int(radius * _UNIT), label, -1, cv2.LINE_8, _FRACTION_BITS)
