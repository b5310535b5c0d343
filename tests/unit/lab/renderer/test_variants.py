from dataclasses import replace
from pathlib import Path
from typing import Literal

import av
import numpy as np
import pytest

from touchline_lab.renderer.conditions import SCENES, SceneConditions
from touchline_lab.renderer.held_out import HELD_OUT
from touchline_lab.renderer.match import LENGTH, WIDTH
from touchline_lab.renderer.scene import Rendered, Scene
from touchline_lab.renderer.scene_clip import ID_STEP, render_scene, shot_starts, stored_scene
from touchline_lab.renderer.seeds import EVALUATION_SEEDS, HELD_OUT_SEEDS
from touchline_lab.renderer.variants import UNSEEN_KITS, VariantMatch, VariantScene
from touchline_lab.renderer.weather import apply_weather

SIZE = (640, 352)
PLAIN = SceneConditions("plain", (3000,), seconds=0.4, size=SIZE)


def rendered(conditions: SceneConditions, frame: int = 20) -> tuple[Rendered, list[int]]:
    scene = VariantScene(conditions, conditions.seeds[0])
    scene.advance(frame)
    return scene.render(), scene.ids


def test_without_options_a_scene_is_the_ordinary_one() -> None:
    ordinary = Scene(3000, SIZE)
    ordinary.advance(20)
    expected, (found, _) = ordinary.render(), rendered(PLAIN)
    np.testing.assert_array_equal(found.image, expected.image)
    assert found.boxes == expected.boxes


@pytest.mark.parametrize("weather", ["night", "rain", "dusk", "downpour"])
def test_weather_changes_the_picture_and_not_the_truth(
    weather: Literal["night", "rain", "dusk", "downpour"],
) -> None:
    day, _ = rendered(PLAIN)
    other, _ = rendered(replace(PLAIN, weather=weather))
    assert other.boxes == day.boxes
    assert np.abs(other.image.astype(int) - day.image).mean() > 5
    np.testing.assert_array_equal(
        apply_weather(day.image, weather, 1, 2), apply_weather(day.image, weather, 1, 2)
    )
    assert (apply_weather(day.image, weather, 1, 2) != apply_weather(day.image, weather, 1, 3)).any()


@pytest.mark.parametrize("kits", ["other", "held-out"])
def test_other_kits_change_the_people_only(kits: Literal["other", "held-out"]) -> None:
    day, _ = rendered(PLAIN)
    other, _ = rendered(replace(PLAIN, kits=kits))
    changed = np.abs(other.image.astype(int) - day.image).max(axis=2) > 25
    assert other.boxes == day.boxes
    assert 100 < changed.sum() < 0.03 * changed.size


def test_tinted_grass_leaves_the_stands_and_the_truth() -> None:
    day, _ = rendered(PLAIN)
    dry, _ = rendered(replace(PLAIN, grass=(0.8, 1.0, 1.7)))
    assert dry.boxes == day.boxes
    gained = dry.image.astype(float).mean((0, 1)) - day.image.astype(float).mean((0, 1))
    assert gained[2] > 10
    assert gained[0] < -2
    assert np.abs(dry.image[:40].astype(int) - day.image[:40]).mean() < 0.1  # grass shows in the seams


def test_another_camera_position_gives_another_homography() -> None:
    match = VariantMatch(3000, 25, replace(PLAIN, camera_position=(9.0, 41.0, 23.0)))
    camera = match.camera(SIZE)
    centre = np.linalg.solve(camera.matrix[:, :3], -camera.matrix[:, 3])
    np.testing.assert_allclose(centre, (LENGTH / 2 + 9, WIDTH + 41, 23.0))
    moved, _ = rendered(replace(PLAIN, camera_position=(9.0, 41.0, 23.0)))
    assert not np.allclose(moved.homography, rendered(PLAIN)[0].homography)


def test_ids_stay_with_the_people() -> None:
    scene = VariantScene(PLAIN, 3000)
    places: dict[int, np.ndarray] = {}
    for frame in range(10):
        scene.advance(frame)
        boxes = scene.render().boxes
        assert len(set(scene.ids)) == len(scene.ids) == len(boxes)
        for who, box in zip(scene.ids, boxes, strict=True):
            foot = np.array([(box[1] + box[3]) / 2, box[4]])
            if who and who in places:
                assert np.linalg.norm(foot - places[who]) < 25
            places[who] = foot
        assert all((who == 0) == (box[0] == 0) for who, box in zip(scene.ids, boxes, strict=True))


