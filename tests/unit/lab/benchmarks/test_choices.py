from __future__ import annotations

import pytest

from services.frame_plan import FramePlan
from services.sampling.profiles import non_b_frames
from services.settings import load_settings
from services.video.decode import DecodeLimits, open_clip
from services.video.source import MemorySource
from tests.support.videos import make_video
from touchline_lab.benchmarks.choices import CHOICES, encoded_again, needed_share


@pytest.mark.parametrize("between", [0, 3])
def test_a_clip_is_encoded_again_with_as_many_b_frames_as_asked_for(between: int) -> None:
    clip = open_clip(MemorySource(encoded_again(make_video(33), between)), DecodeLimits(100, 1 << 22))
    assert clip.index is not None
    assert non_b_frames(clip.index).tolist() == list(range(0, 33, between + 1))
    assert needed_share(clip, FramePlan(1, clip.count)) == 1.0
    assert needed_share(clip, FramePlan(1, clip.count, chosen=(0,))) < 1.0


def test_every_choice_is_one_that_the_settings_allow() -> None:
    for choices in CHOICES.values():
        for choice in choices:
            settings = load_settings(device="cpu", **choice)
            assert {key: getattr(settings, key) for key in choice} == choice
