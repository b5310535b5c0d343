import numpy as np
import pytest

from services import pitch
from touchline_lab.renderer.camera import Camera
from touchline_lab.renderer.match import LENGTH, WIDTH, Match
from touchline_lab.renderer.scene import Rendered, Scene
from touchline_lab.renderer.seeds import (
    DEMO_SEED,
    EVALUATION_SEEDS,
    HELD_OUT_SEEDS,
    TEST_SEED,
    TRAINING_SEEDS,
    VALIDATION_SEEDS,
)

SIZE = (640, 360)


@pytest.fixture(scope="module")
def rendered() -> Rendered:
    scene = Scene(TEST_SEED, SIZE)
    scene.advance(30)
    return scene.render()


def test_no_seed_is_both_trained_on_and_measured_on() -> None:
    uses = [
        {DEMO_SEED},
        {TEST_SEED},
        set(EVALUATION_SEEDS),
        set(HELD_OUT_SEEDS),
        set(TRAINING_SEEDS),
        set(VALIDATION_SEEDS),
    ]
    assert len(set().union(*uses)) == sum(len(use) for use in uses)


def test_the_target_of_the_camera_is_the_middle_of_the_picture() -> None:
    camera = Camera(np.array([60.0, 100.0, 16.0]), np.array([50.0, 30.0, 0.0]), 30.0, SIZE)
    (pixel,), (depth,) = camera.project_ground([50.0, 30.0])
    np.testing.assert_allclose(pixel, (320, 180), atol=1e-9)
    assert depth == pytest.approx(np.sqrt(10**2 + 70**2 + 16**2))


def test_x_points_to_the_right_and_near_points_are_lower() -> None:
    camera = Camera(np.array([60.0, 100.0, 16.0]), np.array([60.0, 30.0, 0.0]), 30.0, SIZE)
    pixels, _ = camera.project_ground([[60, 30], [61, 30], [60, 31]])
    assert pixels[1, 0] > pixels[0, 0]
    assert pixels[2, 1] > pixels[0, 1]


def test_the_homography_puts_the_vertices_on_the_keypoints(rendered: Rendered) -> None:
    projected = np.c_[pitch.VERTICES_CM, np.ones(32)] @ rendered.homography.T
    pixels = projected[:, :2] / projected[:, 2:]
    visible = (rendered.keypoints != 0).any(axis=1)
    assert visible.sum() >= 4
    np.testing.assert_allclose(pixels[visible], rendered.keypoints[visible], atol=1e-6)


def test_a_picture_is_the_same_every_time(rendered: Rendered) -> None:
    scene = Scene(TEST_SEED, SIZE)
    scene.advance(30)
    again = scene.render()
    assert np.array_equal(again.image, rendered.image)
    assert again.boxes == rendered.boxes


def test_a_picture_does_not_depend_on_the_pictures_before_it(rendered: Rendered) -> None:
    scene = Scene(TEST_SEED, SIZE)
    for frame in (3, 17):
        scene.advance(frame)
        scene.render()
    scene.advance(30)
    assert np.array_equal(scene.render().image, rendered.image)


def test_another_seed_gives_another_picture(rendered: Rendered) -> None:
    assert not np.array_equal(Scene(TEST_SEED + 1, SIZE).render().image, rendered.image)


def test_a_scene_cannot_go_back_to_an_earlier_frame() -> None:
    scene = Scene(TEST_SEED, SIZE)
    scene.advance(2)
    with pytest.raises(ValueError, match="cannot go back"):
        scene.advance(1)


def test_boxes_lie_in_the_picture_and_are_not_empty(rendered: Rendered) -> None:
    classes = [box[0] for box in rendered.boxes]
    assert classes.count(pitch.PLAYER) >= 4
    assert classes.count(pitch.REFEREE) <= 1
    assert classes.count(pitch.BALL) <= 1
    for _, x1, y1, x2, y2 in rendered.boxes:
        assert 0 <= x1 < x2 <= SIZE[0]
        assert 0 <= y1 < y2 <= SIZE[1]


def test_the_box_of_the_referee_shows_the_black_kit() -> None:
    scene = Scene(TEST_SEED, (1280, 720))
    scene.advance(30)
    picture = scene.render()
    brightness: dict[int, list[float]] = {}
    for class_id, *corners in picture.boxes:
        x1, y1, x2, y2 = (int(edge) for edge in corners)
        trunk = picture.image[
            y1 + (y2 - y1) // 4 : y1 + (y2 - y1) // 2, (x1 + x2) // 2 - 2 : (x1 + x2) // 2 + 2
        ]
        brightness.setdefault(class_id, []).append(trunk.mean())
    assert max(brightness[pitch.REFEREE]) < min(brightness[pitch.PLAYER])


@pytest.mark.parametrize("seed", [DEMO_SEED, TEST_SEED, *EVALUATION_SEEDS[:3]])
def test_enough_of_the_pitch_is_in_view_and_nobody_leaves(seed: int) -> None:
    match = Match(seed, fps=25)
    for _ in range(10):
        for _ in range(50):
            match.step()
        pixels, depths = match.camera((1280, 720)).project_ground(pitch.VERTICES_CM / 100)
        inside = (pixels >= 0).all(axis=1) & (pixels < (1280, 720)).all(axis=1) & (depths > 0)
        assert inside.sum() >= 4
        assert (match.position >= -2).all()
        assert (match.position <= (LENGTH + 2, WIDTH + 2)).all()
