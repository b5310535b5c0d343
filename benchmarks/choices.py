"""What a choice of runtime, or of a coarser keypoint stride, gains and costs: CPU time beside accuracy.

    python -m benchmarks.choices --seeds 2031

The clip is decoded once; each choice infers the same frames, fills the clip and is compared with the truth.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from services.challenges import gsr
from services.contracts.results import FrameResult
from services.demo.clip import GroundTruth
from services.demo.clip_store import stored_clip
from services.demo.scoring import score_answer
from services.demo.seeds import DEMO_SEED
from services.inference.models import load_models
from services.pipeline.batching import BatchSchedule, Lanes
from services.settings import Settings, load_settings
from services.tracking.camera import PictureSize
from services.tracking.clip import ClipTracks
from services.video.decode import Clip, DecodeLimits, open_clip
from services.video.picture import Frame, Letterbox
from services.video.source import MemorySource

CHOICES: tuple[tuple[str, int], ...] = (("torch", 1), ("openvino", 1), ("openvino", 2), ("openvino", 3))
"""RUNTIME and PITCH_STRIDE."""
ROUNDS = 3


def infer(frames: Sequence[Frame], box: Letterbox, settings: Settings) -> tuple[list[FrameResult], float]:
    """Infer all frames as the pipeline does; results and the least CPU seconds of some rounds."""
    models = load_models(settings)
    models.warm(settings)
    least = float("inf")
    for _ in range(ROUNDS):
        results: list[FrameResult] = []
        lanes = Lanes(lambda batch: models.predict(batch, box), results.extend, models.lanes)
        schedule = BatchSchedule(settings.first_batch_size, settings.batch_size, len(frames), models.lanes)
        started, at = time.process_time(), 0
        while at < len(frames):
            size = schedule.next()
            lanes.submit(frames[at : at + size])
            at += size
        lanes.drain()
        lanes.close()
        least = min(least, time.process_time() - started)
    return results, least


def answer(results: Sequence[FrameResult], clip: Clip, settings: Settings, truth: GroundTruth) -> str:
    """Fill, encode and compare with the truth; one line."""
    size = PictureSize(clip.width, clip.height)
    tracks = ClipTracks(size, settings.frame_stride, tracking=not settings.disable_tracking)
    for result in results:
        tracks.add(result)
    started = time.process_time()
    filled = tracks.fill(clip.stats.count)
    spent = time.process_time() - started
    score = score_answer(msgspec.json.decode(gsr.encode("choice", filled, 0.0))["frames"], truth)
    people, ball, points = score.objects["people"], score.objects["ball"], score.keypoints
    return (
        f"{spent * 1000:8.0f}  {people.recall:.3f}/{people.precision:.3f}"
        f"  {ball.recall:.3f}/{ball.precision:.3f}"
        f"  {points.median_error:6.2f} {points.error_90:6.2f}  {points.recall:.3f}"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seeds", type=int, nargs="+", default=[DEMO_SEED])
    chosen = parser.parse_args()
    for seed in chosen.seeds:
        stored = stored_clip(Path(".cache") / "clips", seed, 30.0)
        settings = load_settings(device="cpu")
        clip = open_clip(MemorySource(stored.path.read_bytes()), DecodeLimits(10_000, 1 << 23))
        plan, box = gsr.plan(clip, settings)
        frames = list(clip.frames(plan, box))
        print(f"seed {seed}: {len(frames)} of {clip.stats.count} frames are inferred")
        print(
            "runtime   pitch  CPU ms/frame  fill ms  people R/P   ball R/P     keypoint px 50 %, 90 %, found"
        )
        for runtime, pitch_stride in CHOICES:
            with_choice = load_settings(device="cpu", runtime=runtime, pitch_stride=pitch_stride)
            asked = dataclasses.replace(plan, pitch_stride=pitch_stride)
            marked = [dataclasses.replace(f, keypoints=asked.wants_keypoints(f.index)) for f in frames]
            results, spent = infer(marked, box, with_choice)
            line = answer(results, clip, with_choice, stored.truth)
            print(f"{runtime:8} {pitch_stride:6} {spent / len(frames) * 1000:13.1f} {line}", flush=True)


if __name__ == "__main__":
    main()
