"""What only a GPU can show: skipped where CUDA sees none. `make test
PYTEST_ARGS=tests/integration/test_cuda.py` runs these alone."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np
import pytest
import torch

from services.errors import OutOfDeviceMemory
from services.frame_plan import FramePlan
from services.inference.models import Models, load_models
from services.results import FrameResult
from services.settings import load_settings
from services.video.decode import DecodeLimits, open_clip, open_clip_on
from services.video.letterbox import Frame, Letterbox
from services.video.nvdec import choose_decoder
from services.video.source import MemorySource
from services.wire.gsr import frames_part
from tasks.client import submit
from tests.support.servers import MakeWorker
from touchline_lab.evaluation.scoring import overlaps, score_answer
from touchline_lab.renderer.clip_store import StoredClip

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="CUDA sees no GPU here"),
    pytest.mark.filterwarnings("default"),  # the driver's and torch's own warnings differ by machine
]
LIMITS = DecodeLimits(1000, 1 << 22)
PLAN = FramePlan(100, 6)


@pytest.fixture(scope="module")
def pictures(clip_4s: StoredClip) -> tuple[list[Frame], Letterbox]:
    clip = open_clip(MemorySource(clip_4s.path.read_bytes()), LIMITS)
    letterbox = Letterbox.fit(clip.width, clip.height, 640)
    return list(clip.frames(PLAN, letterbox)), letterbox


@pytest.fixture(scope="module")
def gpu() -> Models:
    return load_models(load_settings(device="cuda", runtime="torch", img_size=640))


@pytest.fixture
def little_memory() -> Iterator[None]:
    """torch may use a thousandth of the device's memory meanwhile."""
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(0.001)
    yield
    torch.cuda.set_per_process_memory_fraction(1.0)


def same_share(found: list[FrameResult], expected: list[FrameResult]) -> float:
    """The share of the expected boxes that were found, of the same class and with an IoU of 0.8."""
    hits = total = 0
    for one, other in zip(found, expected, strict=True):
        overlap = overlaps(one.detections.boxes.astype(float), other.detections.boxes.astype(float))
        same = one.detections.classes[:, None] == other.detections.classes[None]
        total += len(other.detections.boxes)
        hits += int(((overlap > 0.8) & same).any(0).sum()) if overlap.size else 0
    return hits / total


def test_the_gpu_finds_what_the_cpu_finds(gpu: Models, pictures: tuple[list[Frame], Letterbox]) -> None:
    cpu = load_models(load_settings(device="cpu", runtime="torch", img_size=640))
    on_gpu, on_cpu = gpu.predict(*pictures), cpu.predict(*pictures)
    assert sum(len(result.detections.boxes) for result in on_cpu) > 100
    assert same_share(on_gpu, on_cpu) > 0.97
    for one, other in zip(on_gpu, on_cpu, strict=True):
        assert one.keypoints is not None
        assert other.keypoints is not None
        both = (one.keypoints.scores > 0) & (other.keypoints.scores > 0)
        assert np.abs(one.keypoints.points - other.keypoints.points)[both].max(initial=0) < 4.0


def test_the_same_pictures_give_the_same_bytes(gpu: Models, pictures: tuple[list[Frame], Letterbox]) -> None:
    first, again = gpu.predict(*pictures), gpu.predict(*pictures)
    for one, other in zip(first, again, strict=True):
        assert one.detections.boxes.tobytes() == other.detections.boxes.tobytes()
        assert one.detections.scores.tobytes() == other.detections.scores.tobytes()


def test_too_little_memory_on_the_device_is_named(
    pictures: tuple[list[Frame], Letterbox], little_memory: None
) -> None:
    frames, letterbox = pictures
    with pytest.raises(OutOfDeviceMemory, match="BATCH_SIZE"):
        load_models(load_settings(device="cuda", runtime="torch", img_size=640)).predict(
            frames * 16, letterbox
        )


def test_a_worker_on_the_gpu_answers_twice_with_the_same_bytes(
    make_worker: MakeWorker, clip_url: str, clip_4s: StoredClip
) -> None:
    worker = make_worker(DEVICE="cuda", GPUS="all", RUNTIME="torch")
    answers = [
        submit(clip_url, challenge_id=name, redis_url=worker.redis_url, deadline_s=60).wait()
        for name in ("gpu-1", "gpu-2")
    ]
    assert frames_part(answers[0].body) == frames_part(answers[1].body)
    score = score_answer(msgspec.json.decode(answers[0].body)["frames"], clip_4s.truth)
    assert score.located > 0.9
    assert score.objects["player"].recall > 0.6


def test_nvdec_gives_the_pictures_that_the_cpu_gives(clip_4s: StoredClip) -> None:
    choice = choose_decoder("cuda:0")
    if choice.device is None:
        pytest.skip(str(choice))
    data = clip_4s.path.read_bytes()
    by_gpu, used = open_clip_on(choice, MemorySource(data), LIMITS)
    assert used.device is not None, str(used)
    by_cpu = open_clip(MemorySource(data), LIMITS)
    letterbox = Letterbox.fit(by_cpu.width, by_cpu.height, 640)
    on_gpu, on_cpu = list(by_gpu.frames(PLAN, letterbox)), list(by_cpu.frames(PLAN, letterbox))
    assert [frame.index for frame in on_gpu] == [frame.index for frame in on_cpu]
    for one, other in zip(on_gpu, on_cpu, strict=True):
        assert np.abs(one.image.astype(int) - other.image.astype(int)).mean() < 3.0
