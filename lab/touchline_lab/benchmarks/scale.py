"""Measures how the cost of an answer grows: with the clip's length and size, the stride, and the load.

    touchline bench --scale            (or `make scale`)
    touchline bench --scale --quick

Workers and Valkey are real, and the origin is on the loopback: the work is measured, not a link.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from services.concurrency import core_count
from touchline_lab.benchmarks.meter import cpu_seconds, peak_mb, reset_peak, resident_mb
from touchline_lab.benchmarks.origins import demo_place
from touchline_lab.benchmarks.scale_clips import lengthened, resized
from touchline_lab.benchmarks.scale_results import Point, ScaleResults
from touchline_lab.benchmarks.system import Answered, System
from touchline_lab.demo_origin.setup_delay import NO_DELAYS
from touchline_lab.renderer.clip_store import stored_clip
from touchline_lab.renderer.seeds import DEMO_SEED, TEST_SEED

Say = Callable[[str], None]
"""Receives one line of progress."""
SERIES = ("length", "size", "stride", "load")
"""What can grow."""
DEADLINE_S = 900.0
"""Seconds until the deadline of a challenge: ten minutes of video at stride 1 take minutes on a small
machine."""


@dataclass(frozen=True, slots=True)
class ScaleOptions:
    """What is measured.

    Attributes:
        series: Which of `SERIES`.
        lengths: Lengths of the clip in seconds, for the series `length`.
        heights: Heights of the picture in pixels, for the series `size`.
        strides: Strides, for the series `stride`.
        workers: Maximum number of workers, for the series `load`.
        loads: Numbers of challenges that are submitted at once, for the series `load`.
        rounds: Runs of each point.
        usual_s: Length of the clip in seconds, in all series but `length`.
        seed: Seed and length in seconds of the rendered clip that all others are made from.
        device: The setting `DEVICE`.
        env: Settings of the workers, by the names of their variables.
    """

    series: Sequence[str] = SERIES
    lengths: Sequence[float] = (10, 30, 60, 120, 300, 600)
    heights: Sequence[int] = (540, 720, 1080, 1440, 2160)
    strides: Sequence[int] = (1, 2, 3, 6, 12)
    workers: int = 2
    loads: Sequence[int] = (1, 2, 4, 8)
    rounds: int = 3
    usual_s: float = 10.0
    seed: tuple[int, float] = (DEMO_SEED, 30.0)
    device: str = "cpu"
    env: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def quick(cls, device: str, env: Mapping[str, str], series: Sequence[str] = SERIES) -> ScaleOptions:
        """Options of a run that takes less than two minutes."""
        return cls(
            series=series,
            lengths=(4, 16, 64),
            heights=(540, 1080),
            strides=(3, 12),
            loads=(1, 4),
            rounds=1,
            usual_s=4.0,
            seed=(TEST_SEED, 4.0),
            device=device,
            env=env,
        )


def run_scale(options: ScaleOptions, say: Say) -> ScaleResults:
    """Measure all points of all series.

    Args:
        options: What is to be measured.
        say: Receives the progress, line by line.

    Raises:
        StartFailed: A worker or the Valkey server did not start.
        ChallengeError: A challenge was not answered.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="touchline-scale-")))
        say("preparing the clip (rendered at the first run, about a minute)")
        cache = Path(".cache") / "clips"
        clip = stored_clip(cache, *options.seed).path
        place = stack.enter_context(demo_place(folder, NO_DELAYS))
        bench = _Scale(options, clip, folder, place.urls, place.ca_file, say)
        points = [point for name in options.series for point in bench.series(name)]
    return ScaleResults(points, options.device, core_count(), options.rounds)


