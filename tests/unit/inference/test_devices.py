"""From the setting GPUS to a device for each child."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from services.cli.doctor_checks import device
from services.errors import ModelNotReady, SettingsError
from services.inference import cuda_devices
from services.inference.cuda_devices import count_cuda_devices, gpu_indices
from services.inference.devices import on_device, slot_name
from services.settings import load_settings
from tasks.celery_app import make_app, worker_argv


def test_without_the_setting_nothing_changes() -> None:
    settings = load_settings(worker_concurrency=3)
    assert gpu_indices(settings) == ()
    assert make_app(settings).conf.worker_concurrency == 3


def test_listed_devices_are_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_devices, "count_cuda_devices", lambda: pytest.fail("counted"))
    settings = load_settings(gpus="0,3", device="cuda")
    assert gpu_indices(settings) == (0, 3)
    assert make_app(settings).conf.worker_concurrency == 2
    assert [on_device(settings, slot_name(settings, i)).device for i in (0, 3)] == ["cuda:0", "cuda:3"]


def test_all_are_counted() -> None:
    settings = load_settings(gpus="all")
    assert gpu_indices(settings, lambda: 4) == (0, 1, 2, 3)
    with pytest.raises(ModelNotReady, match="GPUS=all"):
        gpu_indices(settings, lambda: 0)


def test_counting_asks_torch_in_another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    assert count_cuda_devices() == torch.cuda.device_count()
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(ModelNotReady, match="GPUS=all"):
        count_cuda_devices()


def test_children_on_the_cpu_have_slots_too() -> None:
    settings = load_settings(gpus="0,1", device="cpu")
    names = [slot_name(settings, index) for index in gpu_indices(settings)]
    assert names == ["cpu#0", "cpu#1"]
    assert on_device(settings, names[1]).device == "cpu"


@pytest.mark.parametrize(
    "values",
    [
        {"gpus": "0,1", "device": "cuda:1"},
        {"gpus": "all", "device": "mps"},
        {"gpus": "1,1"},
        {"gpus": "0,"},
        {"gpus": "cuda:0"},
        {"gpus": "0,1", "spare_children": "1"},
    ],
)
def test_what_contradicts_itself_is_refused(values: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="GPUS"):
        load_settings(**values)


def test_a_worker_has_a_child_for_each() -> None:
    argv = worker_argv(load_settings(), 5)
    assert argv[argv.index("--concurrency") + 1] == "5"


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    facts: Any = lambda index: SimpleNamespace(name=f"Some GPU {index}", total_memory=24e9)  # noqa: E731
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_properties", facts)


@pytest.mark.usefixtures("two_gpus")
def test_doctor_names_the_devices() -> None:
    found = [finding.detail for finding in device(load_settings(gpus="all"))]
    assert "cuda:0, cuda:1" in found[0]
    assert found[1:] == ["cuda:0 Some GPU 0, 24 GB", "cuda:1 Some GPU 1, 24 GB"]


@pytest.mark.usefixtures("two_gpus")
def test_doctor_finds_a_device_that_is_not_there() -> None:
    (finding,) = device(load_settings(gpus="0,2"))
    assert not finding.ok
    assert "cuda:2" in finding.detail


def test_doctor_without_gpus() -> None:
    details = [finding.detail for finding in device(load_settings(device="cpu"))]
    assert details[0].startswith("DEVICE=cpu: cpu")
