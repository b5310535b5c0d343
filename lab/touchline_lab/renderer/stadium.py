"""Draws the surroundings: grass, white lines, goals, boards and stands, in the colours of one seed."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from services import pitch
from touchline_lab.renderer.camera import Camera, FloatArray
from touchline_lab.renderer.figures import Colour, Image
from touchline_lab.renderer.match import LENGTH, WIDTH

__all__ = ["Stadium"]

_TEXELS_PER_METRE: Final = 6
"""Resolution of the texture of the grass."""
_GRASS_MARGIN: Final = 12
"""Metres of grass around the lines."""
_FRACTION_BITS: Final = 4
"""Fraction bits of OpenCV's coordinates when it draws: sixteenths of a pixel."""
_UNIT: Final = 1 << _FRACTION_BITS
_FAR_AWAY: Final = 8000
"""Pixels beyond which a projected corner is not drawn; OpenCV's coordinates would overflow."""
_SEATS_PER_METRE: Final = 3.0
"""Seats of a stand per metre."""
_STAND_HEIGHT: Final = 24.0
"""Height of a stand in metres."""
_BOARD_HEIGHT: Final = 1.0
"""Height of an advertising board in metres."""
_BOARD_LENGTH: Final = 10.0
"""Length of an advertising board in metres."""
_LINE_PIECE: Final = 4.0
"""Metres of a line that are drawn as one straight piece."""
_POST: Final = 0.14
"""Thickness of a goal post in metres."""
_GOAL_HALF_WIDTH: Final = 3.66
"""Half of the width between the posts in metres."""
_GOAL_HEIGHT: Final = 2.44
"""Height of the crossbar in metres."""


def _line_pieces() -> tuple[FloatArray, FloatArray]:
    """Cut the white lines into short pieces; returns starts and ends, shape (N, 2) each, in metres."""
    starts, ends = [], []
    for line in pitch.pitch_polylines():
        for start, end in zip(line[:-1] / 100, line[1:] / 100, strict=True):
            count = max(1, int(np.linalg.norm(end - start) / _LINE_PIECE))
            cuts = start + (end - start) * np.linspace(0, 1, count + 1)[:, None]
            starts.append(cuts[:-1])
            ends.append(cuts[1:])
    return np.concatenate(starts), np.concatenate(ends)


_PIECE_STARTS, _PIECE_ENDS = _line_pieces()