class _Scale:
    def __init__(
        self,
        options: ScaleOptions,
        clip: Path,
        folder: Path,
        urls: Callable[[str], tuple[str, str]],
        ca_file: str,
        say: Say,
    ) -> None:
        self._options = options
        self._clip = clip
        self._folder = folder
        self._urls = urls
        self._ca_file = ca_file
        self._say = say

    def series(self, name: str) -> Iterator[Point]:
        yield from {
            "length": self._lengths,
            "size": self._sizes,
            "stride": self._strides,
            "load": self._loads,
        }[name]()

    @contextmanager
    def _system(self, workers: int = 1, env: Mapping[str, str] | None = None) -> Iterator[System]:
        self._say(f"starting {workers} worker{'s' if workers > 1 else ''}")
        with System(
            self._urls("")[0],
            self._ca_file,
            workers=workers,
            device=self._options.device,
            env={**self._options.env, **(env or {})},
            deadline_s=DEADLINE_S,
        ) as system:
            # memory that allocator and libraries keep after their first clip must not count for the next one
            system.answer_at(self._usual(), [0.0] * workers)
            yield system

    def _usual(self) -> str:
        return self._clip_url(self._options.usual_s)

    def _clip_url(self, seconds: float) -> str:
        target = self._folder / f"long-{seconds:g}.mp4"
        if not target.is_file():
            lengthened(self._clip, target, seconds)
        return self._urls(target.name)[0]

    def _lengths(self) -> Iterator[Point]:
        with self._system() as system:
            # rising, so that memory that the allocator keeps of a long clip does not hide what a short one
            # takes
            for seconds in sorted(self._options.lengths):
                yield self._point("length", f"{seconds:g} s", seconds, system, self._clip_url(seconds))

    def _sizes(self) -> Iterator[Point]:
        with self._system() as system:
            for height in sorted(self._options.heights):
                seconds = self._options.usual_s
                kept = Path(".cache") / "clips" / f"scale-{self._clip.stem}-{height}-{seconds:g}s.mp4"
                if not kept.is_file():
                    self._say(f"encoding {height}p")
                resized(self._clip, kept, height, seconds)
                target = self._folder / f"size-{height}.mp4"
                target.write_bytes(kept.read_bytes())
                yield self._point("size", f"{height}p", seconds, system, self._urls(target.name)[0])

    def _strides(self) -> Iterator[Point]:
        for stride in self._options.strides:
            with self._system(env={"FRAME_STRIDE": str(stride)}) as system:
                url = self._usual()
                yield self._point("stride", f"stride {stride}", self._options.usual_s, system, url)

    def _loads(self) -> Iterator[Point]:
        for workers in range(1, self._options.workers + 1):
            with self._system(workers) as system:
                for load in self._options.loads:
                    name = f"{workers} x {load}"
                    yield self._point("load", name, self._options.usual_s, system, self._usual(), load)

    def _point(
        self, series: str, name: str, seconds: float, system: System, url: str, load: int = 1
    ) -> Point:
        point = Point(series, name, seconds, load, len(system.children()))
        for turn in range(1, self._options.rounds + 1):
            children = system.children()
            before_mb = sum(resident_mb(pid) for pid in children)
            reset_peak(children)
            used, begin = cpu_seconds(system.processes()), time.perf_counter()
            found = system.answer_at(url, [0.0] * load)
            took = time.perf_counter() - begin
            cpu = (cpu_seconds(system.processes()) - used) / load
            point.rows.append(_row(found, took, cpu) | {"before_mb": before_mb, "peak_mb": peak_mb(children)})
            point.service_s.extend(one.service_s for one in found)
            self._say(f"{series} {name} round {turn}: {took:.2f} s, {point.rows[-1]['peak_mb']:.0f} MB")
        return point


def _row(found: Sequence[Answered], took: float, cpu: float) -> dict[str, float]:
    first = found[0]
    walls = sorted(one.wall_s for one in found)
    return {
        "wall_s": walls[len(walls) // 2],
        "last_s": took,
        "queue_s": max(one.queue_s for one in found),
        "service_s": sorted(one.service_s for one in found)[len(found) // 2],
        "cpu_s": cpu,
        "frames": float(first.timeline["facts"]["frames"]),
        "sampled": float(first.timeline["facts"]["sampled"]),
        "body_mb": float(first.timeline["facts"].get("bytes", 0)) / 1e6,
        "answer_mb": len(first.body) / 1e6,
    }
