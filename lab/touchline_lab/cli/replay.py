"""`touchline replay`: stored challenges answered once more, and scored beside the stored answers."""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from services.cli.console import stdout

if TYPE_CHECKING:
    from touchline_lab.evaluation.stored_challenge import StoredChallenge


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of one stored challenge.

    Attributes:
        name: Its file.
        challenge_id: Its id.
        kind: The challenge kind.
        seconds: Until the answer.
        error: Why there is none, or empty.
        ours: Our official score, None without a ground truth.
        stored: That of the stored answer, None without one.
        same: Whether our answer is the stored one, None without one.
    """

    name: str
    challenge_id: str
    kind: str
    seconds: float | None = None
    error: str = ""
    ours: float | None = None
    stored: float | None = None
    same: bool | None = None


def replay(
    path: Annotated[
        Path, typer.Argument(exists=True, help="A stored challenge, or a folder of them (RECORD_DIR).")
    ],
    deadline: Annotated[float, typer.Option(min=0.1, max=3600, help="Seconds for each answer.")] = 120.0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
) -> None:
    """Answer stored challenges once more, and compare and score the answers beside the stored ones."""
    from touchline_lab.evaluation.stored_challenge import BrokenFile, read_stored

    try:
        stored = list(read_stored(path))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    found = [
        Replayed(one.name, "", "", error=one.error)
        if isinstance(one, BrokenFile)
        else _replayed(one, deadline)
        for one in stored
    ]
    if as_json:
        print(json.dumps({"challenges": [asdict(one) for one in found]}))
    else:
        _print(found)
    if any(one.error for one in found):
        raise typer.Exit(1)


def _replayed(stored: StoredChallenge, deadline: float) -> Replayed:
    import time

    from tasks.client import submit
    from touchline_lab.evaluation.stored_challenge import same_answer

    def row(**found: Any) -> Replayed:
        return Replayed(stored.name, stored.challenge_id, stored.kind, **found)

    begun = time.monotonic()
    try:
        answer = submit(
            stored.video_url,
            image_url=stored.image_url,
            frames=stored.frames,
            kind=stored.kind,
            # an id of its own: the stored one may still have its answer in Redis
            challenge_id=f"replay-{secrets.token_hex(4)}-{stored.challenge_id}"[:200],
            deadline_s=deadline,
        ).wait()
    except Exception as error:  # noqa: BLE001 - what one file holds must not end the others' replay
        return row(error=f"{type(error).__name__}: {error}")
    seconds = time.monotonic() - begun
    try:
        ours, theirs = _scores(stored, answer.body)
        same = None if stored.answer is None else same_answer(stored.kind, stored.answer, answer.body)
    except Exception as error:  # noqa: BLE001 - the same
        return row(seconds=seconds, error=f"not to be compared: {error}")
    return row(seconds=seconds, ours=ours, stored=theirs, same=same)


def _scores(stored: StoredChallenge, body: bytes) -> tuple[float | None, float | None]:
    """The official score of our answer and of the stored one."""
    from touchline_lab.evaluation.official_score import score_prediction

    if stored.truth is None:
        return None, None
    ours = score_prediction(stored.kind, json.loads(body), stored.truth).total
    if stored.answer is None:
        return ours, None
    return ours, score_prediction(stored.kind, stored.answer, stored.truth).total


def _print(found: list[Replayed]) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table("challenge", "kind", "seconds", "our score", "stored score", "same answer", "error")
    for one in found:
        same = "" if one.same is None else ("yes" if one.same else "no")
        table.add_row(
            escape(one.challenge_id or one.name),
            escape(one.kind),
            _number(one.seconds, 2),
            _number(one.ours, 4),
            _number(one.stored, 4),
            same,
            escape(one.error),
        )
    stdout().print(table)


def _number(value: Any, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"
