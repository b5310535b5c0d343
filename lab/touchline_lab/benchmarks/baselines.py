"""The baselines: how others answer a clip, with the same models, picture size and stride.

Each passes one frame at a time through `ultralytics.YOLO` and stops at raw detections. Tracking,
interpolation and encoding, which Touchline does as well, are not counted against them.
"""

from __future__ import annotations

import os
import ssl
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from touchline_lab.benchmarks.job import Context, Job, Row

Picture = Any
"""Shape (height, width, 3), uint8, BGR, as cv2 returns it."""


class BaselineMethod:
    """Reads frames, and runs the detector and the pitch model on each sampled one.

    Args:
        context: Origin and device.
    """

    def __init__(self, context: Context) -> None:
        from ultralytics import YOLO

        from services.inference.devices import choose_device
        from services.inference.model_files import resolve_model

        self.context = context
        self.settings = context.settings()
        self.device = choose_device(self.settings.device)
        self.detector = YOLO(str(resolve_model(self.settings.detector_model, "DETECTOR_MODEL")))
        self.pitch = YOLO(str(resolve_model(self.settings.pitch_model, "PITCH_MODEL")))

    def run(self, job: Job) -> Row:
        """Run both models on every sampled frame of the clip."""
        begin = time.perf_counter()
        row: Row = {}
        count = 0
        for frame in self.frames(job):
            row.setdefault("first_frame_s", time.perf_counter() - begin)
            row["all_decoded_s"] = time.perf_counter() - begin
            self.infer(self.detector, frame)
            self.infer(self.pitch, frame)
            row.setdefault("first_detections_s", time.perf_counter() - begin)
            count += 1
        row["all_sampled_s"] = row["answer_s"] = time.perf_counter() - begin
        return row | {"frames": count}

    def frames(self, job: Job) -> Iterator[Picture]:
        """Yield the sampled frames in order."""
        raise NotImplementedError

    def infer(self, model: Any, frame: Picture) -> None:
        """Run one model on one picture; its result is dropped."""
        model.predict(frame, imgsz=self.settings.img_size, device=self.device, verbose=False)

    def close(self) -> None:
        """Nothing has to be released."""

    def frames_of_capture(self, source: str) -> Iterator[Picture]:
        """Yield every n-th picture that `cv2.VideoCapture` reads from a file or a URL."""
        import cv2

        capture = cv2.VideoCapture(source)
        try:
            if not capture.isOpened():
                raise RuntimeError("cv2 cannot open the source")
            number = 0
            while True:
                ok, frame = capture.read()
                if not ok:
                    return
                if number % self.settings.frame_stride == 0:
                    yield frame
                number += 1
        finally:
            capture.release()


class ReferenceMiner(BaselineMethod):
    """As the official example miner: a new httpx GET of the whole file, a temporary file, then cv2."""

    def frames(self, job: Job) -> Iterator[Picture]:
        """See `BaselineMethod`."""
        import httpx

        context = ssl.create_default_context(cafile=self.context.ca_file)
        with tempfile.NamedTemporaryFile(suffix=".mp4") as file:
            file.write(httpx.get(job.url, verify=context, timeout=60, trust_env=False).content)
            file.flush()
            yield from self.frames_of_capture(file.name)


class Cv2Url(BaselineMethod):
    """`cv2.VideoCapture(url)`: FFmpeg downloads while cv2 decodes."""

    def frames(self, job: Job) -> Iterator[Picture]:
        """See `BaselineMethod`."""
        yield from self.frames_of_capture(job.url)


class PyavUrl(BaselineMethod):
    """`av.open(url)`: FFmpeg downloads and decodes, without cv2 in between."""

    def frames(self, job: Job) -> Iterator[Picture]:
        """See `BaselineMethod`."""
        import av

        with av.open(job.url, options={"ca_file": self.context.ca_file, "tls_verify": "1"}) as container:
            container.streams.video[0].thread_type = "AUTO"
            for number, picture in enumerate(container.decode(video=0)):
                if number % self.settings.frame_stride == 0:
                    yield picture.to_ndarray(format="bgr24")


class YoloStream(BaselineMethod):
    """`YOLO.predict(url, stream=True, vid_stride=n)`, which downloads the file first.

    ultralytics hands out a frame after the detector has seen it, so the time of the first frame includes the
    detector.
    """

    def run(self, job: Job) -> Row:
        """See `BaselineMethod`."""
        begin = time.perf_counter()
        row: Row = {}
        count = 0
        home = Path.cwd()
        with tempfile.TemporaryDirectory() as folder:
            # ultralytics downloads into the working directory, and only if the file is not there yet
            os.chdir(folder)
            try:
                for result in self.detector.predict(
                    job.url,
                    stream=True,
                    vid_stride=self.settings.frame_stride,
                    imgsz=self.settings.img_size,
                    device=self.device,
                    verbose=False,
                ):
                    row.setdefault("first_frame_s", time.perf_counter() - begin)
                    row["all_decoded_s"] = time.perf_counter() - begin
                    self.infer(self.pitch, result.orig_img)
                    row.setdefault("first_detections_s", time.perf_counter() - begin)
                    count += 1
            finally:
                os.chdir(home)
        row["all_sampled_s"] = row["answer_s"] = time.perf_counter() - begin
        return row | {"frames": count}
