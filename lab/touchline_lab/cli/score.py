"""`touchline score`: the official score of answers, and what each part of it lost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from services.cli.console import stdout
from services.wire.private_track import ACTIONS, FPS

if TYPE_CHECKING:
    from rich.console import Console

STEP_S = 0.1
"""Seconds of delay whose price is shown."""


@dataclass(frozen=True, slots=True)
class Scored:
    """The score of one answer.

    Attributes:
        name: The answer's file.
        kind: The challenge kind.
        score: The official number, 0 to 1.
        reason: Why a validator cannot read the answer, or empty.
        losses: What each action or field lost of it; for `gsr`, what it would gain if this part were 1.
        counts: For `soccer_action`: the score before it is limited (`unlimited`), and how many actions were
            `matched`, `given` and `expected`.
        actions: For `soccer_action`: what became of each action of the answer and of the truth.
        timings: For `soccer_action`: by tenths of a second after the true action (negative: before it), how
            many actions were off by that, and what they lost.
        shifts: For `soccer_action`: the score if all actions came sooner or later.
        skipped: For `soccer_action`: names of the answer that are not names of actions.
    """

    name: str
    kind: str
    score: float
    reason: str
    losses: dict[str, Any]
    counts: dict[str, float] = field(default_factory=dict)
    actions: list[dict[str, Any]] = field(default_factory=list)
    timings: dict[str, dict[str, float]] = field(default_factory=dict)
    shifts: list[dict[str, float]] = field(default_factory=list)
    skipped: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """As JSON data; the counts stand beside the score."""
        found = asdict(self)
        del found["counts"]
        return found | self.counts


def score(
    answer: Annotated[
        Path,
        typer.Argument(exists=True, help="The answer, as JSON, or a folder of answers.", metavar="ANSWER"),
    ],
    truth: Annotated[
        Path,
        typer.Argument(
            exists=True,
            help="The ground truth, as JSON; for gsr the clip. A folder has files of the same names.",
            metavar="TRUTH",
        ),
    ],
    kind: Annotated[
        str, typer.Option(help="soccer_action, cricket_delivery, tcg_grading, or gsr (its keypoint score).")
    ] = "soccer_action",
    frames: Annotated[
        str, typer.Option(help="For gsr: START:STOP of the frames that are asked about; by default all.")
    ] = ":",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
) -> None:
    """Score answers as validators do, and show where the points went."""
    from touchline_lab.evaluation.clip_score import parse_frames
    from touchline_lab.evaluation.official_score import NotScorable

    try:
        asked = parse_frames(frames)
    except ValueError as error:
        raise typer.BadParameter(f"--frames: {error}") from error
    try:
        found = [_scored(kind, *pair, asked) for pair in _pairs(answer, truth)]
    except NotScorable as error:
        raise typer.BadParameter(str(error)) from error
    mean = sum(one.score for one in found) / len(found)
    if as_json:
        answers = [one.to_dict() for one in found]
        many = {"kind": kind, "score": mean, "answers": answers}
        print(json.dumps(many if answer.is_dir() else answers[0]))
    elif answer.is_dir():
        _print_many(found, mean)
    else:
        _print(found[0])


def _pairs(answer: Path, truth: Path) -> Iterator[tuple[Path, Path]]:
    """Answers with their ground truths: two files, or the files of two folders that have the same names."""
    if answer.is_dir() != truth.is_dir():
        raise typer.BadParameter("give two files or two folders")
    if not answer.is_dir():
        yield answer, truth
        return
    truths = {file.stem: file for file in truth.iterdir() if file.is_file()}
    files = sorted(answer.glob("*.json"))
    if not files:
        raise typer.BadParameter(f"{answer} has no JSON files")
    missing = [file.name for file in files if file.stem not in truths]
    if missing:
        raise typer.BadParameter(f"{truth} has nothing for {', '.join(missing)}")
    yield from ((file, truths[file.stem]) for file in files)


def _scored(kind: str, answer: Path, truth: Path, asked: slice) -> Scored:
    from touchline_lab.evaluation.action_score import ActionScore
    from touchline_lab.evaluation.official_score import score_prediction, score_shifts

    given, fault = _read(answer)
    fault = fault and f"the answer {fault}"
    if kind == "gsr":
        from touchline_lab.evaluation.clip_score import score_clip

        keypoints = score_clip(truth, given, asked)
        return Scored(answer.name, kind, keypoints.final, fault or keypoints.reason, keypoints.losses)
    true, unreadable = _read(truth)
    if unreadable:
        raise typer.BadParameter(f"{truth} {unreadable}")
    found = score_prediction(kind, given, true)
    reason = fault or found.reason
    if not isinstance(found, ActionScore):
        return Scored(answer.name, kind, found.total, reason, found.losses)
    return Scored(
        answer.name,
        kind,
        found.total,
        reason,
        {name: asdict(loss) for name, loss in sorted(found.losses.items())},
        {name: getattr(found, name) for name in ("unlimited", "matched", "given", "expected")},
        [asdict(outcome) for outcome in found.outcomes],
        {f"{tenths / 10:+.1f}": asdict(timing) for tenths, timing in found.timings.items()},
        [asdict(shift) for shift in score_shifts(given, true)],
        found.skipped,
    )


def _read(file: Path) -> tuple[Any, str]:
    """What a file says, or None and why that is not JSON, which for an answer is a time-out."""
    try:
        return json.loads(file.read_bytes()), ""
    except (ValueError, RecursionError) as error:
        return None, f"is not JSON: {error}"


def _print(found: Scored) -> None:
    from rich.table import Table

    console = stdout()
    console.print(f"official score of {found.name} ({found.kind}): {found.score:.4f}", markup=False)
    if found.reason:
        console.print(f"scores 0: {found.reason}", markup=False)
        return
    if found.kind == "soccer_action":
        _print_actions(found, console)
        return
    heading = "the score would gain" if found.kind == "gsr" else "lost"
    table = Table("part", heading, title="Points lost")
    for name, lost in found.losses.items():
        table.add_row(name, f"{lost:.4f}")
    console.print(table)


def _print_actions(found: Scored, console: Console) -> None:
    from rich.table import Table

    counts = found.counts
    console.print(
        f"{counts['unlimited']:.4f} before it is limited to 0 to 1; {counts['given']} actions given, "
        f"{counts['expected']} expected, {counts['matched']} matched"
    )
    if found.skipped:
        names = ", ".join(map(repr, found.skipped))
        console.print(
            f"skipped, for these are not names of actions: {names}; names: {', '.join(ACTIONS)}", markup=False
        )
    table = Table(
        "action", "answered at", "true at", "s late", "share earned", "lost", title="Each action, by frame"
    )
    table.columns[0].no_wrap = True
    for one in found.actions:
        late = (
            "missed" if one["given"] is None else "wrong" if one["true"] is None else f"{one['late_s']:+.2f}"
        )
        given, true = ("" if one[key] is None else str(one[key]) for key in ("given", "true"))
        table.add_row(one["action"], given, true, late, f"{one['share']:.3f}", f"{one['lost']:.4f}")
    console.print(table)

    table = Table(
        "action", "missed", "late", "wrong", f"{STEP_S:g} s late costs", title="Points lost by name"
    )
    for name, loss in found.losses.items():
        rule = ACTIONS[name]
        price = rule.weight * (1 - rule.min_score) * STEP_S / rule.tolerance_s
        parts = [f"{loss[part]:.4f}" for part in ("missed", "late", "wrong")]
        table.add_row(name, *parts, f"{price:.3f} of a weight of {rule.weight:g}")
    console.print(table)

    table = Table("seconds late", "actions", "lost", title="Points lost by timing")
    for seconds, timing in found.timings.items():
        table.add_row(seconds, str(timing["actions"]), f"{timing['lost']:.4f}")
    console.print(table)

    table = Table(
        "seconds later",
        "in frames",
        "score",
        "not limited",
        title=f"If all actions came sooner or later ({FPS} fps)",
    )
    for shift in found.shifts:
        scores = (f"{shift[name]:.4f}" for name in ("score", "unlimited"))
        table.add_row(f"{shift['seconds']:+.1f}", f"{shift['frames']:+d}", *scores)
    console.print(table)


def _print_many(found: list[Scored], mean: float) -> None:
    from rich.markup import escape
    from rich.table import Table

    actions = found[0].kind == "soccer_action"
    columns = ("matched", "given", "expected") if actions else ()
    table = Table("answer", "score", *columns, "scores 0 because", title=f"Official scores ({found[0].kind})")
    for one in found:
        numbers = [str(one.counts[column]) for column in columns]
        table.add_row(escape(one.name), f"{one.score:.4f}", *numbers, escape(one.reason))
    console = stdout()
    console.print(table)
    console.print(f"mean of {len(found)} answers: {mean:.4f}; each in detail: one by one, or --json")
