"""The models of one process: loaded once, warmed with the shapes that challenges have."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Executor, ThreadPoolExecutor, wait
from typing import Protocol

import numpy as np

from services.frame_plan import batch_sizes
from services.inference.backend import choose_device
from services.inference.ball_model import SeparateBallDetector, ball_detector
from services.inference.ball_network import BallNetwork, load_ball_network
from services.inference.class_map import BALL
from services.inference.detector import Detector
from services.inference.pitch_model import PitchModel
from services.inference.registry import resolve_model, wanted_models
from services.inference.runtimes import choose_runtime, load_backend
from services.results import Detections, FrameResult, Keypoints
from services.settings import Settings
from services.video.letterbox import Frame, Image, Letterbox
from services.video.thumbnail import thumbnail

HINT_CONFIDENCE = 0.05
"""Minimum confidence of a ball that is sampled once more."""


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
        slots: Batches that may run at once; further ones wait.
        ball: Looks for the ball once more, or None.
        confidence: Minimum confidence of a ball, where the detector gives less sure ones for `ball` to look
        at.

    Attributes:
        slots: The same.
        ball: The same.
    """

    def __init__(
        self,
        detector: DetectorModel,
        pitch: KeypointModel | None,
        device: str,
        sizes: Sequence[int] = (),
        beside: Executor | None = None,
        slots: int = 1,
        ball: BallNetwork | None = None,
        confidence: float = 0.0,
    ) -> None:
        self._beside = beside
        self._sizes = tuple(sizes)
        self.slots = slots
        self.ball = ball
        self._confidence = confidence
        self.detector = detector
        self.pitch = pitch
        self.device = device
        # runtimes keep buffers between calls; keep-warm and a challenge must not share one
        self._free = threading.Semaphore(slots)

    def predict(self, frames: Sequence[Frame], box: Letterbox) -> list[FrameResult]:
        """Run both models on one batch of frames.

        Raises:
            InferenceError: The device or a model failed.
        """
        images = [frame.image for frame in frames]
        with_pitch = [i for i, frame in enumerate(frames) if frame.keypoints and self.pitch is not None]
        with self._free:
            found, points = self._both(
                self._padded(images), self._padded([images[i] for i in with_pitch]), box
            )
        by_frame = dict(zip(with_pitch, points, strict=False))
        return [
            self._result(frame, boxes, by_frame.get(i))
            for i, (frame, boxes) in enumerate(zip(frames, found, strict=False))
        ]

    def _result(self, frame: Frame, found: Detections, points: Keypoints | None) -> FrameResult:
        unsure = (found.classes == BALL) & (found.scores < self._confidence)
        return FrameResult(
            frame.index,
            found.some(~unsure) if unsure.any() else found,
            points,
            thumbnail(frame.image),
            frame.luma_pictures,
            found.some(unsure) if frame.luma_pictures else None,
        )

    def _padded(self, images: list[Image]) -> list[Image]:
        """Runtimes prepare themselves per batch size: a short batch takes the next one that was warmed."""
        count = len(images)
        full = next((size for size in self._sizes if size >= count), count) if count else 0
        return images + images[-1:] * (full - count)

    def _both(
        self, images: list[Image], with_pitch: list[Image], box: Letterbox
    ) -> tuple[list[Detections], Sequence[Keypoints]]:
        if self.pitch is None or not with_pitch:
            return self.detector.predict(images, box), []
        if self._beside is None:
            return self.detector.predict(images, box), self.pitch.predict(with_pitch, box)
        keypoints = self._beside.submit(self.pitch.predict, with_pitch, box)
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
        if self.ball is not None:
            self.ball.warm()
        box = Letterbox.fit(1280, 720, settings.img_size)
        blank = Frame(0, np.full((box.input_height, box.input_width, 3), 114, np.uint8))
        for size in self._sizes:
            self.predict([blank] * size, box)
        return time.perf_counter() - started

    def touch(self, settings: Settings) -> None:
        """Run one small batch, so that neither the device nor the caches fall asleep."""
        box = Letterbox.fit(1280, 720, settings.img_size)
        self.predict([Frame(0, np.full((box.input_height, box.input_width, 3), 114, np.uint8))], box)


def load_models(settings: Settings) -> Models:
    """Load what the settings name.

    Raises:
        ModelNotReady: A file is missing, is no model, does not fit its use, or the device is not there.
    """
    paths = {
        variable: resolve_model(name, variable, settings)
        for variable, name in wanted_models(settings).items()
    }
    device = choose_device(settings.device)
    if device.startswith("cuda"):
        _be_on(device)
    cores = os.cpu_count() or 1
    chosen = {use: choose_runtime(path, device, settings) for use, path in paths.items()}
    if all(choice.openvino for choice in chosen.values()):
        # small networks do not fill several cores: each core has a batch of its own
        slots = settings.inference_slots or cores
        threads = settings.torch_threads or max(1, cores // slots)
        beside = None
    else:
        slots = 1
        # the same reason: on a CPU the two models run side by side
        apart = device == "cpu" and "PITCH_MODEL" in chosen
        threads = settings.torch_threads or max(1, cores // (2 if apart else 1))
        _set_threads(threads)
        beside = ThreadPoolExecutor(1, "touchline-pitch", _set_threads, (threads,)) if apart else None
    loaded = {use: load_backend(choice, settings, slots, threads) for use, choice in chosen.items()}
    limits = settings.conf_threshold, settings.max_detections
    ball = load_ball_network(settings.runtime) if settings.second_ball_pass else None
    ball_candidates = None if ball is None else min(HINT_CONFIDENCE, settings.conf_threshold)
    detector: DetectorModel = Detector(
        loaded["DETECTOR_MODEL"], *limits, settings.class_map, ball_confidence=ball_candidates
    )
    if "BALL_MODEL" in loaded:
        detector = SeparateBallDetector(detector, ball_detector(loaded["BALL_MODEL"], *limits))
    pitch = None
    if "PITCH_MODEL" in loaded:
        pitch = PitchModel(loaded["PITCH_MODEL"], settings.pitch_conf_threshold)
    sizes = sorted({1, *batch_sizes(settings.first_batch_size, settings.batch_size)})
    return Models(detector, pitch, device, sizes, beside, slots, ball, settings.conf_threshold)


def _be_on(device: str) -> None:
    import torch

    # what does not name its device would make a context on the first GPU, which may be another child's
    torch.cuda.set_device(device)


def _set_threads(count: int) -> None:
    import torch

    # importing ultralytics sets one, for its own data loaders; the number belongs to the calling thread
    torch.set_num_threads(count)
