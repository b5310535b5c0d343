"""The claims of the demo: each fails if it does not hold."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import msgspec
import pytest

from services.wire.gsr import GsrFrame, GsrObject, GsrResponse
from services.wire.reply import Answer
from touchline_lab.demo.checks import checks, goals, score
from touchline_lab.demo.run import DemoResult, Run, save
from touchline_lab.demo_origin.server import SEED_DELAYS
from touchline_lab.renderer.clip import FrameTruth, GroundTruth
from touchline_lab.renderer.clip_store import StoredClip

BOX = (100.0, 200.0, 150.0, 300.0)
POINTS = [(float(10 * i + 5), 50.0) for i in range(32)]
TRUTH = GroundTruth(1, 25, 1280, 720, [FrameTruth([(2, *BOX)], POINTS, [(1.0, 0.0, 0.0)] * 3)] * 3)


def frames(count: int = 3, points: int = 32, shift: float = 0.0) -> list[GsrFrame]:
    moved = [(x + shift, y) for x, y in POINTS][:points]
    return [GsrFrame(number, moved, [GsrObject(1, BOX, 2)]) for number in range(count)]


def run(answered: list[GsrFrame], waited: float, handshakes: int, partial: bool = False) -> Run:
    span = {"start": 0.0, "end": waited, "busy": waited}
    timeline: dict[str, Any] = {"stages": {"first_byte": span}, "facts": {}, "total": 1.0}
    body = msgspec.json.encode(GsrResponse("x", answered, 1.0))
    return Run(Answer("x", body, partial, timeline), 1.0, handshakes, handshakes)


def result(answered: list[GsrFrame] | None = None, **changes: Any) -> DemoResult:
    both = frames() if answered is None else answered
    whole = DemoResult(
        StoredClip(Path("clip.mp4"), TRUTH), run(both, 2.45, 1), run(both, 0.03, 0), SEED_DELAYS
    )
    return dataclasses.replace(whole, **changes)


def failed(found: DemoResult) -> list[str]:
    return [check.name for check in checks(found) if not check.ok]


def test_a_good_result_fulfils_all_claims_and_reaches_the_goals() -> None:
    assert failed(result()) == []
    assert [goal.ok for goal in goals(score(result()))] == [True, True]


@pytest.mark.parametrize(
    ("found", "name"),
    [
        (result(frames(2)), "every frame is answered"),
        (result(frames(points=31)), "32 keypoints in every frame"),
        (result(warm=run(frames(), 0.03, 0, partial=True)), "the answer is complete"),
        (result(cold=run(frames(shift=1.0), 2.45, 1)), "cold and warm answer are the same"),
        (result(warm=run(frames(), 0.03, 1)), "the warm challenge reused its connection"),
        (result(warm=run(frames(), 1.6, 0)), "the warm challenge saved the set-up delay of the origin"),
    ],
)
def test_each_claim_can_fail(found: DemoResult, name: str) -> None:
    assert failed(found) == [name]


def test_missed_goals_are_reported() -> None:
    assert [goal.ok for goal in goals(score(result(frames(shift=16.0))))] == [True, False]
    empty = [GsrFrame(number, [(0.0, 0.0)] * 32, []) for number in range(3)]
    assert [goal.ok for goal in goals(score(result(empty)))] == [False, False]


def test_the_fingerprint_depends_on_the_frames_alone() -> None:
    same = run(frames(), 9.0, 1)
    other = run(frames(shift=1.0), 2.45, 1)
    assert result().cold.fingerprint() == result().warm.fingerprint() == same.fingerprint()
    assert other.fingerprint() != same.fingerprint()


def test_answer_and_timelines_are_written(tmp_path: Path) -> None:
    answer, timelines = save(result(), tmp_path / "out")
    assert answer.read_bytes() == result().warm.answer.body
    data = msgspec.json.decode(timelines.read_bytes())
    assert data["cold"]["handshakes"] == 1
    assert data["warm"]["timeline"]["stages"]["first_byte"]["end"] == 0.03
