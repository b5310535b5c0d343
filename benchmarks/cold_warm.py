"""A challenge answered the usual way, by ours cold, and by ours warm; one run, interleaved rounds.

    python -m benchmarks.cold_warm --rounds 5 --out bench-out

All three answer the same clip from the same origin, whose connections take as long to set up as the ones that
operators reported, with the same models, picture size and stride on the same cores:

- `usual`: a fresh httpx GET of the whole body, a temporary file, cv2, one frame at a time through `YOLO()`:
  detector then keypoints; it stops at raw detections, without tracks, fill or encoding.
- `cold`: our pipeline with a pool that has no connection yet, to the encoded answer for every frame.
- `warm`: our pipeline with a pool whose connection is open.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from services.demo.clip_store import stored_clip
from services.demo.seeds import DEMO_SEED

Row = dict[str, float]
METRICS = ("first_frame_s", "first_detections_s", "all_sampled_s", "answer_s", "cpu_s")


def serve(folder: str, pipe: Connection) -> None:
    """Run the origin in a process of its own, so that its work is not counted as ours."""
    from services.demo.origin import SEED_DELAYS, DemoOrigin

    with DemoOrigin(folder, SEED_DELAYS) as origin:
        pipe.send((origin.base_url, str(origin.ca_file)))
        pipe.recv()


def cpu_seconds() -> float:
    """User and system seconds of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


class Usual:
    """What most operators run today."""

    def __init__(self, url: str, ca_file: str, settings: Any) -> None:
        from ultralytics import YOLO

        from services.inference.registry import resolve_model

        self._url, self._ca_file, self._settings = url, ca_file, settings
        self._models = [
            YOLO(str(resolve_model(m, ""))) for m in (settings.detector_model, settings.pitch_model)
        ]

    def __call__(self) -> Row:
        import ssl

        import cv2
        import httpx

        begin = time.perf_counter()
        row: Row = {}
        context = ssl.create_default_context(cafile=self._ca_file)
        with tempfile.NamedTemporaryFile(suffix=".mp4") as file:
            file.write(httpx.get(self._url, verify=context, timeout=60).content)
            file.flush()
            capture = cv2.VideoCapture(file.name)
            number = 0
            while True:
                ok, frame = capture.read()
                if not ok:
                    break
                if number % self._settings.frame_stride == 0:
                    row.setdefault("first_frame_s", time.perf_counter() - begin)
                    for model in self._models:
                        model.predict(frame, imgsz=self._settings.img_size, device="cpu", verbose=False)
                    row.setdefault("first_detections_s", time.perf_counter() - begin)
                    row["all_sampled_s"] = time.perf_counter() - begin
                number += 1
            capture.release()
        row["answer_s"] = time.perf_counter() - begin
        return row


class Ours:
    """Our pipeline, with or without an open connection."""

    def __init__(self, url: str, settings: Any, models: Any, warm: bool) -> None:
        self._url, self._settings, self._models, self._warm = url, settings, models, warm

    def __call__(self) -> Row:
        from services.contracts.challenge import Challenge
        from services.download.pool import ConnectionPool
        from services.pipeline.runner import Runtime, run_challenge
        from services.timeline import Timeline

        pool = ConnectionPool(self._settings)
        if self._warm:
            pool.warmup(self._url)
        now = time.time()
        challenge = Challenge(challenge_id="bench", video_url=self._url, deadline=now + 120, submitted_at=now)
        timeline = Timeline()
        begin = time.perf_counter()
        run_challenge(challenge, Runtime(pool, self._models, self._settings), timeline)
        total = time.perf_counter() - begin
        stages = timeline.to_dict()["stages"]
        pool.close()
        return {
            "first_frame_s": stages["first_frame"]["end"],
            "first_detections_s": stages["first_detections"]["end"],
            "all_sampled_s": stages["inference"]["end"],
            "answer_s": total,
        }


def measured(way: Callable[[], Row]) -> Row:
    """One run with the CPU seconds it took."""
    before = cpu_seconds()
    row = way()
    return row | {"cpu_s": cpu_seconds() - before}


def main() -> None:
    """Run the benchmark and print, and write, its table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("bench-out"))
    parser.add_argument("--seconds", type=float, default=30.0, help="length of the clip")
    chosen = parser.parse_args()
    from services.inference.models import load_models
    from services.pipeline.warm import warm
    from services.settings import load_settings

    print("clip: rendered at the first run, about a minute", flush=True)
    clip = stored_clip(Path(".cache") / "clips", DEMO_SEED, chosen.seconds)
    here, there = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(str(clip.path.parent), there))
    server.start()
    try:
        base, ca_file = here.recv()
        url = base + clip.path.name
        settings = load_settings(ca_file=ca_file, allow_private_addresses=True, device="cpu", origins=())
        models = load_models(settings)
        warm(models, settings)
        ways: dict[str, Callable[[], Row]] = {
            "usual": Usual(url, ca_file, settings),
            "cold": Ours(url, settings, models, warm=False),
            "warm": Ours(url, settings, models, warm=True),
        }
        rows: dict[str, list[Row]] = {name: [] for name in ways}
        for turn in range(chosen.rounds + 1):
            for name, way in ways.items():
                row = measured(way)
                if turn:  # the first round is not counted: everybody loads libraries in it
                    rows[name].append(row)
                    print(f"round {turn} {name:6} {row['answer_s']:.2f} s", flush=True)
    finally:
        here.send("stop")
        server.join(20)
    report(rows, chosen.out)


def report(rows: dict[str, list[Row]], out: Path) -> None:
    """Print medians with least and most, and ratios to the usual way; write everything as JSON."""
    print(
        f"\nmedians of {len(rows['warm'])} rounds (least - most), seconds; {os.cpu_count()} cores, CPU only"
    )
    print(f"{'':8}" + "".join(f"{metric:>28}" for metric in METRICS))
    median = {n: {m: statistics.median(r[m] for r in found) for m in METRICS} for n, found in rows.items()}
    for name, found in rows.items():
        cells = []
        for metric in METRICS:
            values = [row[metric] for row in found]
            cells.append(f"{median[name][metric]:10.3f} ({min(values):.3f} - {max(values):.3f})")
        print(f"{name:8}" + "".join(f"{cell:>28}" for cell in cells))
    ratios = {
        name: {metric: median["usual"][metric] / median[name][metric] for metric in METRICS}
        for name in ("cold", "warm")
    }
    for name, found_ratios in ratios.items():
        print(
            f"usual / {name}: " + ", ".join(f"{metric} {value:.1f}" for metric, value in found_ratios.items())
        )
    print(f"cold - warm: {median['cold']['answer_s'] - median['warm']['answer_s']:.2f} s to the answer")
    out.mkdir(parents=True, exist_ok=True)
    (out / "cold_warm.json").write_text(
        json.dumps({"rows": rows, "median": median, "ratios": ratios}, indent=1)
    )
    print(f"written: {out / 'cold_warm.json'}")


if __name__ == "__main__":
    main()
