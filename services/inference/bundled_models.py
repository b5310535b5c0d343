"""The models that ship with the project, by the names that settings use.

To add one: put `NAME.pt` and the `NAME.int8.xml` and `.bin` that
`python -m touchline_lab.training.quantize weights/NAME.pt` makes of it into `weights/`, and add it to
`BUNDLED_MODELS`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

PACKAGE: Final = "touchline-weights"
"""The distribution that holds the weights; in a clone of the project they lie in the source tree."""
WEIGHTS: Final = Path(__file__).parent / "weights"
"""The folder of all bundled weights, those of the ball network among them."""


@dataclass(frozen=True, slots=True)
class BundledModel:
    """A model of the project's own.

    Attributes:
        name: As a setting names it.
        setting: The setting that it is made for.
        trained_on: The pictures that it was trained on, for people who choose between models.
    """

    name: str
    setting: Literal["DETECTOR_MODEL", "PITCH_MODEL", "BALL_MODEL"]
    trained_on: str

    @property
    def path(self) -> Path:
        """The weights for torch; what OpenVINO runs lies beside them."""
        return WEIGHTS / f"{self.name}.pt"


BUNDLED_MODELS: Final = {
    model.name: model
    for model in (
        BundledModel("touchline-detect", "DETECTOR_MODEL", "real and rendered matches"),
        BundledModel("touchline-pitch", "PITCH_MODEL", "real and rendered matches"),
        BundledModel(
            "touchline-detect-rendered", "DETECTOR_MODEL", "rendered matches only, for IMG_SIZE=384"
        ),
        BundledModel("touchline-pitch-rendered", "PITCH_MODEL", "rendered matches only, for IMG_SIZE=384"),
    )
}
