"""Warming a process: everything that a challenge runs is run once before the first one comes."""

from __future__ import annotations

import io
import time
from typing import Any

import av
import numpy as np

from services.challenges.kinds import ServedKind, ServedKinds
from services.errors import BrokenPlugin, TouchlineError
from services.settings import Settings
from services.video.decode import DecodeLimits, open_clip
from services.video.source import MemorySource
from services.wire.challenge import Challenge

FRAMES = 30
"""Frames of the made-up clip, enough for a batch of the largest default size."""


def warm(kinds: ServedKinds, settings: Settings) -> float:
    """Run every batch size, then for each kind a synthetic clip from its bytes to an answer.

    Libraries load parts of themselves at first use (convolution kernels per shape, codecs, suppression,
    assignment), which would otherwise cost the first challenge seconds.

    Returns:
        Seconds it took.
    """
    started = time.perf_counter()
    for predictor in kinds.predictors.values():
        predictor.warm(settings)
    data = noise_clip()
    for served in kinds.kinds.values():
        try:
            _answer(served, data, settings)
        except TouchlineError:
            raise
        except Exception as error:  # noqa: BLE001 - kinds and predictors may be plug-ins
            raise BrokenPlugin(
                f"kind {served.kind.name!r} cannot answer a made-up clip with "
                f"PREDICTOR={settings.predictor_for(served.kind.name)}: {type(error).__name__}: {error}"
            ) from error
    return time.perf_counter() - started


def _answer(served: ServedKind, data: bytes, settings: Settings) -> None:
    clip = open_clip(MemorySource(data), DecodeLimits(FRAMES, 1280 * 720, settings.decode_threads))
    kind, predictor = served.kind, served.predictor
    plan, box = kind.plan(clip, settings)
    challenge = Challenge(
        challenge_id="warm-up", video_url="", kind=kind.name, deadline=0.0, submitted_at=0.0
    )
    assembly = kind.assemble(challenge, clip, plan, settings, predictor)
    assembly.add(predictor.predict(list(clip.frames(plan, box)), box))
    assembly.fill()
    assembly.encode(0.0)


def noise_clip() -> bytes:
    """A second of 1280x720 H.264 noise, always the same."""
    file = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 255, (90, 160, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    with av.open(file, "w", format="mp4") as container:
        stream: Any = container.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 1280, 720, "yuv420p"
        for shift in range(FRAMES):
            picture = av.VideoFrame.from_ndarray(np.roll(noise, shift * 8, axis=1), format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return file.getvalue()
