"""The keypoint score of an answer to a clip in a file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import av

from touchline_lab.evaluation.keypoint_answer import frame_number
from touchline_lab.evaluation.keypoint_score import KeypointScore, keypoint_score
from touchline_lab.evaluation.official_answer import Unreadable
from touchline_lab.evaluation.official_score import NotScorable
from touchline_lab.evaluation.painted_lines import painted_lines_of_clip

__all__ = ["parse_frames", "score_clip"]


def score_clip(clip: Path, answer: Any, asked: slice | None = None) -> KeypointScore:
    """Score an answer of the kind `gsr`; one that the scorer cannot read scores 0, with a reason.

    Args:
        clip: The clip.
        answer: The answer, decoded from JSON.
        asked: The frames that are asked about, as an index into all frames of the clip; by default all of
            them. Frames that are asked about and not answered cost score.

    Raises:
        NotScorable: The clip cannot be read, or has none of the frames asked about.
    """
    frames = answer.get("frames") if isinstance(answer, dict) else None
    # a validator takes anything but a list for an empty one
    frames = frames if isinstance(frames, list) else []
    answered = {number for number in _numbers(frames) if number in range(sys.maxsize)[asked or slice(None)]}
    try:
        found = painted_lines_of_clip(clip.read_bytes(), answered)
    except (av.FFmpegError, OSError, IndexError) as error:
        raise NotScorable(f"{clip} cannot be read as a clip: {error}") from error
    wanted = range(found.frames)[asked or slice(None)]
    if not wanted:
        raise NotScorable(f"{clip} has {found.frames} frames, and none of those that are asked about")
    return keypoint_score(frames, found.lines, found.size, wanted)


def parse_frames(text: str) -> slice:
    """Read `START:STOP`, either of which may be left out; STOP itself is not asked about.

    Raises:
        ValueError: It is something else; the text says so.
    """
    start, colon, stop = text.partition(":")
    if not colon or not all(part.isdecimal() or not part for part in (start, stop)):
        raise ValueError(f"{text!r} is not START:STOP, such as 0:250")
    return slice(int(start) if start else None, int(stop) if stop else None)


def _numbers(frames: list[Any]) -> list[int]:
    numbers = []
    for frame in frames:
        try:
            numbers.append(frame_number(frame))
        except Unreadable:
            # this costs the whole score, which needs no lines then
            return []
    return numbers
