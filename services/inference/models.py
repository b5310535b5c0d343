"""The models of one process: loaded once, warmed with the shapes that challenges have."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Executor, ThreadPoolExecutor, wait
from typing import Protocol

import numpy as np

from services.contracts.results import Detections, FrameResult, Keypoints
from services.inference.backend import Backend, choose_device
from services.inference.detector import Detector
from services.inference.pitch_model import PitchModel
from services.inference.registry import resolve_model
from services.settings import Settings
from services.video.picture import Frame, Image, Letterbox
from services.video.plan import batch_sizes


class DetectorModel(Protocol):
    """What finds boxes; another runtime takes part by having this method."""

    def predict(self, images: list[Image], box: Letterbox) -> list[Detections]:
        """Boxes of each picture, in source pixels."""


class KeypointModel(Protocol):
    """What finds the pitch's keypoints."""

    def predict(self, images: list[Image], box: Letterbox) -> list[Keypoints]:
        """The 32 keypoints of each picture, in source pixels."""


class Models:
    """A detector and, unless it is left out, a keypoint model.

    Args:
        detector: Finds boxes.
        pitch: Finds keypoints, or None.
        device: The torch device, for logs and health.
        sizes: Batch sizes to use, rising; a batch is padded to the next of them.
        beside: Runs the keypoint model beside the detector; without it they take turns.
    """

    def __init__(
        self,
        detector: DetectorModel,
        pitch: KeypointModel | None,
        device: str,
        sizes: Sequence[int] = (),
        beside: Executor | None = None,
    ) -> None:
        self._beside = beside
        self._sizes = tuple(sizes)
        self.lanes = 1
        self.detector = detector
        self.pitch = pitch
        self.device = device
        # runtimes keep buffers between calls; keep-warm and a challenge must not share one
        self._lock = threading.Lock()

    def predict(self, frames: Sequence[Frame], box: Letterbox) -> list[FrameResult]:
        """Run both models on one batch of frames.

        Raises:
            InferenceError: The device or a model failed.
        """
        images = [frame.image for frame in frames]
        # runtimes prepare themselves per batch size: a short batch takes the next one that was warmed
        full = next((size for size in self._sizes if size >= len(images)), len(images))
        images += [images[-1]] * (full - len(images))
        with self._lock:
            found, points = self._both(images, box)
        return [
            FrameResult(frame.index, boxes, keypoints)
            for frame, boxes, keypoints in zip(frames, found, points, strict=False)
        ]

    def _both(
        self, images: list[Image], box: Letterbox
    ) -> tuple[list[Detections], Sequence[Keypoints | None]]:
        if self.pitch is None:
            return self.detector.predict(images, box), [None] * len(images)
        if self._beside is None:
            return self.detector.predict(images, box), self.pitch.predict(images, box)
        keypoints = self._beside.submit(self.pitch.predict, images, box)
        try:
            found = self.detector.predict(images, box)
        finally:
            wait([keypoints])  # also after an error: the next batch must find the model idle
        return found, keypoints.result()

    def warm(self, settings: Settings) -> float:
        """Run every batch size once on a picture of the usual shape, so that no challenge pays for it.

        Returns:
            Seconds it took.
        """
        started = time.perf_counter()
        box = Letterbox.fit(1280, 720, settings.img_size)
        blank = Frame(0, np.full((box.net_height, box.net_width, 3), 114, np.uint8))
        for size in self._sizes:
            self.predict([blank] * size, box)
        return time.perf_counter() - started

    def touch(self, settings: Settings) -> None:
        """Run one small batch, so that neither the device nor the caches fall asleep."""
        box = Letterbox.fit(1280, 720, settings.img_size)
        self.predict([Frame(0, np.full((box.net_height, box.net_width, 3), 114, np.uint8))], box)


def load_models(settings: Settings) -> Models:
    """Load what the settings name.

    Raises:
        ModelNotReady: A file is missing, is no model, does not fit its use, or the device is not there.
    """
    detector_path = resolve_model(settings.detector_model, "DETECTOR_MODEL")
    pitch_path = None if settings.skip_pitch else resolve_model(settings.pitch_model, "PITCH_MODEL")
    device = choose_device(settings.device)
    half = settings.half and device.startswith("cuda")
    detector = Detector(
        Backend(detector_path, device, half), settings.conf_threshold, settings.max_detections
    )
    pitch = None
    if pitch_path is not None:
        pitch = PitchModel(Backend(pitch_path, device, half), settings.pitch_conf_threshold)
    sizes = sorted({1, *batch_sizes(settings.first_batch_size, settings.batch_size)})
    # small networks do not fill several cores, two of them do: on a CPU they run side by side
    apart = device == "cpu" and pitch is not None
    threads = settings.torch_threads or max(1, (os.cpu_count() or 1) // (2 if apart else 1))
    _set_threads(threads)
    beside = ThreadPoolExecutor(1, "touchline-pitch", _set_threads, (threads,)) if apart else None
    return Models(detector, pitch, device, sizes, beside)


def _set_threads(count: int) -> None:
    import torch

    # importing ultralytics sets one, for its own data loaders; the number belongs to the calling thread
    torch.set_num_threads(count)
