"""Stored challenges: what the gateway records, and what the subnet's public audit export holds.

The gateway's record: {"kind", "challenge_id", "video_url" ..., "answer"}.

The audit export (score-technologies/turbovision, scorevision/validator/audit/private_track/export.py, as of
2026-08-22) has a folder for each element, with an `index.json` and one file for each export:

    manako/audit/manako_DetectFootballEvent/005000000.json
    {"miner_response": {"miner_hotkey", "video_url" or "frames", "predictions": [{"frame", "action"}]},
     "groundtruth": [{"frame", "action"}]}

A delivery has `"prediction": {field: number}` and `"groundtruth": {field: number}` instead. Older exports are
one file with such an object for each element: {"manako/DetectFootballEvent": {...}, ...}.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from services.wire.gsr import decode_response
from services.wire.spot_check import compared_part
from touchline_lab.evaluation.field_score import CARDS, CRICKET

__all__ = ["BrokenFile", "StoredChallenge", "read_stored", "same_answer"]

KINDS: Final = {
    "football": "soccer_action",
    "soccer": "soccer_action",
    "cricket": "cricket_delivery",
    "tcg": "tcg_grading",
    "card": "tcg_grading",
}
"""Challenge kind by a word in the name of an element, such as `manako/DetectFootballEvent`."""
TRUTH_NAMES: Final = ("groundtruth", "ground_truth", "truth")
"""Names under which a ground truth is stored."""
ANSWER_NAMES: Final = (
    "answer",
    "miner_response",
    "winner_answer",
    "winner",
    "response",
    "prediction",
    "predictions",
)
"""Names under which an answer is stored."""
INDEX: Final = "index.json"
"""The list of an export's files, beside them."""


@dataclass(frozen=True, slots=True)
class StoredChallenge:
    """One stored challenge.

    Attributes:
        name: The file that it came from.
        challenge_id: Its id.
        kind: The challenge kind.
        video_url: Where the clip lies, or empty.
        image_url: Where the one picture lies, or empty.
        frames: Its pictures.
        truth: The ground truth, None where there is none.
        answer: The answer that is stored, of this miner or of the winner; None where there is none.
    """

    name: str
    challenge_id: str
    kind: str
    video_url: str
    image_url: str
    frames: tuple[Mapping[str, Any], ...]
    truth: Any
    answer: Any


@dataclass(frozen=True, slots=True)
class BrokenFile:
    """A file, or an item of it, that holds no stored challenge.

    Attributes:
        name: Which one.
        error: Why; the text names it, too.
    """

    name: str
    error: str


def read_stored(path: Path) -> Iterator[StoredChallenge | BrokenFile]:
    """Read one file, which may hold several, or all files below a folder; a broken one does not end it.

    Raises:
        ValueError: There is no JSON file at all.
    """
    files = sorted(path.rglob("*.json")) if path.is_dir() else [path]
    files = [file for file in files if file.name != INDEX]
    if not files:
        raise ValueError(f"{path} holds no JSON files")
    for file in files:
        try:
            content = json.loads(file.read_bytes())
        except (OSError, ValueError, RecursionError) as error:
            yield BrokenFile(file.name, f"{file} is not JSON: {error}")
            continue
        # the folder of an export is named after its element
        for name, item in _items(content, file):
            try:
                yield _stored(item, name, element=file.parent.name)
            except ValueError as error:
                yield BrokenFile(name, str(error))


def _items(content: Any, file: Path) -> Iterator[tuple[str, Any]]:
    if isinstance(content, list):
        yield from ((f"{file.name} {number}", item) for number, item in enumerate(content, 1))
    elif _is_by_element(content):
        for element, item in content.items():
            yield f"{file.name} {element}", {"element": element, **item}
    else:
        yield file.name, content


def _is_by_element(content: Any) -> bool:
    return (
        isinstance(content, Mapping)
        and bool(content)
        and all(isinstance(item, Mapping) and "miner_response" in item for item in content.values())
    )


def _stored(item: Any, name: str, element: str) -> StoredChallenge:
    if not isinstance(item, Mapping):
        raise ValueError(f"{name}: a stored challenge is a JSON object, not {type(item).__name__}")
    answer = _first(item, ANSWER_NAMES)
    # an export keeps the address with the answer
    parts = (item.get("miner_response"), item, item.get("request"))
    asked: dict[str, Any] = {}
    for part in parts:
        asked |= part if isinstance(part, Mapping) else {}
    sources = {key: asked.get(key) or "" for key in ("video_url", "image_url")}
    frames = () if any(sources.values()) else _frames(asked.get("frames"), name)
    if not any(sources.values()) and not frames:
        raise ValueError(f"{name}: neither `video_url` nor `image_url` nor `frames` is there")
    return StoredChallenge(
        name,
        str(asked.get("challenge_id") or name),
        _kind(asked, answer, name, element),
        sources["video_url"],
        sources["image_url"],
        frames,
        _first(item, TRUTH_NAMES),
        answer,
    )


def _frames(value: Any, name: str) -> tuple[Mapping[str, Any], ...]:
    if not isinstance(value or [], list) or not all(isinstance(frame, Mapping) for frame in value or ()):
        raise ValueError(f"{name}: `frames` is no list of objects")
    return tuple(value or ())


def _kind(asked: Mapping[str, Any], answer: Any, name: str, element: str) -> str:
    named = asked.get("kind") or asked.get("type")
    if isinstance(named, str):
        return named
    for candidate in (asked.get("element"), asked.get("element_id"), element):
        for word, kind in KINDS.items():
            if word in str(candidate or "").lower():
                return kind
    if (found := _kind_of_answer(answer)) is not None:
        return found
    raise ValueError(f"{name}: neither `kind` nor `element`, nor the answer, tells what was asked")


def _kind_of_answer(answer: Any) -> str | None:
    """The kind that an answer has by its form."""
    if not isinstance(answer, Mapping):
        return None
    predictions = answer.get("predictions")
    if isinstance(predictions, list) and all(
        isinstance(one, Mapping) and "action" in one for one in predictions
    ):
        return "soccer_action"
    prediction = answer.get("prediction")
    if isinstance(prediction, Mapping):
        grades = prediction.get("Grading_Features")
        fields = {*prediction, *(grades if isinstance(grades, Mapping) else ())}
        for kind, rules in (("cricket_delivery", CRICKET), ("tcg_grading", CARDS)):
            if fields & set(rules):
                return kind
    return None


def _first(item: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((item[name] for name in names if item.get(name) is not None), None)


def same_answer(kind: str, stored: Any, ours: bytes) -> bool:
    """Whether two answers are the same except for id and processing time."""
    if kind == "gsr":
        return decode_response(json.dumps(stored).encode()).frames == decode_response(ours).frames
    answers = (stored, json.loads(ours))
    return len({json.dumps(compared_part(one), sort_keys=True) for one in answers}) == 1
