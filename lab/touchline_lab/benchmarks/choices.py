"""What a choice of runtime, keypoint stride or frame profile saves in CPU time and costs in accuracy.

    python -m touchline_lab.benchmarks.choices --seeds 2031
    python -m touchline_lab.benchmarks.choices --seeds 2031 --only profiles
    python -m touchline_lab.benchmarks.choices --seeds 2031 --only profiles --b-frames 3

For each choice the clip is decoded, inferred, interpolated and compared with the ground truth. "bytes" is the
share of the packets that the sampled frames may refer to. `--b-frames` encodes the clip again with that many
B-frames in a row; the renderer leaves their number to the encoder, which takes few.
"""

from __future__ import annotations

import argparse
import io
import time
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import msgspec

from services.challenges import gsr
from services.concurrency import OrderedExecutor
from services.frame_plan import FramePlan
from services.inference.models import Models, load_models
from services.pipeline.batching import BatchSchedule
from services.results import FrameResult
from services.sampling.plan_from_settings import plan_from_settings
from services.sampling.profiles import needed_packets
from services.settings import Settings, load_settings
from services.tracking.ball.second_pass import second_ball_pass
from services.tracking.camera.homography import PictureSize
from services.video.decode import Clip, DecodeLimits, open_clip
from services.video.letterbox import Frame, Letterbox
from services.video.source import MemorySource
from touchline_lab.evaluation.scoring import score_answer
from touchline_lab.renderer.clip import GroundTruth
from touchline_lab.renderer.clip_store import stored_clip
from touchline_lab.renderer.seeds import DEMO_SEED

Choice = dict[str, Any]
"""Settings of a choice that differ from the defaults, by field name."""
RUNTIMES: tuple[Choice, ...] = (
    {"runtime": "torch"},
    {"runtime": "openvino"},
    {"runtime": "openvino", "pitch_stride": 2},
    {"runtime": "openvino", "pitch_stride": 3},
)
PROFILES: tuple[Choice, ...] = tuple(
    {"frame_profile": profile, "frame_stride": stride}
    for stride in (3, 6, 12, 24)
    for profile in ("every", "snap", "keyframes")
)
CHOICES = {"runtimes": RUNTIMES, "profiles": PROFILES}
"""What `--only` selects from."""
ROUNDS = 3
"""Times that decoding and inference are run; the shortest counts."""


def decode(data: bytes, settings: Settings) -> tuple[list[Frame], Clip, FramePlan, Letterbox, float]:
    """Decode the sampled frames; the last value is the minimum of the CPU seconds over `ROUNDS` runs."""
    minimum = float("inf")
    for _ in range(ROUNDS):
        started = time.process_time()
        clip = open_clip(MemorySource(data), DecodeLimits(10_000, 1 << 23))
        plan, box = plan_from_settings(clip, settings, "gsr")
        frames = list(clip.frames(plan, box))
        minimum = min(minimum, time.process_time() - started)
    return frames, clip, plan, box, minimum


def infer(
    frames: Sequence[Frame], letterbox: Letterbox, settings: Settings, models: Models
) -> tuple[list[FrameResult], float]:
    """Infer all frames as the pipeline does; the last value is the minimum of the CPU seconds of the runs."""
    minimum = float("inf")
    for _ in range(ROUNDS):
        results: list[FrameResult] = []
        slots: OrderedExecutor[Sequence[Frame], FrameResult] = OrderedExecutor(
            lambda batch: models.predict(batch, letterbox), results.extend, models.slots
        )
        schedule = BatchSchedule(settings.first_batch_size, settings.batch_size, len(frames), models.slots)
        started, at = time.process_time(), 0
        while at < len(frames):
            size = schedule.next()
            slots.submit(frames[at : at + size])
            at += size
        slots.drain()
        slots.close()
        minimum = min(minimum, time.process_time() - started)
    return results, minimum


def answer(
    results: Sequence[FrameResult],
    clip: Clip,
    plan: FramePlan,
    settings: Settings,
    models: Models,
    truth: GroundTruth,
) -> str:
    """Run the second ball pass, interpolate and encode; returns time and accuracy as a line of text."""
    tracks = gsr.tracks(clip, plan, settings)
    for result in map(second_ball_pass(models, PictureSize(clip.width, clip.height)), results):
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


def encoded_again(data: bytes, b_frames: int) -> bytes:
    """Encode the same pictures with a fixed number of B-frames in a row, in groups of 50 frames."""
    file = io.BytesIO()
    with av.open(io.BytesIO(data), "r") as clip, av.open(file, "w", format="mp4") as out:
        source = clip.streams.video[0]
        rate = source.average_rate or Fraction(25)
        options = {"preset": "veryfast", "x264-params": f"bframes={b_frames}:b-adapt=0:keyint=50:scenecut=0"}
        stream: Any = out.add_stream("libx264", rate=source.average_rate, options=options)
        stream.width, stream.height, stream.pix_fmt = source.width, source.height, "yuv420p"
        for number, picture in enumerate(clip.decode(source)):
            again = picture.reformat(format="yuv420p")
            again.pts, again.time_base = number, 1 / rate
            again.pict_type = 0
            out.mux(stream.encode(again))
        out.mux(stream.encode(None))
    return file.getvalue()


def needed_share(clip: Clip, plan: FramePlan) -> float:
    """The share of the clip's bytes that are packets which the sampled frames may refer to."""
    if clip.index is None:
        return 1.0
    return sum(size for _, size in needed_packets(clip.index, plan)) / int(clip.index.sizes.sum())


def main() -> None:
    """Print one table per seed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seeds", type=int, nargs="+", default=[DEMO_SEED])
    parser.add_argument("--b-frames", type=int, choices=range(17), metavar="0..16")
    parser.add_argument("--only", choices=CHOICES)
    chosen = parser.parse_args()
    choices = CHOICES[chosen.only] if chosen.only else RUNTIMES + PROFILES
    for seed in chosen.seeds:
        stored = stored_clip(Path(".cache") / "clips", seed, 30.0)
        data = stored.path.read_bytes()
        if chosen.b_frames is not None:
            data = encoded_again(data, chosen.b_frames)
        print(f"seed {seed}: {len(stored.truth.frames)} frames; CPU time: decoding per frame of the clip,")
        print(
            "inference per sampled frame, interpolation (fill) of the whole clip; R/P: recall and precision"
        )
        print(
            f"{'choice':34} {'sampled':>7}  bytes decode ms infer ms fill ms  people R/P   ball R/P   "
            "  keypoint error px 50 %, 90 %, recall"
        )
        loaded: dict[str, Models] = {}
        for choice in choices:
            settings = load_settings(device="cpu", **choice)
            if settings.runtime not in loaded:
                loaded[settings.runtime] = load_models(settings)
                loaded[settings.runtime].warm(settings)
            frames, clip, plan, box, decoding = decode(data, settings)
            results, spent = infer(frames, box, settings, loaded[settings.runtime])
            line = answer(results, clip, plan, settings, loaded[settings.runtime], stored.truth)
            name = ", ".join(f"{key.partition('_')[2] or key} {value}" for key, value in choice.items())
            decode_ms = decoding / clip.stats.count * 1000
            print(
                f"{name:34} {len(frames):7} {needed_share(clip, plan):6.2f} {decode_ms:9.2f}"
                f" {spent / len(frames) * 1000:8.1f}{line}",
                flush=True,
            )


if __name__ == "__main__":
    main()
