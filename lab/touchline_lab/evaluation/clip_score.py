"""The keypoint score of an answer to a clip in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av

from touchline_lab.evaluation.keypoint_score import KeypointScore, keypoint_score
from touchline_lab.evaluation.official_score import NotScorable
from touchline_lab.evaluation.painted_lines import painted_lines_of_clip

__all__ = ["score_clip"]


def score_clip(clip: Path, answer: Any) -> KeypointScore:
    """Score an answer of the kind `gsr`.

    Args:
        clip: The clip.
        answer: The answer, decoded from JSON.

    Raises:
        NotScorable: The answer or the clip cannot be read, or the answer has no frames.
    """
    frames = answer.get("frames") if isinstance(answer, dict) else None
    if not isinstance(frames, list) or not frames:
        raise NotScorable("the answer has no list of frames")
    try:
        size, lines = painted_lines_of_clip(clip.read_bytes(), [frame["frame_number"] for frame in frames])
        return keypoint_score(frames, lines, size)
    except (KeyError, TypeError) as error:
        raise NotScorable(f"the answer is not of the kind gsr: {error!r}") from error
    except (av.FFmpegError, OSError, ValueError) as error:
        raise NotScorable(f"{clip} cannot be scored with this answer: {error}") from error
