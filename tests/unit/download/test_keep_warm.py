from __future__ import annotations

import logging
import threading

import pytest

from services.download.keep_warm import KeepWarm
from services.errors import ConnectFailed, InferenceError


class FakePool:
    def __init__(self) -> None:
        self.down = False
        self.touched: list[str] = []

    def origins(self) -> tuple[str, ...]:
        return ("https://used/",)

    def refresh_dns(self, url: str) -> None:
        pass

    def warmup(self, url: str) -> float:
        if self.down:
            raise ConnectFailed("down")
        self.touched.append(url)
        return 0.0


def test_configured_and_used_origins_are_touched_once_each() -> None:
    pool = FakePool()
    KeepWarm(pool, ["https://a/", "https://used/"], 60, lambda: False).touch_all()  # type: ignore[arg-type]
    assert pool.touched == ["https://a/", "https://used/"]


def test_a_lost_origin_is_told_once_and_so_is_its_return(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    pool = FakePool()
    keeper = KeepWarm(pool, [], 60, lambda: False)  # type: ignore[arg-type]
    pool.down = True
    assert keeper.touch_all() == {"https://used/": "down"}
    keeper.touch_all()
    pool.down = False
    keeper.touch_all()
    keeper.touch_all()
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


@pytest.mark.parametrize("error", [InferenceError("device"), RuntimeError("of a plug-in")])
def test_a_device_that_fails_does_not_end_the_thread(error: Exception) -> None:
    pool, twice, calls = FakePool(), threading.Event(), []

    def also() -> None:
        calls.append(1)
        if len(calls) == 2:
            twice.set()
        raise error

    keeper = KeepWarm(pool, [], 0.01, lambda: False, also)  # type: ignore[arg-type]
    keeper.start()
    assert twice.wait(10)
    keeper.stop()
