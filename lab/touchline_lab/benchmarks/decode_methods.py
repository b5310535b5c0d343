"""Compares methods of decoding the sampled frames of a clip: CPU time, wall time, time to the first frame.

    python -m touchline_lab.benchmarks.decode_methods --rounds 5

All methods run in turn in one process, on the clip of the other benchmarks. Printed are medians, and the CPU
time as a share of that of OpenCV, which decodes every frame. Methods whose fingerprints are equal gave the
same pictures, byte for byte.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from services.frame_plan import FramePlan
from services.video.clip import DecodeLimits
from services.video.indexed import IndexedClip
from services.video.letterbox import Frame, Letterbox, letterboxed
from services.video.mp4_index import read_index
from services.video.nal import NalReader
from services.video.source import MemorySource
from touchline_lab.benchmarks.clips import FRONT, prepare

SIDE = 384
"""Longer side of the letterboxed pictures in pixels, as the bundled models take them."""
SHRINK_PICTURES = 25
"""Pictures that are shrunk with each method: a second of video."""
Pictures = Iterator[tuple[int, Any]]
"""Frame numbers with their pictures."""


@dataclass(frozen=True)
class Clip:
    """A video file and what is decoded of it.

    Attributes:
        path: The file.
        data: Its bytes.
        plan: The frame plan at the wanted stride.
        keys: The frame plan that holds the key frames only.
        box: The letterboxing.
    """

    path: str
    data: bytes
    plan: FramePlan
    keys: FramePlan
    box: Letterbox


def opencv(clip: Clip) -> Pictures:
    """Decode every frame at full size with `cv2.VideoCapture`; resize the sampled ones."""
    capture, number = cv2.VideoCapture(clip.path), 0
    while True:
        there, picture = capture.read()
        if not there:
            return
        if clip.plan.is_sampled(number):
            yield number, cv2.resize(picture, (clip.box.width, clip.box.height), interpolation=cv2.INTER_AREA)
        number += 1


def pyav(clip: Clip) -> Pictures:
    """Decode every frame in FFmpeg's threads; convert the sampled ones at full size and resize them."""
    with av.open(clip.path) as container:
        container.streams.video[0].thread_type = "AUTO"
        for number, picture in enumerate(container.decode(video=0)):
            if clip.plan.is_sampled(number):
                whole = picture.to_ndarray(format="bgr24")
                yield (
                    number,
                    cv2.resize(whole, (clip.box.width, clip.box.height), interpolation=cv2.INTER_AREA),
                )


def without_unreferenced(clip: Clip, threads: int = 0) -> Pictures:
    """Decode with one decoder in FFmpeg's threads, without unreferenced frames that are not sampled."""
    index = read_index(MemorySource(clip.data))
    assert index is not None
    codec = av.CodecContext.create(index.codec, "r")
    assert isinstance(codec, av.VideoCodecContext)
    codec.extradata, codec.thread_type = index.extradata, "AUTO"
    codec.thread_count = threads or DecodeLimits(1, 1).thread_count
    nals = NalReader(index.codec, index.extradata, index.width * index.height)

    def decoded(packet: av.Packet[Any] | None) -> Pictures:
        for picture in codec.decode(packet):
            number = int(index.display[picture.pts])
            if clip.plan.is_sampled(number):
                yield number, letterboxed(picture, clip.box)

    for position in range(index.count):
        start = int(index.offsets[position])
        data = clip.data[start : start + int(index.sizes[position])]
        if clip.plan.is_sampled(int(index.display[position])) or not nals.read(data).unreferenced:
            packet: av.Packet[Any] = av.Packet(len(data))
            packet.update(data)
            packet.pts = packet.dts = position
            yield from decoded(packet)
    yield from decoded(None)


def touchline(clip: Clip, threads: int = 0, plan: Any = None) -> Pictures:
    """Decode as a worker does: groups side by side, and of each nothing behind its last sampled frame."""
    source = MemorySource(clip.data)
    index = read_index(source)
    assert index is not None
    reader = IndexedClip(source, index, DecodeLimits(1 << 20, 1 << 26, threads))
    frame: Frame
    for frame in reader.frames(plan or clip.plan, clip.box):
        yield frame.index, frame.image


METHODS: dict[str, Callable[[Clip], Pictures]] = {
    "OpenCV, every frame": opencv,
    "PyAV, every frame": pyav,
    "one decoder, no unreferenced frames": without_unreferenced,
    "one decoder, no unreferenced frames, one thread": lambda clip: without_unreferenced(clip, 1),
    "Touchline": touchline,
    "Touchline, one thread": lambda clip: touchline(clip, 1),
    "Touchline, key frames only": lambda clip: touchline(clip, plan=clip.keys),
}
"""The methods by the names of their rows."""


@dataclass(frozen=True)
class Run:
    """One run of a method.

    Attributes:
        cpu: CPU time in ms.
        wall: Wall time in ms.
        first: Wall time until the first picture in ms.
        digest: Beginning of the SHA-256 of all pictures.
    """

    cpu: float
    wall: float
    first: float
    digest: str


