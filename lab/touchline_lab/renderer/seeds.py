"""The random seeds of each purpose, in one place, so that no picture is both trained on and measured on."""

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
"""Seed of the clip of the demonstration, 30 s."""

TEST_SEED: Final = 18
"""Seed of the clip of the tests, 4 s."""

EVALUATION_SEEDS: Final = range(3_000, 3_100)
"""Seeds of the scenes of the evaluation. Constants were tuned on them, but no decision of the training."""

HELD_OUT_SEEDS: Final = range(3_500, 3_600)
"""Seeds of held-out scenes: neither decisions of the training nor constants of tracking depend on them."""

TRAINING_SEEDS: Final = range(100_000, 900_000)
"""Seeds of the scenes that models are trained on."""

VALIDATION_SEEDS: Final = range(900_000, 901_000)
"""Seeds of the scenes that models are validated on during training."""
