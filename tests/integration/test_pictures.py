"""Pictures of a challenge, fetched from a real TLS + HTTP/2 origin."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import pytest

from services.cancellation import CancelScope
from services.deadline import Deadline
from services.download.pool import ConnectionPool
from services.errors import ChallengeError, SourceRejected, StreamStalled, TooLarge, UrlRefused
from services.frame_plan import FramePlan
from services.pipeline.pictures import Pictures
from services.timeline import Timeline
from services.video.letterbox import Letterbox
from services.wire.challenge import ChallengeFrame
from tests.support.downloads import loopback_settings
from tests.support.videos import numbered_picture, read_number
from touchline_lab.demo_origin.server import DemoOrigin

pytestmark = pytest.mark.integration


def pictures(origin: DemoOrigin, urls: Sequence[str], scope: CancelScope, **changed: object) -> list[int]:
    """Fetch and decode; the numbers that the pictures show."""
    settings = loopback_settings(origin, **changed)
    pool = ConnectionPool(settings)
    frames = [ChallengeFrame(i, url) for i, url in enumerate(urls)]
    try:
        source = Pictures(pool, frames, settings, Deadline.after(60), scope, Timeline())
        clip = source.open(settings.max_frames, settings.max_pixels)
        plan, box = FramePlan(1, clip.count), Letterbox.fit(320, 192, 320)
        return [read_number(frame.image) for frame in clip.frames(plan, box)]
    finally:
        pool.close()


@pytest.fixture
def urls(origin: DemoOrigin, origin_folder: Path) -> list[str]:
    for number in (5, 6):
        image = cv2.cvtColor(numbered_picture(number, 320, 192), cv2.COLOR_RGB2BGR)
        cv2.imwrite(str(origin_folder / f"picture_{number}.png"), image)
    return [origin.url("picture_5.png"), origin.url("picture_6.png")]


def test_pictures_come_over_one_connection(origin: DemoOrigin, urls: list[str]) -> None:
    before = origin.stats().handshakes
    assert pictures(origin, urls, CancelScope()) == [5, 6]
    assert origin.stats().handshakes == before + 1


def test_what_goes_wrong_has_its_type(origin: DemoOrigin, urls: list[str]) -> None:
    cases: dict[str, tuple[str, type[ChallengeError], dict[str, object]]] = {
        "not there": (origin.url("picture_none.png"), SourceRejected, {}),
        "refused": ("ftp://127.0.0.1/x.png", UrlRefused, {}),
        "large": (urls[1], TooLarge, {"max_video_mb": 0.001}),
        "silent": (origin.url("picture_6.png", stall_after=1000), StreamStalled, {"stall_timeout_s": 2.0}),
    }
    for name, (url, error, changed) in cases.items():
        with pytest.raises(error) as caught:
            pictures(origin, [url], CancelScope(), **changed)
        assert type(caught.value) is error, name


def test_a_cancel_ends_a_read_that_waits(origin: DemoOrigin, urls: list[str]) -> None:
    import threading

    scope = CancelScope()
    threading.Timer(0.3, scope.cancel).start()
    started = time.monotonic()
    with pytest.raises(ChallengeError):
        pictures(origin, [origin.url("picture_6.png", stall_after=1000)], scope)
    assert time.monotonic() - started < 15
