"""What a challenge kind is: it plans the sampled frames, chooses a predictor, and assembles an answer."""

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
    """Turns sampled frames into results; called from up to `slots` threads at once."""

    def predict(self, frames: Sequence[Frame], letterbox: Letterbox) -> Sequence[Made]:
        """One result for each frame of a batch."""


class Assembly(Protocol[Used]):
    """An answer that is being put together; only one thread uses it."""

    def add(self, results: Sequence[Used]) -> None:
        """Take the results of the next frames, by rising frame number, while later ones are inferred."""

    def fill(self) -> Mapping[str, Any]:
        """All results are there: interpolate the frames between; returns facts for the timeline."""

    def encode(self, seconds: float) -> bytes:
        """The bytes for the validator.

        Args:
            seconds: The time it took so far.
        """


class Kind(Protocol[Result]):
    """One challenge kind. Its `name` is what a challenge asks for."""

    name: str

    def plan(self, clip: Clip, settings: Settings) -> tuple[FramePlan, Letterbox]:
        """The frame plan, and the size of the models' input."""

    def predictor(self, loaded: LoadedPredictor) -> Predictor[Result]:
        """The predictor of this kind, from the one that PREDICTOR names.

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
        """Begin an answer; `predictor` is the one that infers the clip's frames."""
