"""Reads the frames of a GSR answer as Score's keypoint scorer reads them.

Source: score-technologies/score-vision. Numbers are rounded to two decimals. A frame number may be text, and
of two frames with one number the later one counts. A frame that was not asked about is left out, but has to
be readable all the same.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from touchline_lab.evaluation.official_answer import Unreadable

__all__ = ["READ_ERRORS", "AnsweredFrame", "frame_number", "read_frames"]

READ_ERRORS = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What odd contents of an answer raise; the scorer gives 0 for all of them."""


@dataclass(frozen=True, slots=True, eq=False)
class AnsweredFrame:
    """One frame of an answer.

    Attributes:
        number: Its frame number.
        keypoints: Points in pixels; as many, and with as many numbers each, as the answer has.
        objects: Objects, most of them with a box in pixels; empty where the answer has no list of them.
    """

    number: int
    keypoints: list[list[float]]
    objects: list[dict[str, Any]]


def frame_number(frame: Any) -> int:
    """The number of a frame.

    Raises:
        Unreadable: It has none.
    """
    try:
        return int(str(frame["frame_number"]))
    except (LookupError, TypeError, ValueError) as error:
        raise Unreadable(f"a frame without a readable frame_number: {error!r}") from error


def read_frames(frames: Any, asked: Collection[int]) -> list[AnsweredFrame]:
    """The frames that were asked about, by rising number.

    Args:
        frames: `frames` of the answer, decoded from JSON.
        asked: The frame numbers that were asked about.

    Raises:
        Unreadable: One of all frames cannot be read, which costs the whole score.
    """
    if not isinstance(frames, list):
        raise Unreadable("the answer has no list of frames")
    found: dict[int, AnsweredFrame | None] = {}
    for frame in frames:
        number = frame_number(frame)
        try:
            keypoints, objects = _keypoints(frame), _objects(frame)
        except READ_ERRORS as error:
            raise Unreadable(f"frame {number}: {error!r}") from error
        if number not in asked:
            continue
        if str(frame["frame_number"]) != str(number):
            raise Unreadable(f"frame number {frame['frame_number']!r} is not written as {number}")
        found[number] = None if keypoints is None else AnsweredFrame(number, keypoints, objects)
    return [_complete(number, found[number]) for number in sorted(found)]


def _complete(number: int, frame: AnsweredFrame | None) -> AnsweredFrame:
    if frame is None:
        raise Unreadable(f"frame {number}: no list of keypoints")
    return frame


def _keypoints(frame: Mapping[str, Any]) -> list[list[float]] | None:
    points = frame.get("keypoints")
    if not isinstance(points, list):
        return None
    return [[round(float(number), 2) for number in point] for point in points]


def _objects(frame: Mapping[str, Any]) -> list[dict[str, Any]]:
    objects = frame.get("objects")
    if not isinstance(objects, list):
        return []
    return [_object(one) for one in objects]


def _object(one: Any) -> dict[str, Any]:
    if not isinstance(one, dict):
        raise TypeError(f"an object is {one!r}")
    if "bbox" not in one:
        # this costs the score where the box is looked at, but not everywhere
        return one
    return {**one, "bbox": [round(float(number), 2) for number in one["bbox"]]}
