"""What training shows must leave the evaluation's other kits, and its seeds, unseen."""

from __future__ import annotations

import numpy as np
import pytest

from services.contracts import pitch
from services.demo.figures import Colour, Kit
from services.demo.looks import Look
from services.demo.seeds import EVALUATION_SEEDS
from services.demo.variants import VariantScene
from training.light import change_light
from training.looks import VariedScene, draw_kits

LEAST_DISTANCE = 40
"""Between a shirt of training and the same role's in the evaluation, in any one channel."""


def evaluated_shirts() -> dict[int, set[Colour]]:
    scene = VariantScene(Look("kits", (EVALUATION_SEEDS[0],), other_kits=True), EVALUATION_SEEDS[0])
    shirts: dict[int, set[Colour]] = {}
    for figure, class_id in zip(scene._figures, scene._match.class_ids, strict=True):
        shirts.setdefault(int(class_id), set()).add(figure.kit.shirt)
    return shirts


def test_no_training_shirt_is_near_the_same_role_in_the_evaluation() -> None:
    random = np.random.default_rng(1)
    reserved = evaluated_shirts()
    assert {role: len(shirts) for role, shirts in reserved.items()} == {
        pitch.PLAYER: 2,
        pitch.GOALKEEPER: 2,
        pitch.REFEREE: 1,
    }
    worn: dict[int, list[Kit]] = {pitch.PLAYER: [], pitch.GOALKEEPER: [], pitch.REFEREE: []}
    for _ in range(1000):
        teams, keepers, referee = draw_kits(random)
        worn[pitch.PLAYER] += teams
        worn[pitch.GOALKEEPER] += keepers
        worn[pitch.REFEREE].append(referee)
    for role, kits in worn.items():
        ours, theirs = np.array([kit.shirt for kit in kits]), np.array(sorted(reserved[role]))
        distance = np.abs(ours[:, None] - theirs[None]).max(axis=2)
        assert distance.min() >= LEAST_DISTANCE, (role, ours[distance.min(axis=1).argmin()])


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
        scene.change_looks()
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
