"""The answer depends on the samples, not on the batches in which they came."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from services.challenges.gsr_kind import GsrKind
from services.frame_plan import FramePlan
from services.results import FrameResult
from tests.unit.lab.evaluation.clips import Knowing, settings, tiny
from touchline_lab.evaluation.inferred_clip import CHALLENGE, InferredClip, infer_clip


@pytest.fixture(scope="module")
def inferred(tmp_path_factory: pytest.TempPathFactory) -> InferredClip:
    folder: Path = tmp_path_factory.mktemp("batches")
    data, known = tiny(folder)
    return infer_clip(data, Knowing(known.truth), settings())


def answer(inferred: InferredClip, results: list[FrameResult], sizes: list[int]) -> bytes:
    assembly = GsrKind().assemble(CHALLENGE, inferred.clip, FramePlan(2, 15), settings(2))
    at = 0
    for size in sizes:
        assembly.add(results[at : at + size])
        at += size
    assert at >= len(results)
    assembly.fill()
    return assembly.encode(0.0)


def test_batches_leave_no_trace(inferred: InferredClip) -> None:
    results = inferred.results[::2]
    whole = answer(inferred, results, [len(results)])
    assert answer(inferred, results, [1] * len(results)) == whole
    assert answer(inferred, results, [1, 2, 4, 8]) == whole


def test_samples_at_uneven_distances_are_filled_as_well(inferred: InferredClip) -> None:
    uneven = [inferred.results[i] for i in (0, 1, 4, 6, 9, 10, 14)]
    body = answer(inferred, uneven, [3, 4])
    assert body == answer(inferred, uneven, [7])
    assert body.count(b'"frame_number"') == 15
    assert np.all([b'"class_id":2' in part for part in body.split(b'"frame_number"')[1:]])
