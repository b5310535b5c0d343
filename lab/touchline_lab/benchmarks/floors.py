"""Measures the floors, the shortest times that link and processor allow, in the rounds of the methods."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from services.concurrency import core_count
from touchline_lab.benchmarks.job import Context, Job, Row
from touchline_lab.benchmarks.meter import own_cpu_seconds
from touchline_lab.benchmarks.raw_h2 import RawH2


class NetworkFloor:
    """Downloads the clip over an open, idle raw HTTP/2 connection, and measures one round trip on it.

    Args:
        context: Origin and device.
    """

    def __init__(self, context: Context) -> None:
        self._ca_file = context.ca_file

    def run(self, job: Job) -> Row:
        """Download once."""
        with RawH2(job.url, self._ca_file) as connection:
            connection.fetch("HEAD")
            round_trip = connection.fetch("HEAD")[1]
            time.sleep(job.idle_s)
            first_byte, total, size = connection.fetch("GET")
        return {"network_s": total, "first_byte_s": first_byte, "round_trip_s": round_trip, "bytes": size}

    def close(self) -> None:
        """Nothing has to be released."""


class ComputeFloor:
    """Decodes only the sampled frames, infers their batches, and decodes with cv2 for comparison.

    Args:
        context: Origin and device.
    """

    def __init__(self, context: Context) -> None:
        from services.challenges.kinds import serve
        from services.pipeline.warm import warm

        self._settings = context.settings()
        self._kinds = serve(self._settings)
        warm(self._kinds, self._settings)

    def run(self, job: Job) -> Row:
        """Measure CPU seconds on the clip as a file."""
        data = Path(job.path).read_bytes()
        row: Row = {"cores": core_count()}
        before = own_cpu_seconds()
        frames, box = self._decode(data)
        row["decode_cpu_s"] = own_cpu_seconds() - before
        row |= self._infer(frames, box)
        before = own_cpu_seconds()
        _read_all(job.path)
        row["cv2_decode_cpu_s"] = own_cpu_seconds() - before
        return row | self._first(data)

    def close(self) -> None:
        """Nothing has to be released."""

    def _decode(self, data: bytes) -> tuple[list[Any], Any]:
        from services.video.decode import DecodeLimits, open_clip
        from services.video.source import MemorySource

        settings = self._settings
        # one thread: the overhead of several threads does not belong to a floor
        limits = DecodeLimits(settings.max_frames, settings.max_pixels, threads=1)
        clip = open_clip(MemorySource(data), limits)
        plan, box = self._kinds.get("gsr").kind.plan(clip, settings)
        # nor do the luma pictures of the second ball pass
        return list(clip.frames(replace(plan, second_ball_pass=False), box)), box

    def _infer(self, frames: list[Any], box: Any) -> Row:
        predictor = self._kinds.get("gsr").predictor
        size = self._settings.batch_size
        before, begin = own_cpu_seconds(), time.perf_counter()
        for at in range(0, len(frames), size):
            predictor.predict(frames[at : at + size], box)
        return {
            "inference_cpu_s": own_cpu_seconds() - before,
            "inference_wall_s": time.perf_counter() - begin,
            "frames": len(frames),
        }

    def _first(self, data: bytes) -> Row:
        """Measure the first picture: bytes of index and packet, and seconds of decoding in one thread."""
        import av

        from services.video.mp4_index import read_index
        from services.video.source import MemorySource

        index = read_index(MemorySource(data))
        if index is None:
            return {}
        offset, size = int(index.offsets[0]), int(index.sizes[0])
        begin = time.perf_counter()
        codec = av.CodecContext.create(index.codec, "r")
        assert isinstance(codec, av.VideoCodecContext)
        codec.extradata = index.extradata
        codec.thread_count = 1
        pictures = codec.decode(av.Packet(data[offset : offset + size])) or codec.decode(None)
        seconds = time.perf_counter() - begin
        # all bytes of the file outside of packets count as the index
        head = len(data) - int(index.sizes.sum()) + size
        return {"first_decode_s": seconds, "head_bytes": head} if pictures else {}


def _read_all(path: str) -> None:
    import cv2

    capture = cv2.VideoCapture(path)
    while capture.read()[0]:
        pass
    capture.release()


def combine(network: Row, compute: Row, down_mbit: float) -> Row:
    """Compute the floors from the measurements of `NetworkFloor` and `ComputeFloor`.

    Args:
        network: A row of `NetworkFloor`.
        compute: A row of `ComputeFloor`.
        down_mbit: Bandwidth of the link in Mbit/s; 0 takes the measured one.

    Returns:
        Seconds of network, decoding, inference, all of them combined, the round trip and the first frame; and
        CPU seconds of decoding and inference.
    """
    count = compute["cores"]
    rate = down_mbit * 1e6 / 8 or network["bytes"] / max(network["network_s"], 1e-6)
    decode, inference = compute["decode_cpu_s"] / count, compute["inference_cpu_s"] / count
    floors = {
        "network_s": network["network_s"],
        "decode_s": decode,
        "inference_s": inference,
        "combined_s": max(network["network_s"], decode + inference),
        "round_trip_s": network["round_trip_s"],
        "decode_cpu_s": compute["decode_cpu_s"],
        "inference_cpu_s": compute["inference_cpu_s"],
        "cv2_decode_cpu_s": compute["cv2_decode_cpu_s"],
    }
    if "first_decode_s" in compute:
        arrival = network["round_trip_s"] + compute["head_bytes"] / rate
        floors["first_frame_s"] = arrival + compute["first_decode_s"]
    return floors
