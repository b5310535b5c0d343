"""The models that ship with the project, by the names that settings use.

To add one: put `NAME.pt` and the `NAME.int8.xml` and `.bin` that
`python -m touchline_lab.training.quantize weights/NAME.pt` makes of it into `weights/`, and add it to
`BUNDLED_MODELS`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

PACKAGE: Final = "touchline-weights"
"""The distribution that holds the weights; in a clone of the project they lie in the source tree."""
WEIGHTS: Final = Path(__file__).parent / "weights"
"""The folder of all bundled weights, those of the ball network among them."""


BUNDLED_MODELS: Final = {
    name: WEIGHTS / f"{name}.pt"
    for name in (
        "touchline-detect",
        "touchline-pitch",
        "touchline-detect-rendered",
        "touchline-pitch-rendered",
    )
}
"""The weights for torch by the names that settings use; what OpenVINO runs lies beside them."""
