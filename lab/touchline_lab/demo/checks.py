"""Checks what the demo claims about its two answers."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import msgspec

from services.cli.timeline_table import stage_seconds
from services.wire.gsr import KEYPOINTS_PER_FRAME
from touchline_lab.demo.run import DemoResult, Run
from touchline_lab.evaluation.scoring import Score, score_answer

BUSY_S = 1.0
"""Seconds that a busy machine may add until the first byte of the warm challenge: less than the delay."""
PEOPLE_GOAL = 0.80
"""Recall and precision of people that the bundled models are meant to reach, at an IoU of 0.5."""
KEYPOINT_GOAL_PX = 15.0
"""Median error of keypoints, in source pixels, that the bundled models are meant to stay below."""


@dataclass(frozen=True, slots=True)
class Check:
    """One claim, and whether it holds.

    Attributes:
        name: The claim.
        ok: Whether it holds.
        detail: The numbers that decide it.
    """

    name: str
    ok: bool
    detail: str

    def as_dict(self) -> dict[str, Any]:
        """As JSON data."""
        return asdict(self)


def connection_seconds(run: Run) -> float:
    """Seconds of `connect` and `first_byte`: from the start of the work to the first byte of the clip."""
    stages = (stage_seconds(run.answer.timeline, name) for name in ("connect", "first_byte"))
    return sum(seconds or 0.0 for seconds in stages)


def checks(result: DemoResult) -> list[Check]:
    """Check the claims that hold in every working system, whatever the models find."""
    cold, warm = result.cold.response(), result.warm.response()
    frame_count = len(result.clip.truth.frames)
    numbers = [frame.frame_number for frame in warm.frames]
    counts = {len(frame.keypoints) for frame in warm.frames}
    saved = connection_seconds(result.cold) - connection_seconds(result.warm)
    return [
        Check(
            "every frame is answered", numbers == list(range(frame_count)), f"{len(numbers)} of {frame_count}"
        ),
        Check(
            "32 keypoints in every frame",
            counts == {KEYPOINTS_PER_FRAME},
            ", ".join(str(count) for count in sorted(counts)),
        ),
        Check("the answer is complete", not result.warm.answer.partial, ""),
        Check(
            "cold and warm answer are the same",
            cold.frames == warm.frames,
            f"{len(result.warm.answer.body)} bytes",
        ),
        Check(
            "the warm challenge reused its connection",
            result.warm.handshakes == 0 and result.warm.connections == 0,
            f"handshakes: cold {result.cold.handshakes}, warm {result.warm.handshakes}",
        ),
        Check(
            "the warm challenge saved the set-up delay of the origin",
            saved >= result.delays.total - BUSY_S,
            f"first byte {saved:.2f} s sooner; the delay is {result.delays.total:.1f} s",
        ),
    ]


def score(result: DemoResult) -> Score:
    """Compare the warm answer with the ground truth."""
    frames = msgspec.json.decode(result.warm.answer.body)["frames"]
    return score_answer(frames, result.clip.truth)


def goals(found: Score) -> list[Check]:
    """Check the accuracy that the bundled models are meant to reach."""
    people = found.objects["people"]
    error = found.keypoints.median_error
    return [
        Check(
            "people: recall and precision of at least 0.80",
            min(people.recall, people.precision) >= PEOPLE_GOAL,
            f"recall {people.recall:.2f}, precision {people.precision:.2f} at IoU 0.5",
        ),
        Check(
            "keypoints: at most 15 px off in the median",
            error <= KEYPOINT_GOAL_PX,
            f"{error:.1f} px, recall {found.keypoints.recall:.2f}",
        ),
    ]
