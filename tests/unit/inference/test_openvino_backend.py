"""OpenVINO's side of inference, with the bundled models."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from services.errors import ModelNotReady
from services.inference.bundled_models import WEIGHTS
from services.inference.openvino_backend import OpenVinoBackend
from services.video.letterbox import Image


@pytest.fixture(scope="module")
def backend() -> OpenVinoBackend:
    return OpenVinoBackend(WEIGHTS / "touchline-detect.int8.xml", slots=2, threads=1)


def noise(count: int) -> list[Image]:
    return list(np.random.default_rng(5).integers(0, 255, (count, 224, 384, 3), np.uint8))


def test_it_knows_its_classes(backend: OpenVinoBackend) -> None:
    assert backend.names == {0: "ball", 1: "goalkeeper", 2: "player", 3: "referee"}
    assert (backend.keypoint_shape, backend.end2end) == (None, False)


def test_batches_at_once_give_what_batches_in_turn_give(backend: OpenVinoBackend) -> None:
    batches = [noise(4)[shift:] + noise(4)[:shift] for shift in range(4)] * 3
    turns = [backend.forward(batch) for batch in batches]
    with ThreadPoolExecutor(4) as threads:  # more than there are slots
        together = list(threads.map(backend.forward, batches))
    for one, other in zip(turns, together, strict=True):
        np.testing.assert_array_equal(one, other)
    assert turns[0].shape == (4, 8, 1344 + 336 + 84), "anchors at strides 8, 16 and 32"


def test_a_result_is_not_overwritten_by_the_next_batch(backend: OpenVinoBackend) -> None:
    first = backend.forward(noise(1))
    kept = first.copy()
    backend.forward([np.zeros((224, 384, 3), np.uint8)])
    np.testing.assert_array_equal(first, kept)


def test_other_picture_sizes(backend: OpenVinoBackend) -> None:
    assert backend.forward([np.zeros((128, 160, 3), np.uint8)]).shape == (1, 8, 320 + 80 + 20)


def test_file_that_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "x.xml").write_text("no model")
    with pytest.raises(ModelNotReady, match="not an OpenVINO model"):
        OpenVinoBackend(tmp_path / "x.xml", 1, 1)
