"""The colours of people's shirts, and the two teams that wear them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from services.challenges.confidence import nearest_detections
from services.pitch import PLAYER
from services.results import Detections, FrameResult, Shirts
from services.tracking.interpolation.fill import FilledClip
from services.video.letterbox import Image, Letterbox

SHIRT: Final = (0.25, 0.18, 0.75, 0.48)
"""Where the shirt lies in a person's box: left, top, right and bottom, as shares of its width and height."""
MIN_PLAYERS: Final = 3
"""Tracks that each team has at least: fewer may be a referee and a keeper that were taken for players."""
MIN_SEPARATION: Final = 4.0
"""Distance of the teams' colours over the mean distance of players from their own team's: that of colours
which spread evenly from one to the other. Two kits are further apart, sun and shadow on one are not."""
MAX_DOUBT: Final = 0.6
"""Distance of a player from the nearer colour over that from the other; with more, his team is not known."""
MAX_OFF: Final = 0.5
"""Distance of a player from his team's colour, over that of the two teams'; with more, he wears neither."""
_ROUNDS: Final = 10
"""Repetitions of two means; two clear groups are found in two or three."""

Colour = npt.NDArray[np.float64]


def shirts_of(detections: Detections, image: Image, letterbox: Letterbox) -> Shirts:
    """The median colour of the part of each box in which the shirt is.

    Args:
        detections: Boxes in source pixels; those of players are looked at.
        image: The picture as the models saw it, RGB.
        letterbox: How the source lies in it.
    """
    people = detections.select(detections.classes == PLAYER)
    scale = np.array([letterbox.width / letterbox.source_width, letterbox.height / letterbox.source_height])
    corners = people.boxes.reshape(-1, 2, 2) * scale + (letterbox.left, letterbox.top)
    colours = np.zeros((len(corners), 3), np.float32)
    for i, ((x1, y1), (x2, y2)) in enumerate(corners):
        left, right = _span(x1, x2, SHIRT[0], SHIRT[2], image.shape[1])
        top, bottom = _span(y1, y2, SHIRT[1], SHIRT[3], image.shape[0])
        patch = image[top:bottom, left:right].astype(np.float32) / 255
        colours[i] = np.median(cv2.cvtColor(patch, cv2.COLOR_RGB2LAB).reshape(-1, 3), axis=0)
    return Shirts(people.boxes, colours)


def _span(low: float, high: float, begin: float, end: float, limit: int) -> tuple[int, int]:
    """Whole pixels of a part of a side of a box: one at least, inside the picture."""
    first = min(max(int(low + begin * (high - low)), 0), limit - 1)
    return first, min(max(int(round(low + end * (high - low))), first + 1), limit)


def teams_by_shirt(filled: FilledClip, results: Sequence[FrameResult]) -> dict[int, int]:
    """The team, 0 or 1, of each track of a player whose shirt tells it; none where the kits look alike.

    Team 0 is the one of the lowest track id.
    """
    colours = _of_tracks(filled, results)
    if len(colours) < 2 * MIN_PLAYERS:
        return {}
    tracks = sorted(colours)
    points = np.array([colours[track] for track in tracks])
    apart = np.linalg.norm(points[:, None] - points[None], axis=2)
    centres = points[list(np.unravel_index(int(apart.argmax()), apart.shape))]
    for _ in range(_ROUNDS):
        nearer = np.linalg.norm(points[:, None] - centres[None], axis=2).argmin(axis=1)
        if min(np.bincount(nearer, minlength=2)) < MIN_PLAYERS:
            return {}
        centres = np.array([np.median(points[nearer == team], axis=0) for team in (0, 1)])
    away = np.linalg.norm(points[:, None] - centres[None], axis=2)
    nearer, own = away.argmin(axis=1), away.min(axis=1)
    between = float(np.linalg.norm(centres[0] - centres[1]))
    if between < MIN_SEPARATION * max(float(own.mean()), 1e-6):
        return {}
    sure = (own <= MAX_DOUBT * away.max(axis=1)) & (own <= MAX_OFF * between)
    found = {track: int(team) for track, team, known in zip(tracks, nearer, sure, strict=True) if known}
    swapped = bool(found) and found[min(found)] == 1
    return {track: 1 - team if swapped else team for track, team in found.items()}


def _of_tracks(filled: FilledClip, results: Sequence[FrameResult]) -> Mapping[int, Colour]:
    """The median colour of each player's track over the frames in which its shirt was seen."""
    seen: dict[int, list[npt.NDArray[np.float32]]] = {}
    for result in results:
        if result.shirts is None or not len(result.shirts.boxes):
            continue
        first, end = np.searchsorted(filled.frame, [result.index, result.index + 1])
        nearest = nearest_detections(filled.boxes[first:end], result.shirts.boxes)
        for track, class_id, at in zip(
            filled.ids[first:end], filled.classes[first:end], nearest, strict=True
        ):
            if at >= 0 and class_id == PLAYER:
                seen.setdefault(int(track), []).append(result.shirts.colours[at])
    return {track: np.median(np.array(colours, np.float64), axis=0) for track, colours in seen.items()}
