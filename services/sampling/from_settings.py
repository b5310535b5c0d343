"""Which frames a kind looks at, and at what size, as the settings say."""

from __future__ import annotations

from dataclasses import replace

from services.challenges.closer_look import wants_looks
from services.sampling.plan import FramePlan
from services.sampling.profiles import make_plan
from services.settings import Settings
from services.video.clip import Clip
from services.video.picture import Letterbox
from services.video.picture_clip import READER


def plan_of(clip: Clip, settings: Settings, ball_of: str | None = None) -> tuple[FramePlan, Letterbox]:
    """What the settings say for a video; of single pictures, every one.

    Args:
        clip: The clip.
        settings: FRAME_PROFILE, FRAME_STRIDE, PITCH_STRIDE, IMG_SIZE and BALL_SEARCH.
        ball_of: The kind for which the ball is looked for once more, if it is one of those.
    """
    if clip.reader == READER:
        plan = FramePlan(1, clip.count, settings.pitch_stride)
    else:
        profile, stride = settings.frame_profile, settings.frame_stride
        plan = make_plan(profile, clip.index, clip.count, stride, settings.pitch_stride)
    box = Letterbox.fit(clip.width, clip.height, settings.img_size)
    return replace(plan, looks=ball_of is not None and wants_looks(ball_of, settings)), box
