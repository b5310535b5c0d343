"""How others answer a clip: the same models, picture size and stride, one frame at a time through `YOLO()`.

All of them stop at raw detections: without tracks, fill and encoding, which is in their favour.
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
"""(height, width, 3) uint8, BGR, as cv2 gives it."""


class BaselineMethod:
    """Frames from somewhere, then detector and pitch model on each."""

    def __init__(self, context: Context) -> None:
        from ultralytics import YOLO

        from services.inference.backend import choose_device
        from services.inference.registry import resolve_model

        self.context = context
        self.settings = context.settings()
        self.device = choose_device(self.settings.device)
        self.detector = YOLO(str(resolve_model(self.settings.detector_model, "DETECTOR_MODEL")))
        self.pitch = YOLO(str(resolve_model(self.settings.pitch_model, "PITCH_MODEL")))

    def run(self, job: Job) -> Row:
        """Answer the clip."""
        begin = time.perf_counter()
        row: Row = {}
        count = 0
        for frame in self.frames(job):
            row.setdefault("first_frame_s", time.perf_counter() - begin)
            row["all_decoded_s"] = time.perf_counter() - begin
            self.look(self.detector, frame)
            self.look(self.pitch, frame)
            row.setdefault("first_detections_s", time.perf_counter() - begin)
            count += 1
        row["all_sampled_s"] = row["answer_s"] = time.perf_counter() - begin
        return row | {"frames": count}

    def frames(self, job: Job) -> Iterator[Picture]:
        """The sampled frames."""
        raise NotImplementedError

    def look(self, model: Any, frame: Picture) -> None:
        """One picture through one model."""
        model.predict(frame, imgsz=self.settings.img_size, device=self.device, verbose=False)

    def close(self) -> None:
        """Nothing is kept."""

    def captured(self, source: str) -> Iterator[Picture]:
        """Every n-th picture that cv2 reads."""
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
    """A fresh httpx GET of the whole body, a temporary file, cv2."""

    def frames(self, job: Job) -> Iterator[Picture]:
        import httpx

        context = ssl.create_default_context(cafile=self.context.ca_file)
        with tempfile.NamedTemporaryFile(suffix=".mp4") as file:
            file.write(httpx.get(job.url, verify=context, timeout=60, trust_env=False).content)
            file.flush()
            yield from self.captured(file.name)


class Cv2Url(BaselineMethod):
    """`cv2.VideoCapture(url)`."""

    def frames(self, job: Job) -> Iterator[Picture]:
        yield from self.captured(job.url)


class PyavUrl(BaselineMethod):
    """`av.open(url)`."""

    def frames(self, job: Job) -> Iterator[Picture]:
        import av

        with av.open(job.url, options={"ca_file": self.context.ca_file, "tls_verify": "1"}) as container:
            container.streams.video[0].thread_type = "AUTO"
            for number, picture in enumerate(container.decode(video=0)):
                if number % self.settings.frame_stride == 0:
                    yield picture.to_ndarray(format="bgr24")


class YoloStream(BaselineMethod):
    """`YOLO.predict(url, stream=True, vid_stride=n)`, which downloads the file first.

    It yields after the detector, so its first frame and its first detections fall together.
    """

    def run(self, job: Job) -> Row:
        begin = time.perf_counter()
        row: Row = {}
        count = 0
        home = Path.cwd()
        with tempfile.TemporaryDirectory() as folder:
            # the download lands in the working directory, and is not repeated where the file is there
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
                    self.look(self.pitch, result.orig_img)
                    row.setdefault("first_detections_s", time.perf_counter() - begin)
                    count += 1
            finally:
                os.chdir(home)
        row["all_sampled_s"] = row["answer_s"] = time.perf_counter() - begin
        return row | {"frames": count}