def spread(conditions: SceneConditions) -> float:
    match = VariantMatch(3007, 25, conditions)
    for _ in range(100):
        match.step()
    return float(np.linalg.norm(match.position[:20] - match.position[:20].mean(0), axis=1).mean())


def test_people_in_a_crowd_stand_closer() -> None:
    assert spread(replace(PLAIN, crowding=0.6)) < 0.75 * spread(PLAIN)


def test_pan_and_zoom_move_the_camera_more() -> None:
    def travelled(conditions: SceneConditions) -> tuple[float, float]:
        match = VariantMatch(3002, 25, conditions)
        turned = zoomed = 0.0
        for _ in range(150):
            before = match.aim.copy(), match.hfov
            match.step()
            turned += float(np.linalg.norm(match.aim - before[0]))
            zoomed += abs(match.hfov - before[1])
        return turned, zoomed

    plain = travelled(PLAIN)
    assert travelled(replace(PLAIN, pan=3.0))[0] > 1.2 * plain[0]
    assert travelled(replace(PLAIN, zoom=0.6))[1] > 3 * plain[1]


def test_a_cut_begins_another_match_with_other_ids(tmp_path: Path) -> None:
    conditions = replace(PLAIN, seeds=(3000, 3001))
    truth = render_scene(tmp_path / "a.mp4", conditions)
    assert truth.cuts == shot_starts(conditions)[1:] == [5]
    assert len(truth.truth.frames) == len(truth.ids) == 10
    assert max(truth.ids[4]) < ID_STEP <= min(truth.ids[5])
    assert truth.truth.frames[4].homography != truth.truth.frames[5].homography
    with av.open(str(tmp_path / "a.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height, stream.frames) == (*SIZE, 10)


def test_several_processes_write_the_same_bytes(tmp_path: Path) -> None:
    truth = render_scene(tmp_path / "one.mp4", PLAIN, processes=1)
    assert render_scene(tmp_path / "two.mp4", PLAIN, processes=2) == truth
    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "two.mp4").read_bytes()


def test_a_scene_is_rendered_once(tmp_path: Path) -> None:
    calls: list[int] = []
    first = stored_scene(tmp_path, PLAIN, progress=lambda done, _: calls.append(done))
    assert stored_scene(tmp_path, PLAIN, progress=lambda done, _: calls.append(done)) == first
    assert calls == list(range(1, 11))
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".json", ".lock", ".mp4"]
    assert stored_scene(tmp_path, replace(PLAIN, weather="night"))[0] != first[0]


def test_scenes_differ_in_name_and_options_and_use_seeds_of_the_evaluation() -> None:
    assert (
        len({conditions.name for conditions in SCENES})
        == len({conditions.key for conditions in SCENES})
        == len(SCENES)
    )
    seeds = [seed for conditions in SCENES for seed in conditions.seeds]
    assert len(set(seeds)) == len(seeds)
    assert set(seeds) <= set(EVALUATION_SEEDS)


def test_held_out_scenes_share_nothing_with_the_others() -> None:
    assert (
        len({conditions.name for conditions in HELD_OUT})
        == len({conditions.key for conditions in HELD_OUT})
        == len(HELD_OUT)
    )
    assert not {conditions.name for conditions in HELD_OUT} & {conditions.name for conditions in SCENES}
    seeds = [seed for conditions in HELD_OUT for seed in conditions.seeds]
    assert len(set(seeds)) == len(seeds)
    assert set(seeds) <= set(HELD_OUT_SEEDS)
    ordinary = SceneConditions("", ())
    for option in ("weather", "kits", "crowding", "pan", "zoom", "camera_position", "grass"):
        ours, theirs = (
            {getattr(conditions, option) for conditions in scenes} for scenes in (HELD_OUT, SCENES)
        )
        plain = getattr(ordinary, option)
        assert ours - {plain}, f"no held-out scene varies {option}"
        assert not (ours - {plain}) & (theirs - {plain}), option


def test_both_sets_of_unseen_kits_differ_in_every_role() -> None:
    for one, other in zip(UNSEEN_KITS["other"], UNSEEN_KITS["held-out"], strict=True):
        assert np.abs(np.subtract(one[0], other[0])).max() >= 45
