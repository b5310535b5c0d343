"""Which plan a deadline gets: from its class and the costs, in fixed steps."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from services.challenges.gsr_kind import GsrKind
from services.sampling.costs import Costs
from services.sampling.deadline_classes import CLASSES_S, Choice, available, choose
from services.settings import Settings, load_settings
from services.video.clip import Clip
from services.video.decode import DecodeLimits, open_clip
from services.video.source import MemorySource
from tests.support.videos import make_video

RESERVE_S = 0.5


@pytest.fixture(scope="module")
def clip() -> Clip:
    """100 frames with a sync sample every 50."""
    data = make_video(100, gop=50, codec_options={"x264-params": "scenecut=0"})
    return open_clip(MemorySource(data), DecodeLimits(1000, 1 << 22))


def chosen(
    clip: Any, seconds: float, inference_s: float = 1.0, decode_s: float = 0.0, **set_to: Any
) -> Choice:
    settings: Settings = load_settings(**set_to)
    return choose(GsrKind(), clip, settings, Costs(inference_s, decode_s), seconds)


@pytest.mark.parametrize(
    ("seconds", "name", "samples"),
    [
        (18, "stride 6", 18),
        (17, "stride 12 (deadline)", 10),
        (10, "stride 12 (deadline)", 10),
        (9, "stride 24 (deadline)", 6),
        (6, "stride 24 (deadline)", 6),
        (5, "keyframes (deadline)", 3),
        (0, "keyframes (deadline)", 3),
    ],
)
def test_the_first_step_that_fits_is_taken_and_named(
    clip: Clip, seconds: float, name: str, samples: int
) -> None:
    choice = chosen(clip, seconds)
    assert (choice.name, choice.plan.sampled_count) == (name, samples)
    assert choice.plan.is_sampled(0)
    assert choice.plan.is_sampled(99)


def test_each_profile_has_its_own_steps(clip: Clip) -> None:
    assert chosen(clip, 30, frame_profile="snap").name == "snap 6"
    assert chosen(clip, 11, frame_profile="snap").name.startswith("snap 12 (deadline)")
    assert chosen(clip, 0, frame_profile="keyframes").name == "keyframes"


def test_decoding_counts_by_the_pixels(clip: Clip) -> None:
    share = clip.width * clip.height / (1280 * 720)
    assert chosen(clip, 101 * share, 0, 1).name == "stride 6"
    # a coarser stride decodes as much, keyframes do not
    assert chosen(clip, 99 * share, 0, 1).name == "keyframes (deadline)"


def test_the_settings_of_a_step_go_with_its_plan(clip: Clip) -> None:
    assert chosen(clip, 10).settings.frame_stride == 12
    assert chosen(clip, 5).settings.frame_profile == "keyframes"


def test_without_costs_the_deadline_does_not_matter(clip: Clip) -> None:
    assert choose(GsrKind(), clip, load_settings(), None, 0.0).name == "stride 6"


def test_a_clip_without_an_index_gets_coarser_strides_only() -> None:
    data = make_video(30, container="matroska")
    clip = open_clip(MemorySource(data), DecodeLimits(1000, 1 << 22))
    assert clip.count is None
    # taken for 750 frames
    assert chosen(clip, 125, 1).name == "stride 6"
    assert chosen(clip, 124, 1).name == "stride 12 (deadline)"
    assert chosen(clip, 1, 1).name == "stride 24 (deadline)"


def test_the_class_of_a_deadline_is_the_same_until_a_fifth_of_it_has_passed() -> None:
    for remaining in (30.0, 29.2, 27.0, 24.0):
        assert available(30, remaining, 0, RESERVE_S) == 24 - RESERVE_S
    assert available(30, 23.9, 0, RESERVE_S) == 20 - RESERVE_S
    assert available(10, 9.5, 0, RESERVE_S) == available(10, 8.0, 0, RESERVE_S) == 8 - RESERVE_S


def test_what_is_nearly_over_has_no_time() -> None:
    assert available(30, 0.4, 0, RESERVE_S) == 0
    assert available(0.3, 0.3, 0, RESERVE_S) == 0


def test_a_time_budget_is_a_deadline_of_its_own() -> None:
    assert available(30, 29, 2.0, RESERVE_S) == 1.5
    assert available(1.3, 1.3, 2.0, RESERVE_S) == 1 - RESERVE_S


def test_the_documented_classes_are_the_ones_that_are_used() -> None:
    page = (Path(__file__).parents[3] / "docs/concepts/frame-plans.md").read_text()
    listed = re.search(r"a deadline class of ([\d.,\s]+) or (\d+) seconds", page)
    assert listed is not None
    assert [float(number) for number in [*listed[1].split(","), listed[2]]] == list(CLASSES_S)
