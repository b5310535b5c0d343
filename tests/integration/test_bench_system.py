"""The system that the scale benchmark measures: real workers, real challenges, their processes."""

from __future__ import annotations

import pytest

from services.wire.gsr import decode_response
from touchline_lab.benchmarks.meter import cpu_seconds, resident_mb
from touchline_lab.benchmarks.system import System
from touchline_lab.demo_origin.server import DemoOrigin

pytestmark = pytest.mark.integration


def test_challenges_are_answered_and_metered(origin: DemoOrigin, clip_url: str) -> None:
    with System(clip_url, str(origin.ca_file), env={"FRAME_STRIDE": "12"}) as system:
        one = system.answer(clip_url)
        before = cpu_seconds(system.processes())
        several = system.answer_at(clip_url, [0.0, 0.0, 0.1])
        assert cpu_seconds(system.processes()) > before
        (child,) = system.children()
        assert resident_mb(child) == max(resident_mb(pid) for pid in system.processes())
    assert len(decode_response(one.body).frames) == 100
    assert one.service_s > 0
    # one worker: the last one waited for the others
    assert max(found.queue_s for found in several) > min(found.service_s for found in several)
    assert all(found.wall_s > found.queue_s >= 0 for found in several)
    assert system.processes() == []
