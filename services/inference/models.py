"""The models of one process: loaded once, warmed with the shapes that challenges have."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor, wait
from typing import Final, Protocol

import numpy as np

from services.concurrency import core_count
from services.frame_plan import batch_sizes
from services.inference import openvino_requests
from services.inference.ball_model import FindsBoxes, SeparateBallDetector, ball_detector
from services.inference.ball_network import BallNetwork, load_ball_network
from services.inference.class_map import BALL
from services.inference.cuda_devices import make_current
from services.inference.detector import Detector
from services.inference.devices import choose_device
from services.inference.fine_ball_detector import FineBallDetector, combined, load_fine_ball_detector
from services.inference.model_files import resolve_model, wanted_models
from services.inference.model_times import ModelRun, ModelTimes
from services.inference.pitch_model import PitchModel
from services.inference.runtimes import RuntimeChoice, choose_runtime, load_backend
from services.results import Detections, FrameResult, Keypoints
from services.settings import Settings
from services.video.letterbox import Frame, Image, Letterbox
from services.video.painted_lines import painted_lines
from services.video.thumbnail import thumbnail

BALL_CANDIDATE_CONFIDENCE: Final = 0.05
"""Minimum confidence of a ball candidate: below it the second ball pass finds no more balls."""
USUAL_SOURCE: Final = (1280, 720)
"""Width and height of the usual clip, in pixels; models are warmed for it."""


class FindsKeypoints(Protocol):
    """A pitch model."""

    def predict(self, images: list[Image], letterbox: Letterbox) -> list[Keypoints]:
        """The 32 keypoints of each picture, in source pixels."""


class Models:
    """The bundled predictor: a detector and, unless it is left out, a pitch model.

    Args:
        detector: Finds boxes.
        pitch: Finds keypoints, or None.
        device: The torch device, for logs and health.
        batch_sizes: Sizes of batches that are warmed, rising; a batch is padded to the next of them.
        pitch_executor: Runs the pitch model while the detector runs; without it they take turns.
        slots: Batches that may run at the same time; further ones wait.
        ball_network: Searches the ball again in the second ball pass, or None.
        ball_confidence: Minimum confidence of a ball. Those below, which the detector gives where there is a
            ball network, are ball candidates.
        fine_ball_detector: Searches the ball in each frame at full size, or None.

    Attributes:
        slots: The same.
        ball_network: The same.
    """

    def __init__(
        self,
        detector: FindsBoxes,
        pitch: FindsKeypoints | None,
        device: str,
        batch_sizes: Iterable[int] = (),
        pitch_executor: Executor | None = None,
        slots: int = 1,
        ball_network: BallNetwork | None = None,
        ball_confidence: float = 0.0,
        fine_ball_detector: FineBallDetector | None = None,
    ) -> None:
        self.detector = detector
        self.pitch = pitch
        self.device = device
        self.slots = slots
        self.ball_network = ball_network
        self._fine_ball_detector = fine_ball_detector
        self._batch_sizes = tuple(batch_sizes)
        self._pitch_executor = pitch_executor
        self._ball_confidence = ball_confidence
        # runtimes keep buffers between calls; the keep-warm thread and a challenge must not share one
        self._free = threading.Semaphore(slots)
        self._times = ModelTimes()

    def predict(self, frames: Sequence[Frame], letterbox: Letterbox) -> list[FrameResult]:
        """Run the models on one batch of frames.

        Raises:
            InferenceError: The device or a model failed.
        """
        images = [frame.image for frame in frames]
        with_pitch = [i for i, frame in enumerate(frames) if frame.keypoints and self.pitch is not None]
        with self._free:
            found, keypoints = self._run(
                self._padded(images), self._padded([images[i] for i in with_pitch]), letterbox
            )
            found = self._with_fine_balls(frames, found)
        by_frame = dict(zip(with_pitch, keypoints, strict=False))
        return [
            self._result(frame, letterbox, detections, by_frame.get(i))
            for i, (frame, detections) in enumerate(zip(frames, found, strict=True))
        ]

    def take_model_runs(self) -> list[ModelRun]:
        """The calls of `detector`, `pitch` and `fine_ball` since this was last asked."""
        return self._times.take()

    def interrupt(self) -> None:
        """End the calls of models that run now, where the runtime can do that; `predict` then raises."""
        openvino_requests.interrupt()

    def warm(self, settings: Settings) -> float:
        """Run every batch size once on pictures of the usual shapes, so that no challenge pays for it.

        Returns:
            Seconds it took.
        """
        started = time.perf_counter()
        if self.ball_network is not None:
            self.ball_network.warm()
        if self._fine_ball_detector is not None:
            self._fine_ball_detector.warm()
        for img_size in settings.bundled_img_sizes:
            for count in self._batch_sizes:
                self._run_blank(count, img_size)
        return time.perf_counter() - started

    def touch(self, settings: Settings) -> None:
        """Run one small batch, so that neither the device nor the caches of the processor fall asleep."""
        self._run_blank(1, settings.bundled_img_sizes[0])

    def _run_blank(self, count: int, img_size: int) -> None:
        letterbox = Letterbox.fit(*USUAL_SOURCE, img_size)
        grey = np.full((letterbox.input_height, letterbox.input_width, 3), 114, np.uint8)
        self.predict([Frame(0, grey)] * count, letterbox)

    def _padded(self, images: list[Image]) -> list[Image]:
        """Runtimes prepare themselves for each batch size: a short batch takes the next one that is warm."""
        count = len(images)
        full = next((size for size in self._batch_sizes if size >= count), count) if count else 0
        return images + images[-1:] * (full - count)

    def _run(
        self, images: list[Image], with_pitch: list[Image], letterbox: Letterbox
    ) -> tuple[list[Detections], Sequence[Keypoints]]:
        if self.pitch is None or not with_pitch:
            return self._detect(images, letterbox), []
        if self._pitch_executor is None:
            return self._detect(images, letterbox), self._find_keypoints(self.pitch, with_pitch, letterbox)
        keypoints = self._pitch_executor.submit(self._find_keypoints, self.pitch, with_pitch, letterbox)
        try:
            found = self._detect(images, letterbox)
        finally:
            wait([keypoints])  # also after an error: the next batch must find the model idle
        return found, keypoints.result()

    def _detect(self, images: list[Image], letterbox: Letterbox) -> list[Detections]:
        with self._times.of("detector"):
            return self.detector.predict(images, letterbox)

    def _with_fine_balls(self, frames: Sequence[Frame], found: Sequence[Detections]) -> list[Detections]:
        """The boxes of each frame with the balls that both detectors say, where there is luma for it."""
        searched = list(found[: len(frames)])
        if self._fine_ball_detector is None or all(frame.full_luma is None for frame in frames):
            return searched
        with self._times.of("fine_ball"):
            for number, frame in enumerate(frames):
                if frame.full_luma is not None:
                    fine = self._fine_ball_detector.find(frame.full_luma)
                    searched[number] = combined(searched[number], fine)
        return searched

    def _find_keypoints(
        self, pitch: FindsKeypoints, images: list[Image], letterbox: Letterbox
    ) -> list[Keypoints]:
        with self._times.of("pitch"):
            return pitch.predict(images, letterbox)

    def _result(
        self, frame: Frame, letterbox: Letterbox, found: Detections, keypoints: Keypoints | None
    ) -> FrameResult:
        candidates = (found.classes == BALL) & (found.scores < self._ball_confidence)
        searched = self._fine_ball_detector is not None and frame.full_luma is not None
        return FrameResult(
            frame.index,
            found.select(~candidates) if candidates.any() else found,
            keypoints,
            thumbnail(frame.image),
            frame.luma_pictures,
            found.select(candidates) if frame.luma_pictures and not searched else None,
            painted_lines(frame.image, letterbox, found.boxes) if _any_found(keypoints) else None,
        )


def _any_found(keypoints: Keypoints | None) -> bool:
    return keypoints is not None and bool((keypoints.scores > 0).any())


def load_models(settings: Settings) -> Models:
    """Load what the settings name.

    Raises:
        ModelNotReady: A file is missing, is no model, does not fit its use, or the device is not there.
    """
    wanted = wanted_models(settings)
    paths = {variable: resolve_model(name, variable, settings) for variable, name in wanted.items()}
    device = choose_device(settings.device)
    if device.startswith("cuda"):
        make_current(device)
    choices = {variable: choose_runtime(path, device, settings) for variable, path in paths.items()}
    slots, threads, pitch_executor = _share_cores(choices, device, settings)
    loaded = {
        variable: load_backend(choice, settings, slots, threads) for variable, choice in choices.items()
    }
    limits = settings.conf_threshold, settings.max_detections
    ball_network = load_ball_network(settings.runtime) if settings.second_ball_pass else None
    candidates = min(BALL_CANDIDATE_CONFIDENCE, settings.conf_threshold) if ball_network else None
    detector: FindsBoxes = Detector(
        loaded["DETECTOR_MODEL"], *limits, settings.class_map, ball_confidence=candidates
    )
    if "BALL_MODEL" in loaded:
        detector = SeparateBallDetector(detector, ball_detector(loaded["BALL_MODEL"], *limits))
    pitch = None
    if "PITCH_MODEL" in loaded:
        pitch = PitchModel(loaded["PITCH_MODEL"], settings.pitch_conf_threshold, settings.pitch_img_size)
    sizes = sorted({1, *batch_sizes(settings.first_batch_size, settings.batch_size)})
    fine = None
    if settings.fine_ball_detector:
        fine = load_fine_ball_detector(settings.runtime, device, slots, threads)
    return Models(
        detector, pitch, device, sizes, pitch_executor, slots, ball_network, settings.conf_threshold, fine
    )


def _share_cores(
    choices: dict[str, RuntimeChoice], device: str, settings: Settings
) -> tuple[int, int, Executor | None]:
    """Batches at the same time, CPU threads of each, and what runs the pitch model beside the detector.

    Small networks do not fill several cores, so the cores are shared among what runs at the same time: under
    OpenVINO batches, in torch on the CPU the two models.
    """
    cores = core_count()
    if all(choice.runtime == "openvino" for choice in choices.values()):
        slots = settings.inference_slots or cores
        return slots, settings.torch_threads or max(1, cores // slots), None
    side_by_side = device == "cpu" and "PITCH_MODEL" in choices
    threads = settings.torch_threads or max(1, cores // (2 if side_by_side else 1))
    _set_torch_threads(threads)
    if not side_by_side:
        return 1, threads, None
    return 1, threads, ThreadPoolExecutor(1, "touchline-pitch", _set_torch_threads, (threads,))


def _set_torch_threads(count: int) -> None:
    import torch

    # importing ultralytics sets one, for its own data loaders; the number belongs to the calling thread
    torch.set_num_threads(count)
