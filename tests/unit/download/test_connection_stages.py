"""The steps of opening a connection, as stages of a timeline."""

from __future__ import annotations

import pytest

from services.download.connection_setup import ConnectionSetup
from services.download.connection_stages import note_connection
from services.timeline import Timeline


def test_the_steps_follow_each_other_and_make_up_the_connect_stage() -> None:
    timeline = Timeline()
    note_connection(timeline, 1.0, ConnectionSetup(0.1, 0.2, 0.4, "192.0.2.1", "h2"), 0.7)
    found = timeline.to_dict()
    ends = {stage: found["stages"][stage]["end"] for stage in ("connect", "dns", "tcp", "tls")}
    assert ends == pytest.approx({"connect": 1.7, "dns": 1.1, "tcp": 1.3, "tls": 1.7})
    assert found["facts"]["alpn"] == "h2"


def test_a_connection_that_was_open_takes_no_time() -> None:
    timeline = Timeline()
    note_connection(timeline, 1.0)
    stages = timeline.to_dict()["stages"]
    assert [stages[stage]["busy"] for stage in ("connect", "dns", "tcp", "tls")] == [0.0] * 4
