"""Which random seeds are for what. Declared once, so that no picture is both trained on and measured on."""

from __future__ import annotations

from typing import Final

__all__ = [
    "DEMO_SEED",
    "EVALUATION_SEEDS",
    "HELD_OUT_SEEDS",
    "TEST_SEED",
    "TRAINING_SEEDS",
    "VALIDATION_SEEDS",
]

DEMO_SEED: Final = 2031
"""The 30 s clip of the demonstration."""

TEST_SEED: Final = 18
"""The 4 s clip of the tests."""

EVALUATION_SEEDS: Final = range(3_000, 3_100)
"""Further clips to measure on; no training decision looks at them."""

HELD_OUT_SEEDS: Final = range(3_500, 3_600)
"""Clips that nothing is tuned on: no training decision, and no constant of tracks and fill."""

TRAINING_SEEDS: Final = range(100_000, 900_000)
"""Scenes whose frames the models are trained on."""

VALIDATION_SEEDS: Final = range(900_000, 901_000)
"""Scenes that training measures itself on."""
