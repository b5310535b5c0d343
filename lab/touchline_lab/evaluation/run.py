"""Evaluates every stride on every scene, and checks the targets."""

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
from touchline_lab.evaluation.ground_truth_predictor import GroundTruthPredictor
from touchline_lab.evaluation.inferred_clip import (
    InferredClip,
    answer_by_pipeline,
    answer_by_plan,
    infer_clip,
)
from touchline_lab.evaluation.measure import Measures, detector_ap50, measure
from touchline_lab.renderer.clip import GroundTruth

__all__ = ["Evaluation", "Material", "Row", "Target", "evaluate", "finest_within", "summary", "targets"]

CLIP_FRAMES: Final = 750
"""Frames of the clip that reported times refer to: the length of real challenges."""

MEAN: Final = "mean"
"""The name of the rows over all scenes."""

FINE: Final = 1
"""The stride that the targets compare with."""
COARSE: Final = 6
"""The stride that the targets are about: the default."""
F1_LOSS: Final = 0.02
"""How much less F1 the coarse stride may have."""
KEYPOINT_LOSS: Final = 0.01
"""How much less keypoint score the coarse stride may have."""
IDF1_KEPT: Final = 0.90
"""Share of the fine stride's IDF1 that the coarse stride has to keep."""


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """A clip with its ground truth.

    Attributes:
        name: Name of the scene in reports.
        data: The video file.
        truth: Its ground truth.
        ids: The id of each true box, frame by frame; None if they are not known.
    """

    name: str
    data: bytes
    truth: GroundTruth
    ids: Sequence[Sequence[int]] | None


@dataclass(frozen=True, slots=True)
class Row:
    """The measures of one scene at one stride.

    Attributes:
        scene: Name of the scene.
        stride: Distance of the sampled frames.
        sampled: Number of sampled frames.
        seconds: CPU seconds divided by the cores, for a clip of 750 frames, without network.
        measures: The measures of the answer.
    """

    scene: str
    stride: int
    sampled: float
    seconds: float
    measures: Measures

    def to_dict(self) -> dict[str, Any]:
        """As JSON data, without nesting."""
        own = {"scene": self.scene, "stride": self.stride, "sampled": self.sampled, "seconds": self.seconds}
        return {**own, **self.measures.to_dict()}


@dataclass(frozen=True, slots=True)
class Target:
    """A claim about the means over all scenes.

    Attributes:
        name: The claim.
        ok: Whether it holds.
        detail: The measured values.
    """

    name: str
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Everything that was measured.

    Attributes:
        rows: The measures by scene and stride.
        detector_ap50: AP50 of the detector's boxes over all frames, by scene and class.
        repeats: Whether the same clip gave the same bytes twice.
    """

    rows: tuple[Row, ...]
    detector_ap50: dict[str, dict[str, float | None]]
    repeats: bool

    def to_dict(self) -> dict[str, Any]:
        """As JSON data."""
        return {
            "rows": [row.to_dict() for row in self.rows],
            "mean": [row.to_dict() for row in summary(self.rows)],
            "detector_ap50": self.detector_ap50,
            "targets": [asdict(target) for target in targets(self)],
        }


class Progress(Protocol):
    """Receives the progress of inference."""

    def __call__(self, scene: str, done: int, total: int) -> None:
        """Receive the number of frames of a scene that are done, and of all its frames."""


def evaluate(
    materials: Iterable[Material],
    strides: Sequence[int],
    models: Predictor[FrameResult] | None,
    settings: Settings,
    progress: Progress | None = None,
) -> Evaluation:
    """Evaluate every stride on every clip.

    Args:
        materials: The clips, which are read one at a time.
        strides: The strides.
        models: The models, warm; None uses the ground truth instead of models.
        settings: Everything else that decides an answer.
        progress: Called after every inferred batch.

    Raises:
        ChallengeError: A clip cannot be read, or a model failed.
        TouchlineError: A ground truth does not belong to its clip.
    """
    rows: list[Row] = []
    ap50: dict[str, dict[str, float | None]] = {}
    repeats: bool | None = None
    for material in materials:
        predictor = models or GroundTruthPredictor(material.truth)
        if repeats is None:
            repeats = _repeats(material, predictor, settings)
        inferred = infer_clip(material.data, predictor, settings, _of_scene(progress, material.name))
        _check(material, inferred)
        ap50[material.name] = detector_ap50(inferred.results, material.truth)
        for stride in strides:
            answer = answer_by_plan(inferred, predictor, settings.model_copy(update={"frame_stride": stride}))
            scale = CLIP_FRAMES / max(1, len(material.truth.frames)) / (os.cpu_count() or 1)
            seconds = answer.cpu_s * scale
            found = measure(answer.frames, material.truth, material.ids, seconds)
            rows.append(Row(material.name, stride, answer.sampled, seconds, found))
    return Evaluation(tuple(rows), ap50, bool(repeats))


def _of_scene(progress: Progress | None, scene: str) -> Callable[[int, int], None] | None:
    return None if progress is None else lambda done, total: progress(scene, done, total)


def _check(material: Material, inferred: InferredClip) -> None:
    truth, clip = material.truth, inferred.clip
    expected = (truth.width, truth.height, len(truth.frames))
    actual = (clip.width, clip.height, clip.stats.count)
    if expected != actual:
        raise TouchlineError(
            f"{material.name}: the ground truth is for {expected[0]}x{expected[1]} and {expected[2]} frames, "
            f"the clip has {actual[0]}x{actual[1]} and {actual[2]}"
        )


def _repeats(material: Material, models: Predictor[FrameResult], settings: Settings) -> bool:
    """Whether two runs of the whole pipeline give the same bytes."""
    once, again = (frames_part(answer_by_pipeline(material.data, models, settings)) for _ in range(2))
    return once == again


def summary(rows: Sequence[Row]) -> list[Row]:
    """The mean over all scenes at each stride; of errors in pixels the median, because some may be huge."""
    return [
        _mean([row for row in rows if row.stride == stride]) for stride in sorted({r.stride for r in rows})
    ]


def _mean(rows: Sequence[Row]) -> Row:
    values: dict[str, Any] = {}
    for field in fields(Measures):
        known = [v for row in rows if (v := getattr(row.measures, field.name)) is not None]
        # a single scene whose pitch is not found would dominate a mean of errors
        middle = median if field.name.endswith("_px") else fmean
        values[field.name] = middle(known) if known else None
    return Row(
        MEAN,
        rows[0].stride,
        sum(row.sampled for row in rows) / len(rows),
        sum(row.seconds for row in rows) / len(rows),
        Measures(**values),
    )


def finest_within(rows: Sequence[Row], budget: float) -> Row | None:
    """The smallest stride whose mean time is within a budget in seconds; None if there is none."""
    within = [row for row in summary(rows) if row.seconds <= budget]
    return min(within, key=lambda row: row.stride, default=None)


def targets(evaluation: Evaluation) -> list[Target]:
    """Check what sampling every sixth frame may cost; only if strides 1 and 6 were both measured."""
    claims = [
        Target("the same clip gives the same bytes", evaluation.repeats, "two runs of the whole pipeline")
    ]
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
    keypoint_loss = fine.keypoint_score - coarse.keypoint_score
    claims.append(
        Target(
            f"stride {COARSE} loses at most 1 point of keypoint score",
            keypoint_loss <= KEYPOINT_LOSS,
            f"{fine.keypoint_score:.3f} -> {coarse.keypoint_score:.3f} ({-100 * keypoint_loss:+.1f} points)",
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
