"""What a frame costs on this machine, measured once at the start."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from services.challenges.kinds import ServedKind, ServedKinds
from services.concurrency import OrderedExecutor
from services.frame_plan import FramePlan
from services.pipeline.warm import FRAMES, noise_clip
from services.sampling.costs import PIXELS, Costs, rounded
from services.settings import Settings
from services.video.decode import DecodeLimits, open_clip
from services.video.letterbox import Frame
from services.video.source import MemorySource

ROUNDS: Final = 2
"""Each measurement is the smallest of this many runs: another process can only make one slower."""


def measure_costs(kinds: ServedKinds, settings: Settings) -> dict[str, Costs]:
    """Measure what each kind's frames cost, after `warm`; settings take precedence over what is measured.

    Raises:
        ChallengeError: A predictor failed.
    """
    configured = settings.inference_cost_ms / 1000, settings.decode_cost_ms / 1000
    data = b"" if all(configured) else noise_clip()
    costs: dict[str, Costs] = {}
    for name, served in kinds.kinds.items():
        inference, decode = configured if all(configured) else _measured(served, data, settings)
        costs[name] = Costs(configured[0] or rounded(inference), configured[1] or rounded(decode))
    return costs


def _measured(served: ServedKind, data: bytes, settings: Settings) -> tuple[float, float]:
    """Seconds per inferred and per decoded frame; the smallest of some rounds."""
    inference = decode = math.inf
    for _ in range(ROUNDS):
        clip = open_clip(MemorySource(data), DecodeLimits(FRAMES, PIXELS, settings.decode_threads))
        plan, box = served.kind.plan(clip, settings)
        every = replace(FramePlan(1, clip.count), full_luma=plan.full_luma)
        started = time.perf_counter()
        frames = list(clip.frames(every, box))
        decode = min(decode, (time.perf_counter() - started) / len(frames))
        batch = frames[: settings.batch_size]

        def predict(some: Sequence[Frame], box: Any = box) -> Sequence[Any]:
            return served.predictor.predict(some, box)

        done: list[Any] = []
        slots = OrderedExecutor(predict, done.extend, served.slots)
        started = time.perf_counter()
        try:
            for _ in range(served.slots):
                slots.submit(batch)
            slots.drain()
        finally:
            slots.close()
        inference = min(inference, (time.perf_counter() - started) / (len(batch) * served.slots))
    return inference, decode
