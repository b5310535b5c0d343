"""The frame plan of a challenge kind, as the settings say."""

from __future__ import annotations

from dataclasses import replace

from services.frame_plan import FramePlan
from services.sampling.profiles import make_plan
from services.settings import BUNDLED, Settings
from services.video.clip import Clip
from services.video.letterbox import Letterbox
from services.video.picture_clip import READER


def plan_from_settings(
    clip: Clip, settings: Settings, kind: str, *, uses_ball: bool = True
) -> tuple[FramePlan, Letterbox]:
    """The frame plan of a video by the settings; of single pictures every one is sampled.

    Args:
        clip: The clip.
        settings: FRAME_PROFILE, FRAME_STRIDE, PITCH_STRIDE, IMG_SIZE, ACTION_IMG_SIZE and BALL_SEARCH.
        kind: The challenge kind.
        uses_ball: Whether the kind makes anything of the second ball pass.
    """
    if clip.reader == READER:
        plan = FramePlan(1, clip.count, settings.pitch_stride)
    else:
        profile, stride = settings.frame_profile, settings.frame_stride
        plan = make_plan(profile, clip.index, clip.count, stride, settings.pitch_stride)
    box = Letterbox.fit(clip.width, clip.height, settings.img_size_for(kind))
    # a predictor that was plugged in has nothing to search for the ball with
    bundled = uses_ball and settings.predictor_for(kind) == BUNDLED
    return replace(
        plan,
        second_ball_pass=bundled and settings.second_ball_pass,
        full_luma=bundled and settings.fine_ball_detector,
    ), box
