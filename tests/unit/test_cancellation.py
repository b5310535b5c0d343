from __future__ import annotations

import pytest

from services.cancellation import CancelScope
from services.errors import Cancelled


def test_callbacks_run_once_in_reverse_order() -> None:
    scope, seen = CancelScope(), []
    scope.on_cancel(lambda: seen.append("first"))
    scope.on_cancel(lambda: seen.append("second"))
    scope.check("x")
    scope.cancel()
    scope.cancel()
    assert seen == ["second", "first"]
    with pytest.raises(Cancelled):
        scope.check("x")


def test_late_callback_runs_at_once() -> None:
    scope, seen = CancelScope(), []
    scope.cancel()
    scope.on_cancel(lambda: seen.append(1))
    assert seen == [1]
