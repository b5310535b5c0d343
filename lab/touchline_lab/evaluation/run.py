"""Every stride on every scene, and what that says about the targets."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from statistics import fmean, median
from typing import Any, Final, Protocol

from services.challenges.kind import Predictor
from services.errors import TouchlineError
from services.results import FrameResult
from services.settings import Settings
from services.wire.gsr import frames_part
from touchline_lab.evaluation.inferred_clip import (
    InferredClip,
    answer_by_pipeline,
    answer_by_plan,
    infer_clip,
)
from touchline_lab.evaluation.measure import Measures, measure, raw_ap50
from touchline_lab.evaluation.truthful import Truthful
from touchline_lab.renderer.clip import GroundTruth

__all__ = ["Evaluation", "Material", "Row", "Target", "evaluate", "fits", "summary", "targets"]

CLIP_FRAMES: Final = 750
"""Times are told for a clip of this length, that of the real challenges."""

MEAN: Final = "mean"
"""The name of the rows over all scenes."""

FINE: Final = 1
COARSE: Final = 6
F1_LOSS: Final = 0.02
KEYPOINT_LOSS: Final = 0.01
IDF1_KEPT: Final = 0.90


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """A clip to measure on.

    Attributes:
        name: What reports call it.
        data: The video file.
        truth: What is true in it.
        ids: Who each true box is, frame by frame; None where that is not known.
    """

    name: str
    data: bytes
    truth: GroundTruth
    ids: Sequence[Sequence[int]] | None


@dataclass(frozen=True, slots=True)
class Row:
    """One scene at one stride.

    Attributes:
        scene: Its name.
        stride: Distance of the inferred frames.
        sampled frames: Their number.
        seconds: CPU seconds over the cores, for a clip of 750 frames, the network apart.
        measures: How good the answer is.
    """

    scene: str
    stride: int
    samples: float
    seconds: float
    measures: Measures

    def to_dict(self) -> dict[str, Any]:
        """As flat JSON data."""
        own = {"scene": self.scene, "stride": self.stride, "samples": self.samples, "seconds": self.seconds}
        return {**own, **self.measures.to_dict()}


@dataclass(frozen=True, slots=True)
class Target:
    """A claim about the mean over all scenes, and whether it holds."""

    name: str
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Everything that was measured.

    Attributes:
        rows: By scene and stride.
        raw: AP50 of the detector's own boxes at the finest plan, by scene and class.
        repeats: Whether the same clip gave the same answer twice.
    """

    rows: tuple[Row, ...]
    raw: dict[str, dict[str, float | None]]
    repeats: bool

    def to_dict(self) -> dict[str, Any]:
        """As JSON data."""
        return {
            "rows": [row.to_dict() for row in self.rows],
            "mean": [row.to_dict() for row in summary(self.rows)],
            "detector_ap50": self.raw,
            "targets": [asdict(target) for target in targets(self)],
        }


class Report(Protocol):
    """What is told while frames are inferred."""

    def __call__(self, scene: str, done: int, total: int) -> None:
        """So many frames of a scene are done."""


def evaluate(
    materials: Iterable[Material],
    strides: Sequence[int],
    models: Predictor[FrameResult] | None,
    settings: Settings,
    report: Report | None = None,
) -> Evaluation:
    """Measure.

    Args:
        materials: The clips; taken one at a time.
        strides: The plans.
        models: The models, warm; None takes the truth itself for what they say.
        settings: Everything else that decides an answer.
        report: Called while frames are inferred.

    Raises:
        ChallengeError: A clip cannot be read, or a model failed.
        TouchlineError: A truth is that of another clip.
    """
    rows: list[Row] = []
    raw: dict[str, dict[str, float | None]] = {}
    repeats: bool | None = None
    for material in materials:
        predictor = models or Truthful(material.truth)
        if repeats is None:
            repeats = _repeats(material, predictor, settings)
        inferred = infer_clip(material.data, predictor, settings, _told(report, material.name))
        _check(material, inferred)
        raw[material.name] = raw_ap50(inferred.results, material.truth)
        for stride in strides:
            given = answer_by_plan(inferred, predictor, settings.model_copy(update={"frame_stride": stride}))
            scale = CLIP_FRAMES / max(1, len(material.truth.frames)) / (os.cpu_count() or 1)
            seconds = given.cpu_s * scale
            found = measure(given.frames, material.truth, material.ids, seconds)
            rows.append(Row(material.name, stride, given.samples, seconds, found))
    return Evaluation(tuple(rows), raw, bool(repeats))


