"""What a challenge kind is: which frames it looks at, with what, and how an answer comes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeVar

from services.frame_plan import FramePlan
from services.inference.predictors import LoadedPredictor
from services.settings import Settings
from services.video.decode import Clip
from services.video.letterbox import Frame, Letterbox
from services.wire.challenge import Challenge

Result = TypeVar("Result")
Made = TypeVar("Made", covariant=True)
Used = TypeVar("Used", contravariant=True)


class Predictor(Protocol[Made]):
    """What looks at the frames; called from as many threads at once as the predictor has lanes."""

    def predict(self, frames: Sequence[Frame], box: Letterbox) -> Sequence[Made]:
        """One result for each frame of a batch."""


class Assembly(Protocol[Used]):
    """An answer being put together, in one thread."""

    def add(self, results: Sequence[Used]) -> None:
        """Take the next frames' results, by rising frame number, while later ones are being inferred."""

    def fill(self) -> Mapping[str, Any]:
        """All results are there: work out the frames between; gives facts for the timeline."""

    def encode(self, seconds: float) -> bytes:
        """The bytes for the validator.

        Args:
            seconds: The time it took so far.
        """


class Kind(Protocol[Result]):
    """One challenge kind. Its `name` is what a challenge asks for."""

    name: str

    def plan(self, clip: Clip, settings: Settings) -> tuple[FramePlan, Letterbox]:
        """Which frames are looked at, and at what size."""

    def predictor(self, loaded: LoadedPredictor) -> Predictor[Result]:
        """What looks at them, from what PREDICTOR names.

        Raises:
            BrokenPlugin: This kind cannot be answered with it; stops the start.
        """

    def assemble(
        self,
        challenge: Challenge,
        clip: Clip,
        plan: FramePlan,
        settings: Settings,
        predictor: Predictor[Result],
    ) -> Assembly[Result]:
        """Begin an answer; `predictor` is what looks at the frames of the clip."""
