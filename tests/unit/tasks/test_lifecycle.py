from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest
from celery.signals import task_postrun

from tasks import lifecycle


class Node:
    """Refers to itself, so that only the collector frees it."""

    def __init__(self) -> None:
        self.me = self


def left_over() -> weakref.ref[Node]:
    node = Node()
    gc.collect(0)
    gc.collect(1)  # old, as what lived through a challenge is
    return weakref.ref(node)


@pytest.fixture
def no_collector() -> Any:
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collector")
def test_what_a_challenge_leaves_is_collected_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle._Child, "state", object())
    left = left_over()
    assert left() is not None
    task_postrun.send(sender=None)
    assert left() is None


@pytest.mark.usefixtures("no_collector")
def test_other_processes_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle._Child, "state", None)
    left = left_over()
    task_postrun.send(sender=None)
    assert left() is not None