def _told(report: Report | None, scene: str) -> Callable[[int, int], None] | None:
    return None if report is None else lambda done, total: report(scene, done, total)


def _check(material: Material, inferred: InferredClip) -> None:
    truth, clip = material.truth, inferred.clip
    told = (truth.width, truth.height, len(truth.frames))
    seen = (clip.width, clip.height, clip.stats.count)
    if told != seen:
        raise TouchlineError(
            f"{material.name}: the truth is of {told[0]}x{told[1]} and {told[2]} frames, "
            f"the clip of {seen[0]}x{seen[1]} and {seen[2]}"
        )


def _repeats(material: Material, models: Predictor[FrameResult], settings: Settings) -> bool:
    """Whether two walks the whole way give the same bytes."""
    once, again = (frames_part(answer_by_pipeline(material.data, models, settings)) for _ in range(2))
    return once == again


def summary(rows: Sequence[Row]) -> list[Row]:
    """The mean (of distances the median) over all scenes at every stride, of what could be measured."""
    return [
        _mean([row for row in rows if row.stride == stride]) for stride in sorted({r.stride for r in rows})
    ]


def _mean(rows: Sequence[Row]) -> Row:
    values: dict[str, Any] = {}
    for field in fields(Measures):
        known = [v for row in rows if (v := getattr(row.measures, field.name)) is not None]
        # one scene whose pitch is not found at all would drown the distances of all others
        middle = median if field.name.endswith("_px") else fmean
        values[field.name] = middle(known) if known else None
    return Row(
        MEAN,
        rows[0].stride,
        sum(row.samples for row in rows) / len(rows),
        sum(row.seconds for row in rows) / len(rows),
        Measures(**values),
    )


def fits(rows: Sequence[Row], budget: float) -> Row | None:
    """The finest plan whose mean time is within a budget, in seconds; None where none is."""
    within = [row for row in summary(rows) if row.seconds <= budget]
    return min(within, key=lambda row: row.stride, default=None)


def targets(evaluation: Evaluation) -> list[Target]:
    """What sampling every sixth frame may cost; told only where both strides were measured."""
    claims = [Target("the same clip gives the same bytes", evaluation.repeats, "two runs, the whole way")]
    means = {row.stride: row.measures for row in summary(evaluation.rows)}
    if FINE not in means or COARSE not in means:
        return claims
    fine, coarse = means[FINE], means[COARSE]
    lost = fine.f1 - coarse.f1
    claims.append(
        Target(
            f"stride {COARSE} loses at most 2 points of F1",
            lost <= F1_LOSS,
            f"{fine.f1:.3f} -> {coarse.f1:.3f} ({-100 * lost:+.1f} points)",
        )
    )
    blurred = fine.keypoint_score - coarse.keypoint_score
    claims.append(
        Target(
            f"stride {COARSE} loses at most 1 point of keypoint score",
            blurred <= KEYPOINT_LOSS,
            f"{fine.keypoint_score:.3f} -> {coarse.keypoint_score:.3f} ({-100 * blurred:+.1f} points)",
        )
    )
    if fine.idf1 is not None and coarse.idf1 is not None:
        claims.append(
            Target(
                f"stride {COARSE} keeps 0.90 of IDF1",
                coarse.idf1 >= IDF1_KEPT * fine.idf1,
                f"{fine.idf1:.3f} -> {coarse.idf1:.3f} ({coarse.idf1 / max(fine.idf1, 1e-9):.2f})",
            )
        )
    return claims
