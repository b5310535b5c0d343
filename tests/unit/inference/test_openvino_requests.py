"""Calls of a real OpenVINO model that takes seconds, and that are ended before."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, wait
from typing import Any

import numpy as np
import pytest

from services.errors import InferenceError
from services.inference.openvino_requests import OpenVinoRequests, interrupt

openvino = pytest.importorskip("openvino")
SHAPE = (1, 32, 192, 192)
LAYERS = 120
"""A second and more of one core."""


def slow_model() -> Any:
    from openvino import opset13 as ops

    rng = np.random.default_rng(1)
    picture = ops.parameter([-1, 32, -1, -1], np.float32)
    found: Any = picture
    for _ in range(LAYERS):
        weights = ops.constant(rng.normal(0, 0.05, (32, 32, 3, 3)).astype(np.float32))
        found = ops.relu(ops.convolution(found, weights, [1, 1], [1, 1], [1, 1], [1, 1]))
    return openvino.Model([found], [picture])


def prepare(steps: Any) -> None:
    steps.input().tensor().set_element_type(openvino.Type.u8)
    steps.input().preprocess().convert_element_type(openvino.Type.f32)


def end_calls_that_run() -> None:
    requests = OpenVinoRequests(openvino.Core(), slow_model(), prepare, slots=2, threads=1)
    pictures = np.ones(SHAPE, np.uint8)
    expected = requests.infer(pictures, SHAPE)

    interruptions = 0
    with ThreadPoolExecutor(2) as threads:
        # enough for seconds: no call is over before it is ended
        many = np.ones((16, *SHAPE[1:]), np.uint8)
        calls = [threads.submit(requests.infer, many, many.shape) for _ in range(2)]
        while wait(calls, 0.05).not_done:
            interrupt()
            interruptions += 1
        ends = [call.exception() for call in calls]
    assert all(isinstance(end, InferenceError) for end in ends), (ends, interruptions)

    np.testing.assert_array_equal(requests.infer(pictures, SHAPE), expected)


def test_calls_that_run_are_ended_and_the_model_can_be_called_again() -> None:
    # in a process that does nothing else, as a worker is
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        process.submit(end_calls_that_run).result()


def test_where_nothing_runs_there_is_nothing_to_end() -> None:
    interrupt()
