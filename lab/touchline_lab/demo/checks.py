"""What the demo claims about its two answers, checked."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import msgspec

from services.cli.timeline_table import stage_seconds
from services.wire.gsr import KEYPOINTS_PER_FRAME
from touchline_lab.demo.run import DemoResult, Run
from touchline_lab.evaluation.scoring import Score, score_answer

CLOCK_NOISE_S = 0.1
"""What a busy machine may add to the warm challenge's waiting for its first byte."""
PEOPLE_GOAL = 0.80
KEYPOINT_GOAL_PX = 15.0


@dataclass(frozen=True, slots=True)
class Check:
    """One claim.

    Attributes:
        name: What is claimed.
        ok: Whether it holds.
        detail: The numbers.
    """

    name: str
    ok: bool
    detail: str

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for `--json`."""
        return asdict(self)


def connection_seconds(run: Run) -> float:
    """From the start of the work to the first byte of the clip: set-up of the connection and waiting."""
    stages = (stage_seconds(run.answer.timeline, name) for name in ("connect", "first_byte"))
    return sum(seconds or 0.0 for seconds in stages)


def checks(result: DemoResult) -> list[Check]:
    """The claims that a working system always fulfils."""
    cold, warm = result.cold.response(), result.warm.response()
    wanted = len(result.clip.truth.frames)
    numbers = [frame.frame_number for frame in warm.frames]
    counts = {len(frame.keypoints) for frame in warm.frames}
    saved = connection_seconds(result.cold) - connection_seconds(result.warm)
    return [
        Check("every frame is answered", numbers == list(range(wanted)), f"{len(numbers)} of {wanted}"),
        Check(
            "32 keypoints in every frame",
            counts == {KEYPOINTS_PER_FRAME},
            ", ".join(str(count) for count in sorted(counts)),
        ),
        Check("nothing was cut short", not result.warm.answer.partial, ""),
        Check(
            "both answers are the same", cold.frames == warm.frames, f"{len(result.warm.answer.body)} bytes"
        ),
        Check(
            "the warm challenge reused its connection",
            result.warm.handshakes == 0 and result.warm.connections == 0,
            f"handshakes: cold {result.cold.handshakes}, warm {result.warm.handshakes}",
        ),
        Check(
            "cold minus warm is the origin's set-up delay",
            saved >= result.delays.total - CLOCK_NOISE_S,
            f"{saved:.2f} s to the first byte; the delay is {result.delays.total:.1f} s",
        ),
    ]


def score(result: DemoResult) -> Score:
    """The warm answer against the truth."""
    frames = msgspec.json.decode(result.warm.answer.body)["frames"]
    return score_answer(frames, result.clip.truth)


def goals(found: Score) -> list[Check]:
    """The accuracy that the bundled models are meant to reach."""
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
