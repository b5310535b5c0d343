import numpy as np
import pytest

from services import pitch


def test_there_are_32_vertices_on_a_pitch_of_120_by_70_metres() -> None:
    assert pitch.VERTICES_CM.shape == (pitch.KEYPOINT_COUNT, 2) == (32, 2)
    assert pitch.VERTICES_CM.min(axis=0).tolist() == [0, 0]
    assert pitch.VERTICES_CM.max(axis=0).tolist() == [12000, 7000]


@pytest.mark.parametrize(
    ("number", "place"),
    [
        (1, (0, 0)),
        (6, (0, 7000)),
        (9, (1100, 3500)),
        (10, (2015, 1450)),
        (14, (6000, 0)),
        (15, (6000, 2585)),
        (17, (6000, 7000)),
        (22, (10900, 3500)),
        (23, (11450, 2584)),
        (25, (12000, 0)),
        (30, (12000, 7000)),
        (31, (5085, 3500)),
        (32, (6915, 3500)),
    ],
)
def test_the_contract_s_numbers_count_from_one(number: int, place: tuple[float, float]) -> None:
    assert tuple(pitch.VERTICES_CM[number - 1]) == place


def test_flipping_mirrors_every_vertex_and_undoes_itself() -> None:
    flipped = pitch.VERTICES_CM[list(pitch.FLIP_INDEX)]
    np.testing.assert_allclose(flipped, pitch.VERTICES_CM * (-1, 1) + (pitch.LENGTH_CM, 0))
    assert [pitch.FLIP_INDEX[index] for index in pitch.FLIP_INDEX] == list(range(32))


def test_segments_run_along_or_across_the_pitch() -> None:
    for start, end in pitch.SEGMENTS:
        way = pitch.VERTICES_CM[end] - pitch.VERTICES_CM[start]
        assert np.count_nonzero(way) == 1, (start + 1, end + 1)


def test_polylines_stay_on_the_pitch() -> None:
    points = np.concatenate(pitch.pitch_polylines())
    assert (points >= -1e-9).all()
    assert (points <= (pitch.LENGTH_CM + 1e-9, pitch.WIDTH_CM + 1e-9)).all()


def test_vertices_cannot_be_changed_by_accident() -> None:
    with pytest.raises(ValueError, match="read-only"):
        pitch.VERTICES_CM[0, 0] = 1


def test_class_names_follow_the_class_ids() -> None:
    assert [pitch.CLASS_NAMES[index] for index in (pitch.BALL, *pitch.PEOPLE)] == [
        "ball",
        "goalkeeper",
        "player",
        "referee",
    ]
