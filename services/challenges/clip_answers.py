"""Challenge kinds whose answer is about a whole clip: a predictor infers frames, then concludes from all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from services.challenges.kind import Predictor
from services.errors import BrokenPlugin, InferenceError
from services.frame_plan import FramePlan
from services.inference.predictors import LoadedPredictor
from services.video.clip import Clip
from services.video.letterbox import Frame, Letterbox
from services.wire.challenge import Challenge
from services.wire.private_track import FPS, CricketPrediction, PrivateResponse, SoccerPrediction


@dataclass(frozen=True, slots=True)
class ClipFacts:
    """What is known of a clip once it has been read.

    Attributes:
        width: Of the source, pixels.
        height: Of the source, pixels.
        frames: Frames in the clip.
        stride: Distance of the sampled frames.
        fps: Frames per second.
    """

    width: int
    height: int
    frames: int
    stride: int
    fps: int = FPS


class ClipPredictor(Protocol):
    """A predictor for a whole clip. What `predict` returns for a frame is up to the predictor."""

    def predict(self, frames: Sequence[Frame], letterbox: Letterbox) -> Sequence[Any]:
        """One result for each frame of a batch; batches may come in several threads, and in any order."""

    def conclude(self, seen: Sequence[tuple[int, Any]], clip: ClipFacts) -> Any:
        """What the kind answers, from (frame number, result) by rising number."""


class NumberedPredictor:
    """Results with the numbers of their frames.

    Args:
        inner: What makes the results.

    Attributes:
        inner: The same.
    """

    def __init__(self, inner: ClipPredictor) -> None:
        self.inner = inner

    def predict(self, frames: Sequence[Frame], letterbox: Letterbox) -> list[tuple[int, Any]]:
        """See `Predictor`."""
        results = self.inner.predict(frames, letterbox)
        return [(frame.index, result) for frame, result in zip(frames, results, strict=True)]

    def conclude(self, seen: Sequence[tuple[int, Any]], clip: ClipFacts) -> Any:
        """What the predictor concludes."""
        return self.inner.conclude(seen, clip)


def clip_predictor(kind: str, loaded: LoadedPredictor) -> NumberedPredictor:
    """The predictor of a kind that has none of its own.

    Raises:
        BrokenPlugin: What PREDICTOR names has no `conclude`; the text says how to plug one in.
    """
    if not callable(getattr(loaded, "conclude", None)):
        raise BrokenPlugin(
            f"kind {kind!r} needs a predictor that is plugged in: install a distribution with an entry point "
            "in the group touchline.predictors whose predictor has predict() and conclude(), and set "
            f"PREDICTOR={kind}=its-name (docs/guides/challenge-kinds.md)"
        )
    return NumberedPredictor(loaded)  # type: ignore[arg-type]


class ClipAssembly:
    """An answer of the private track that is being put together.

    Args:
        challenge: The challenge.
        clip: The clip.
        plan: Its frame plan.
        predictor: What `clip_predictor` returned.
        accept: Makes a prediction of what the predictor concluded; a `ValueError` or `TypeError` says that it
            is none.
        first: What each result goes through as it arrives, in order.
    """

    def __init__(
        self,
        challenge: Challenge,
        clip: Clip,
        plan: FramePlan,
        predictor: Predictor[tuple[int, Any]],
        accept: Callable[[Any], SoccerPrediction | CricketPrediction],
        first: Callable[[Any], Any] = lambda result: result,
    ) -> None:
        if not isinstance(predictor, NumberedPredictor):
            raise TypeError(f"{predictor!r} was not made by this kind's predictor()")
        self._challenge = challenge
        self._clip = clip
        self._plan = plan
        self._predictor = predictor
        self._accept = accept
        self._first = first
        self._seen: list[tuple[int, Any]] = []
        self._prediction: SoccerPrediction | CricketPrediction

    def add(self, results: Sequence[tuple[int, Any]]) -> None:
        """See `Assembly`."""
        self._seen += [(number, self._first(result)) for number, result in results]

    def fill(self) -> Mapping[str, Any]:
        """See `Assembly`.

        Raises:
            InferenceError: The predictor failed, or what it concluded is not what the kind answers.
        """
        clip = self._clip
        pictures = [frame.frame_id for frame in self._challenge.pictures]
        seen = [(pictures[number] if pictures else number, result) for number, result in self._seen]
        facts = ClipFacts(clip.width, clip.height, clip.stats.count, self._plan.stride)
        concluded = self._predictor.conclude(seen, facts)
        try:
            self._prediction = self._accept(concluded)
        except (ValueError, TypeError) as error:
            raise InferenceError(
                f"what the predictor concluded is no answer to {self._challenge.kind!r}: {error}"
            ) from error
        return {}

    def encode(self, seconds: float) -> bytes:
        """See `Assembly`."""
        response = PrivateResponse(self._challenge.challenge_id, self._prediction, round(seconds, 3))
        return msgspec.json.encode(response)