class Stadium:
    """Everything that does not move.

    Attributes:
        light: Brightness factor of the scene.
        shadow: The colour of shadows on the grass.
        grass: Texture of the grass.
        crowd: Texture of a full stand.
        white: The colour of the lines.
    """

    def __init__(self, seed: int) -> None:
        """Choose colours and make the textures."""
        random = np.random.default_rng([seed, 2])
        hue = random.uniform(-12, 12)
        base = np.array([45 + hue, 120 + random.uniform(-30, 30), 55 + random.uniform(-25, 25)])
        self.light = float(random.uniform(0.8, 1.15))
        shadow = base * 0.55 * self.light
        self.shadow: Colour = (int(shadow[0]), int(shadow[1]), int(shadow[2]))
        self.grass = self._mow(random, base, self.light)
        self._grass_map = np.array(
            [
                [1 / _TEXELS_PER_METRE, 0, -_GRASS_MARGIN],
                [0, 1 / _TEXELS_PER_METRE, -_GRASS_MARGIN],
                [0, 0, 1.0],
            ]
        )
        self.crowd = self._fill_seats(random)
        self._board_row = self._print_boards(random)
        white = int(random.integers(215, 250))
        self.white: Colour = (white, white, white)
        self._line_width = float(random.uniform(0.11, 0.16))

    @staticmethod
    def _mow(random: np.random.Generator, base: FloatArray, light: float) -> Image:
        """Make the texture of the grass: mown stripes, patches and blades."""
        rows = int((WIDTH + 2 * _GRASS_MARGIN) * _TEXELS_PER_METRE)
        columns = int((LENGTH + 2 * _GRASS_MARGIN) * _TEXELS_PER_METRE)
        stripe = LENGTH / int(random.integers(10, 22))
        if random.random() < 0.8:
            bands = (np.floor((np.arange(columns) / _TEXELS_PER_METRE - _GRASS_MARGIN) / stripe) % 2)[
                None, :, None
            ]
        else:
            bands = (np.floor((np.arange(rows) / _TEXELS_PER_METRE - _GRASS_MARGIN) / (WIDTH / 10)) % 2)[
                :, None, None
            ]
        grass = np.empty((rows, columns, 3), np.float32)
        grass[:] = base * (1 + bands * random.uniform(0.05, 0.22))
        patches = random.standard_normal((rows // 6, columns // 6), dtype=np.float32)
        grass += (cv2.resize(patches, (columns, rows)) * 4)[..., None]
        grass += random.standard_normal((rows, columns, 1), dtype=np.float32) * 3
        return np.asarray(np.clip(grass * light, 0, 255), dtype=np.uint8)

    @staticmethod
    def _fill_seats(random: np.random.Generator) -> Image:
        """Make the texture of a full stand: one texel per seat, enlarged and blurred."""
        columns, rows = int(210 * _SEATS_PER_METRE), int(_STAND_HEIGHT * _SEATS_PER_METRE)
        people = random.integers(20, 200, (rows, columns, 3)).astype(np.uint8)
        people = (people * random.uniform(0.35, 0.8)).astype(np.uint8)
        people = cv2.resize(people, (columns * 2, rows * 2), interpolation=cv2.INTER_NEAREST)
        return np.asarray(cv2.GaussianBlur(people, (0, 0), 1.0), np.uint8)

    @staticmethod
    def _print_boards(random: np.random.Generator) -> Image:
        """Make the texture of a row of advertising boards with invented names."""
        boards = []
        for _ in range(21):
            ground, ink = random.integers(0, 256, (2, 3))
            board = np.empty((24, 240, 3), np.uint8)
            board[:] = ground
            text = "".join(chr(int(letter)) for letter in random.integers(65, 91, 7))
            colour = (int(ink[0]), int(ink[1]), int(ink[2]))
            cv2.putText(board, text, (24, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.8, colour, 2, cv2.LINE_AA)
            boards.append(board)
        return np.concatenate(boards, axis=1)

    def tint_grass(self, gain: tuple[float, float, float]) -> None:
        """Multiply the colours of the grass and of the shadows on it by ``gain`` (blue, green, red)."""
        self.grass = np.asarray(np.clip(self.grass * np.array(gain), 0, 255), np.uint8)
        blue, green, red = (
            int(min(255, channel * factor)) for channel, factor in zip(self.shadow, gain, strict=True)
        )
        self.shadow = (blue, green, red)

    def draw(self, camera: Camera, size: tuple[int, int]) -> Image:
        """Draw everything that does not move.

        Args:
            camera: The camera.
            size: Width and height in pixels.

        Returns:
            The picture, shape (height, width, 3), BGR.
        """
        ground = camera.plane((0, 0, 0), (1, 0, 0), (0, 1, 0)) @ self._grass_map
        image = cv2.warpPerspective(self.grass, ground, size, borderMode=cv2.BORDER_REPLICATE)
        picture = np.asarray(image, np.uint8)
        for x, start, sign in ((-9.0, WIDTH + 2, -1.0), (LENGTH + 9.0, -8.0, 1.0)):
            along = np.array([0.0, sign, 0.0])  # to the right, seen from the pitch
            self._draw_wall(picture, camera, np.array([x, start, 0.0]), along, WIDTH + 10)
        self._draw_wall(picture, camera, np.array([-9.0, -8.0, 0.0]), np.array([1.0, 0.0, 0.0]), LENGTH + 18)
        self._draw_lines(picture, camera)
        for x, behind in ((0.0, -2.0), (LENGTH, 2.0)):
            self._draw_goal(picture, camera, x, behind)
        return picture

    def _draw_wall(
        self, image: Image, camera: Camera, corner: FloatArray, along: FloatArray, length: float
    ) -> None:
        """Draw boards and, above them, a stand, upwards from a line on the ground."""
        up = np.array([0.0, 0.0, 1.0])
        height, width = image.shape[:2]
        corners, depths = camera.project([corner, corner + along * length])
        if (
            (depths < 1).any()
            or corners[:, 0].max() < 0
            or corners[:, 0].min() > width
            or corners[:, 1].max() < 0
        ):
            return
        seat = 1 / (2 * _SEATS_PER_METRE)
        texel = _BOARD_LENGTH / 240
        stand_rows = self.crowd.shape[0]
        stand_foot = corner + up * (_BOARD_HEIGHT + stand_rows * seat)
        rows = min(height, int(corners[:, 1].max()) + 2)
        top = image[:rows]
        stand = self.crowd[:, : int(length / seat)]
        boards = self._board_row[:, : int(length / texel)]
        for texture, origin, scale, rise in (
            (stand, stand_foot, seat, seat),
            (boards, corner + up * _BOARD_HEIGHT, texel, _BOARD_HEIGHT / 24),
        ):
            plane = camera.plane(origin, along * scale, -up * rise)
            cv2.warpPerspective(texture, plane, (width, rows), dst=top, borderMode=cv2.BORDER_TRANSPARENT)

    def _draw_lines(self, image: Image, camera: Camera) -> None:
        """Paint the white lines, slightly worn."""
        height, width = image.shape[:2]
        along = _PIECE_ENDS - _PIECE_STARTS
        normal = np.stack([-along[:, 1], along[:, 0]], axis=1)
        normal *= self._line_width / 2 / np.linalg.norm(normal, axis=1, keepdims=True)
        corners = np.stack(
            [_PIECE_STARTS + normal, _PIECE_ENDS + normal, _PIECE_ENDS - normal, _PIECE_STARTS - normal],
            axis=1,
        )
        flat, depths = camera.project_ground(corners.reshape(-1, 2))
        quads = flat.reshape(-1, 4, 2)
        visible = (depths.reshape(-1, 4) > 1).all(axis=1) & (np.abs(quads) < _FAR_AWAY).all(axis=(1, 2))
        visible &= (quads.max(axis=1) > 0).all(axis=1) & (quads.min(axis=1) < (width, height)).all(axis=1)
        layer = image.copy()
        for quad in np.round(quads[visible] * _UNIT).astype(np.int32):
            cv2.fillConvexPoly(layer, quad, self.white, cv2.LINE_AA, _FRACTION_BITS)
        spots = pitch.VERTICES_CM[[8, 21]] / 100
        centres, depths = camera.project_ground([*spots, (LENGTH / 2, WIDTH / 2)])
        for (x, y), depth in zip(centres, depths, strict=True):
            if depth > 1 and abs(x) < _FAR_AWAY and abs(y) < _FAR_AWAY:
                radius = max(1.0, camera.focal * 0.2 / depth)
                axes = (int(radius * _UNIT), int(radius * _UNIT / 2))
                centre = (int(x * _UNIT), int(y * _UNIT))
                cv2.ellipse(layer, centre, axes, 0, 0, 360, self.white, -1, cv2.LINE_AA, _FRACTION_BITS)
        cv2.addWeighted(layer, 0.85, image, 0.15, 0, dst=image)

    def _draw_goal(self, image: Image, camera: Camera, x: float, behind: float) -> None:
        """Draw a goal whose net hangs down to ``behind`` metres behind the line."""
        left, right = WIDTH / 2 - _GOAL_HALF_WIDTH, WIDTH / 2 + _GOAL_HALF_WIDTH
        frame = [(x, left, 0), (x, left, _GOAL_HEIGHT), (x, right, _GOAL_HEIGHT), (x, right, 0)]
        posts, depths = camera.project(frame)
        if (depths < 1).any() or (np.abs(posts) > _FAR_AWAY).any():
            return
        threads: list[tuple[tuple[float, float, float], tuple[float, float, float]]] = []
        for y in np.linspace(left, right, 16):
            threads.append(((x, y, _GOAL_HEIGHT), (x + behind, y, 0.0)))
        for share in np.linspace(0, 1, 7):
            z, depth = _GOAL_HEIGHT * (1 - share), x + behind * share
            threads.append(((depth, left, z), (depth, right, z)))
            threads.append(((x, left, z), (depth, left, z)))
            threads.append(((x, right, z), (depth, right, z)))
        net = image.copy()
        ends, _ = camera.project(np.array(threads).reshape(-1, 3))
        lines = np.round(ends.reshape(-1, 2, 2) * _UNIT).astype(np.int32)
        cv2.polylines(net, list(lines), False, (225, 225, 225), 1, cv2.LINE_AA, _FRACTION_BITS)
        cv2.addWeighted(net, 0.45, image, 0.55, 0, dst=image)
        thickness = max(2, int(camera.focal * _POST / depths.mean()))
        outline = [np.round(posts * _UNIT).astype(np.int32)]
        cv2.polylines(image, outline, False, (245, 245, 245), thickness, cv2.LINE_AA, _FRACTION_BITS)
