"""Which team a player belongs to, by the colour of the shirt."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from services.challenges.pitch_positions import pitch_positions
from services.challenges.shirts import shirts_of, teams_by_shirt
from services.pitch import GOALKEEPER, PLAYER, REFEREE
from services.results import Detections, FrameResult, Shirts
from services.tracking.camera.homography import PictureSize
from services.tracking.clip import fill_clip
from services.video.letterbox import Letterbox
from tests.unit.challenges.test_pitch_positions import SIZE, result

RED, BLUE, YELLOW = (200, 30, 30), (30, 60, 200), (240, 230, 40)
PICTURE = PictureSize(640, 360)
BOX = Letterbox.fit(640, 360, 640)
GRASS = (60, 130, 60)


def dressed(colours: list[tuple[int, int, int]], classes: list[int] | None = None) -> FrameResult:
    """People side by side on the grass, in shirts of these colours."""
    image = BOX.padded(np.full((360, 640, 3), GRASS, np.uint8))
    boxes = []
    for place, colour in enumerate(colours):
        left, top = 20 + 50 * place, 100
        boxes.append([left, top, left + 20, top + 50])
        image[BOX.top + top + 5 : BOX.top + top + 28, BOX.left + left + 4 : BOX.left + left + 16] = colour
    kinds = np.array(classes or [PLAYER] * len(colours), np.int64)
    detections = Detections(np.array(boxes, np.float32), np.full(len(boxes), 0.9, np.float32), kinds)
    return FrameResult(0, detections, None, shirts=shirts_of(detections, image, BOX))


def teams(found: FrameResult) -> list[int | None]:
    """By the order of the people, from left to right."""
    filled = fill_clip([found], 1, PICTURE, stride=1)
    by_track = teams_by_shirt(filled, [found])
    order = np.argsort(filled.boxes[:, 0])
    return [by_track.get(int(track)) for track in filled.ids[order]]


def test_players_in_shirts_of_two_colours_are_two_teams() -> None:
    first, *others = teams(dressed([RED, BLUE, RED, BLUE, BLUE, RED, RED, BLUE]))
    assert first is not None
    assert others == [1 - first, first, 1 - first, 1 - first, first, first, 1 - first]


def test_one_who_wears_neither_colour_has_no_team() -> None:
    found = teams(dressed([RED] * 4 + [BLUE] * 4 + [YELLOW]))
    assert found[:4] == [found[0]] * 4
    assert found[8] is None


@pytest.mark.parametrize(
    "colours",
    [
        pytest.param([RED] * 10, id="all alike"),
        pytest.param([RED] * 8 + [BLUE] * 2, id="too few of the other"),
        pytest.param([RED, BLUE], id="too few"),
        pytest.param(
            [(120 + 9 * ((5 * i) % 11), 60 + 7 * ((3 * i) % 11), 60) for i in range(11)], id="spread"
        ),
    ],
)
def test_no_teams_are_made_up(colours: list[tuple[int, int, int]]) -> None:
    assert set(teams(dressed(colours))) == {None}


def test_only_players_are_looked_at() -> None:
    classes = [PLAYER] * 8 + [REFEREE]
    found = dressed([RED] * 4 + [BLUE] * 4 + [YELLOW], classes)
    assert found.shirts is not None
    assert len(found.shirts.boxes) == 8
    assert None not in teams(found)[:8]


def test_a_box_at_the_edge_of_the_picture_has_a_colour() -> None:
    image = BOX.padded(np.full((360, 640, 3), RED, np.uint8))
    boxes = np.array([[638.5, 100, 640, 120], [100, 0, 101, 2]], np.float32)
    found = Detections(boxes, np.ones(2, np.float32), np.full(2, PLAYER, np.int64))
    assert np.isfinite(shirts_of(found, image, BOX).colours).all()


@pytest.mark.parametrize(("keeper_at", "team_of"), [(3.0, 30.0), (100.0, 80.0)])
def test_a_goalkeeper_belongs_to_the_team_that_is_nearer_to_his_goal(
    keeper_at: float, team_of: float
) -> None:
    reds = [(30.0, 10.0), (30.0, 20.0), (30.0, 30.0)]
    blues = [(80.0, 40.0), (80.0, 50.0), (80.0, 60.0)]
    found = result(0, [*reds, *blues, (keeper_at, 34.0)], (50.0, 34.0))
    classes = found.detections.classes.copy()
    classes[6] = GOALKEEPER
    players = found.detections.boxes[:6]
    colours = np.array([[50, 60, 50]] * 3 + [[30, 20, -60]] * 3, np.float32)
    found = replace(
        found, detections=replace(found.detections, classes=classes), shirts=Shirts(players, colours)
    )

    (moment,) = pitch_positions([(0, found)], SIZE, 1, 1)

    by_place = {round(float(x)): int(team) for (x, _), team in zip(moment.feet, moment.teams, strict=True)}
    assert by_place[round(keeper_at)] == by_place[round(team_of)] >= 0
    assert by_place[30] != by_place[80]
