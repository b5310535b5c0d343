"""Training never uses the kits that are reserved for the evaluation."""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
import pytest

from services import pitch
from touchline_lab.renderer.conditions import SceneConditions
from touchline_lab.renderer.figures import Colour, Kit
from touchline_lab.renderer.seeds import EVALUATION_SEEDS
from touchline_lab.renderer.variants import VariantScene
from touchline_lab.training.light import change_light
from touchline_lab.training.varied_scene import VariedScene, draw_kits, draw_street_clothes

MINIMUM_DISTANCE = 40
"""Between a shirt of training and one of the same role in the evaluation, in at least one channel."""


WARDROBES: Final[tuple[Literal["other", "held-out"], ...]] = ("other", "held-out")


def evaluated_shirts() -> dict[int, set[Colour]]:
    shirts: dict[int, set[Colour]] = {}
    for wardrobe in WARDROBES:
        scene = VariantScene(
            SceneConditions("kits", (EVALUATION_SEEDS[0],), kits=wardrobe), EVALUATION_SEEDS[0]
        )
        for figure, class_id in zip(scene.figures, scene.match.class_ids, strict=True):
            shirts.setdefault(int(class_id), set()).add(figure.kit.shirt)
    return shirts


def test_no_training_shirt_is_near_the_same_role_in_the_evaluation() -> None:
    random = np.random.default_rng(1)
    reserved = evaluated_shirts()
    assert {role: len(shirts) for role, shirts in reserved.items()} == {
        pitch.PLAYER: 4,
        pitch.GOALKEEPER: 4,
        pitch.REFEREE: 2,
    }
    worn: dict[int, list[Kit]] = {pitch.PLAYER: [], pitch.GOALKEEPER: [], pitch.REFEREE: []}
    for _ in range(1000):
        teams, keepers, referee = draw_kits(random)
        worn[pitch.PLAYER] += teams
        worn[pitch.GOALKEEPER] += keepers
        worn[pitch.REFEREE].append(referee)
        worn[pitch.PLAYER].append(draw_street_clothes(random))
    for role, kits in worn.items():
        ours, theirs = np.array([kit.shirt for kit in kits]), np.array(sorted(reserved[role]))
        distance = np.abs(ours[:, None] - theirs[None]).max(axis=2)
        assert distance.min() >= MINIMUM_DISTANCE, (role, ours[distance.min(axis=1).argmin()])


def test_the_referee_and_the_goalkeepers_stand_out_from_both_teams() -> None:
    random = np.random.default_rng(2)
    for _ in range(200):
        teams, keepers, referee = draw_kits(random)
        for single in (*keepers, referee):
            for team in teams:
                assert np.abs(np.subtract(single.shirt, team.shirt)).sum() >= 190


def test_a_varied_scene_is_the_same_every_time_and_its_extra_balls_are_in_the_truth() -> None:
    pictures = []
    for _ in range(2):
        scene = VariedScene(100_003)
        scene.vary()
        pictures.append(scene.render())
    np.testing.assert_array_equal(pictures[0].image, pictures[1].image)
    assert pictures[0].boxes == pictures[1].boxes
    balls = [box for box in pictures[0].boxes if box[0] == pitch.BALL]
    assert len(balls) > 1
    for _, x1, y1, x2, y2 in balls[1:]:  # drawn last: nothing hides them
        assert pictures[0].image[int((y1 + y2) / 2), int((x1 + x2) / 2 - 1)].min() > 130


@pytest.mark.parametrize("seed", range(6))
def test_light_keeps_the_shape_and_changes_most_pictures(seed: int) -> None:
    random = np.random.default_rng(seed)
    picture = np.full((216, 384, 3), (60, 120, 70), np.uint8)
    changed = [change_light(random, picture) for _ in range(30)]
    assert all(one.shape == picture.shape and one.dtype == np.uint8 for one in changed)
    assert 10 <= sum(not np.array_equal(one, picture) for one in changed) < 30


def test_away_from_the_pitch_everybody_in_clothes_of_their_own_is_a_player() -> None:
    kinds: set[bool] = set()
    for seed in range(100_000, 100_040):
        scene = VariedScene(seed)
        if not scene.without_pitch:
            continue
        scene.vary()
        people = {box[0] for box in scene.render().boxes} - {pitch.BALL}
        shirts = {figure.kit.shirt for figure in scene.figures}
        assert (len(shirts) > 5) == scene.own_clothes
        assert not scene.own_clothes or people <= {pitch.PLAYER}
        kinds.add(scene.own_clothes)
    assert kinds == {True, False}


def test_some_pictures_lose_their_colours() -> None:
    random = np.random.default_rng(3)
    picture = np.full((216, 384, 3), (60, 120, 70), np.uint8)
    changed = [change_light(random, picture) for _ in range(100)]
    assert any((one == one[..., :1]).all() for one in changed)
