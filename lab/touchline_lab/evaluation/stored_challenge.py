"""Stored challenges: what the gateway records, and what a public audit export holds."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from services.wire.gsr import decode_response
from services.wire.spot_check import compared_part

__all__ = ["StoredChallenge", "read_stored", "same_answer"]

KINDS: Final = {"football": "soccer_action", "soccer": "soccer_action", "cricket": "cricket_delivery"}
"""Challenge kind by a word in the name of an element, such as `manako/DetectFootballEvent`."""
TRUTH_NAMES: Final = ("ground_truth", "groundTruth", "truth")
ANSWER_NAMES: Final = ("answer", "winner_answer", "winner", "response", "prediction", "predictions")


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


def read_stored(path: Path) -> Iterator[StoredChallenge]:
    """Read one file, which may hold a list, or all files of a folder.

    Raises:
        ValueError: Something is no stored challenge; the text names the file.
    """
    files = sorted(path.glob("*.json")) if path.is_dir() else [path]
    if not files:
        raise ValueError(f"{path} holds no JSON files")
    for file in files:
        try:
            content = json.loads(file.read_bytes())
        except ValueError as error:
            raise ValueError(f"{file} is no JSON: {error}") from error
        for number, item in enumerate(content if isinstance(content, list) else [content], 1):
            yield _stored(item, f"{file.name} {number}" if isinstance(content, list) else file.name)


def _stored(item: Any, name: str) -> StoredChallenge:
    if not isinstance(item, Mapping):
        raise ValueError(f"{name}: a stored challenge is a JSON object, not {type(item).__name__}")
    asked = {**item, **(item["request"] if isinstance(item.get("request"), Mapping) else {})}
    sources = {key: asked.get(key) or "" for key in ("video_url", "image_url")}
    frames = tuple(asked.get("frames") or ()) if not any(sources.values()) else ()
    if not any(sources.values()) and not frames:
        raise ValueError(f"{name}: neither `video_url` nor `image_url` nor `frames` is there")
    return StoredChallenge(
        name,
        str(asked.get("challenge_id") or name),
        _kind(asked, name),
        sources["video_url"],
        sources["image_url"],
        frames,
        _first(item, TRUTH_NAMES),
        _first(item, ANSWER_NAMES),
    )


def _kind(asked: Mapping[str, Any], name: str) -> str:
    named = asked.get("kind") or asked.get("type")
    if isinstance(named, str):
        return named
    element = str(asked.get("element") or asked.get("element_id") or "").lower()
    for word, kind in KINDS.items():
        if word in element:
            return kind
    raise ValueError(f"{name}: neither `kind` nor `element` tells what was asked")


def _first(item: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((item[name] for name in names if item.get(name) is not None), None)


def same_answer(kind: str, stored: Any, ours: bytes) -> bool:
    """Whether two answers are the same except for id and processing time."""
    if kind == "gsr":
        return decode_response(json.dumps(stored).encode()).frames == decode_response(ours).frames
    answers = (stored, json.loads(ours))
    return len({json.dumps(compared_part(one), sort_keys=True) for one in answers}) == 1