def measure(method: Callable[[Clip], Pictures], clip: Clip) -> Run:
    """Run a method once; the pictures are hashed after the clock has stopped."""
    cpu, begun, first, kept = time.process_time(), time.perf_counter(), 0.0, []
    for number, picture in method(clip):
        first = first or time.perf_counter() - begun
        kept.append((number, picture))
    cpu, wall = time.process_time() - cpu, time.perf_counter() - begun
    digest = hashlib.sha256()
    for number, picture in kept:
        digest.update(number.to_bytes(4, "big") + np.ascontiguousarray(picture).tobytes())
    return Run(cpu * 1000, wall * 1000, first * 1000, digest.hexdigest()[:8])


def shrink_times(clip: Clip, rounds: int) -> dict[str, float]:
    """CPU time in ms for shrinking one decoded picture to the input size of the models, by method."""
    with av.open(clip.path) as container:
        pictures = [
            picture for picture, _ in zip(container.decode(video=0), range(SHRINK_PICTURES), strict=False)
        ]
    box = clip.box

    def at_full_size(picture: av.VideoFrame) -> Any:
        whole = picture.to_ndarray(format="rgb24")
        return cv2.resize(whole, (box.width, box.height), interpolation=cv2.INTER_AREA)

    def exact_means(picture: av.VideoFrame) -> Any:
        planes = [
            np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)[
                :, : plane.width
            ]
            for plane in picture.planes
        ]
        half = (box.width // 2, box.height // 2)
        sizes = ((box.width, box.height), half, half)
        small = [
            cv2.resize(plane, size, interpolation=cv2.INTER_AREA)
            for plane, size in zip(planes, sizes, strict=True)
        ]
        packed = np.concatenate([plane.reshape(-1) for plane in small]).reshape(-1, box.width)
        return cv2.cvtColor(packed, cv2.COLOR_YUV2RGB_I420)

    methods: dict[str, Callable[[av.VideoFrame], Any]] = {
        "planes shrunk, then RGB (what workers do)": lambda picture: letterboxed(picture, box),
        "planes shrunk by exact means, then RGB": exact_means,
        "RGB at full size, then shrunk": at_full_size,
        "FFmpeg's scaler": lambda picture: picture.reformat(
            width=box.width, height=box.height, format="rgb24"
        ),
    }
    found: dict[str, list[float]] = {name: [] for name in methods}
    for _ in range(rounds):
        for name, method in methods.items():
            begun = time.process_time()
            for picture in pictures:
                method(picture)
            found[name].append((time.process_time() - begun) * 1000 / len(pictures))
    return {name: statistics.median(values) for name, values in found.items()}


def load(path: Path, stride: int) -> Clip:
    """Read the index of a clip and plan its frames.

    Raises:
        SystemExit: The file is not an MP4 file with an index.
    """
    data = path.read_bytes()
    index = read_index(MemorySource(data))
    if index is None:
        raise SystemExit(f"{path}: no plain MP4 file")
    numbers = tuple(sorted(int(index.display[position]) for position in index.sync))
    keys = FramePlan(stride, index.count, chosen=numbers)
    box = Letterbox.fit(index.width, index.height, SIDE)
    return Clip(str(path), data, FramePlan(stride, index.count), keys, box)


def report(clip: Clip, rounds: int) -> None:
    """Run all methods in turn and print the tables."""
    runs: dict[str, list[Run]] = {name: [] for name in METHODS}
    for _ in range(rounds):
        for name, method in METHODS.items():
            runs[name].append(measure(method, clip))
    base = [run.cpu for run in runs["OpenCV, every frame"]]
    print(
        f"{clip.plan.sampled_count} of {clip.plan.count} frames sampled, {os.cpu_count()} cores, "
        f"medians of {rounds} rounds, ms"
    )
    print(f"{'method':50} {'CPU':>6} {'/ OpenCV':>9} {'wall':>6} {'first frame':>12}  fingerprint")
    for name, found in runs.items():
        share = statistics.median(run.cpu / whole for run, whole in zip(found, base, strict=True))
        cpu, wall, first = (
            statistics.median(getattr(run, key) for run in found) for key in ("cpu", "wall", "first")
        )
        digests = ",".join(sorted({run.digest for run in found}))
        print(f"{name:50} {cpu:6.0f} {share:9.2f} {wall:6.0f} {first:12.1f}  {digests}")
    print("\nshrinking to the input size of the models, CPU ms per picture")
    for name, spent in shrink_times(clip, rounds).items():
        print(f"{name:50} {spent:6.2f}")


def main() -> None:
    """Print the tables for the demonstration clip or another one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--clip", type=Path, help="an MP4 file; by default the demonstration clip")
    parser.add_argument("--stride", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    if chosen.clip:
        report(load(chosen.clip, chosen.stride), chosen.rounds)
        return
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder), short=False)
        report(load(Path(folder) / FRONT, chosen.stride), chosen.rounds)


if __name__ == "__main__":
    main()
