"""Names of a detector's classes and what they are on the wire."""

from __future__ import annotations

import logging

import pytest

from services.errors import ModelNotReady, SettingsError
from services.inference.class_map import WIRE_NAMES, map_classes
from services.settings import load_settings

COCO = {0: "person", 1: "bicycle", 32: "sports ball", 5: "bus"}


def test_a_model_of_everyday_things_works_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert map_classes(COCO) == {0: 2, 32: 0}
    assert "no class for: goalkeeper, referee" in caplog.text
    assert "all of person are players" in caplog.text


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("Ball", "Goalkeeper", "Player", "Referee"), [0, 1, 2, 3]),
        (("goal_keeper", "main-referee", "football", "people"), [1, 3, 0, 2]),
        (("player team left", "player team right", "side referee", "goalkeepers team left"), [2, 2, 3, 1]),
    ],
)
def test_names_that_models_of_football_use(names: tuple[str, ...], expected: list[int]) -> None:
    assert map_classes(dict(enumerate(names))) == dict(enumerate(expected))


def test_all_four_classes_need_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        map_classes(dict(enumerate(WIRE_NAMES)))
    assert caplog.text == ""


@pytest.mark.parametrize("names", [{0: "cat", 1: "dog"}, {0: "ball"}, {0: "referee", 1: "keeper"}])
def test_without_players_the_start_stops_and_says_what_was_found(names: dict[int, str]) -> None:
    with pytest.raises(ModelNotReady) as caught:
        map_classes(names)
    for name in (*names.values(), *WIRE_NAMES, "CLASS_MAP"):
        assert name in str(caught.value)


def test_a_map_wins_over_names() -> None:
    names = {0: "0", 1: "1", 2: "Staff", 3: "person"}
    assert map_classes(names, ["0=ball", " 1 = goalkeeper ", "staff=referee"]) == {0: 0, 1: 1, 2: 3, 3: 2}
    assert map_classes({0: "player", 1: "referee"}, ["referee=none"]) == {0: 2}


def test_a_map_of_a_class_that_is_not_there() -> None:
    with pytest.raises(ModelNotReady, match=r"'persn'.*'person'"):
        map_classes(COCO, ["persn=player"])


@pytest.mark.parametrize("value", ["person", "person=striker", "=player"])
def test_maps_that_are_none(value: str) -> None:
    with pytest.raises(SettingsError, match="CLASS_MAP"):
        load_settings(class_map=value)


def test_a_map_is_a_setting() -> None:
    assert load_settings(class_map="a=player, b = ball").class_map == ("a=player", "b = ball")
