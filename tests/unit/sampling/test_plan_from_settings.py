"""What the settings make of a clip, by challenge kind."""

from __future__ import annotations

import pytest

from services.sampling.plan_from_settings import plan_from_settings
from services.settings import load_settings
from services.video.clip import Clip
from services.video.decode import DecodeLimits, open_clip
from services.video.source import MemorySource
from tests.support.videos import make_video


@pytest.fixture(scope="module")
def clip() -> Clip:
    return open_clip(MemorySource(make_video(30)), DecodeLimits(100, 1 << 22))


def test_actions_are_searched_in_larger_pictures(clip: Clip) -> None:
    settings = load_settings(served_kinds=("gsr", "soccer_action"), img_size=640, action_img_size=1280)
    assert plan_from_settings(clip, settings, "gsr")[1].input_width == 640
    assert plan_from_settings(clip, settings, "soccer_action")[1].input_width == 1280


def test_a_larger_img_size_is_not_reduced_for_actions(clip: Clip) -> None:
    settings = load_settings(img_size=1600, action_img_size=1280)
    assert plan_from_settings(clip, settings, "soccer_action")[1].input_width == 1600


def test_a_plugged_in_predictor_takes_img_size(clip: Clip) -> None:
    settings = load_settings(predictor=("other",), img_size=640, action_img_size=1280)
    assert plan_from_settings(clip, settings, "soccer_action")[1].input_width == 640


def test_the_ball_is_searched_again_where_the_kind_uses_it(clip: Clip) -> None:
    settings = load_settings(ball_search="on")
    with_ball = plan_from_settings(clip, settings, "gsr")[0]
    without = plan_from_settings(clip, settings, "cricket_delivery", uses_ball=False)[0]
    assert (with_ball.second_ball_pass, with_ball.full_luma) == (True, True)
    assert (without.second_ball_pass, without.full_luma) == (False, False)
