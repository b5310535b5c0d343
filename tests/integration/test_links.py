"""One clip over every path and over bad links, through the whole pipeline in this process."""

from __future__ import annotations

import itertools
import ssl
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from services.challenges.kinds import ServedKinds, serve
from services.download import range_fetch
from services.download.pool import ConnectionPool
from services.download.range_connection_pool import DEFAULT_COUNT
from services.errors import ChallengeError, DeadlineExceeded, SourceRejected, StreamStalled
from services.pipeline.runner import ProcessState, run_challenge
from services.settings import Settings, load_settings
from services.timeline import Timeline
from services.wire.challenge import Challenge
from services.wire.gsr import decode_response, frames_part
from services.wire.reply import Answer
from tests.support.downloads import PATIENT_S
from tests.support.processes import wait_for
from tests.support.scripted_origins import Http1Origin, Request, file_response
from touchline_lab.demo_origin.server import DemoOrigin
from touchline_lab.renderer.clip_store import StoredClip

pytestmark = pytest.mark.integration
FRAMES = 100
ALL = f"{DEFAULT_COUNT}/{DEFAULT_COUNT}"


@pytest.fixture(scope="module")
def kinds() -> ServedKinds:
    return serve(load_settings(device="cpu"))


@pytest.fixture(scope="module")
def origin(
    tmp_path_factory: pytest.TempPathFactory, clip_4s: StoredClip, clip_4s_faststart: StoredClip
) -> Iterator[DemoOrigin]:
    folder = tmp_path_factory.mktemp("links")
    (folder / "last.mp4").write_bytes(clip_4s.path.read_bytes())
    (folder / "front.mp4").write_bytes(clip_4s_faststart.path.read_bytes())
    with DemoOrigin(folder) as origin:
        yield origin


def make_settings(origin: DemoOrigin | Http1Origin, **overrides: Any) -> Settings:
    values: dict[str, Any] = {
        "ca_file": str(origin.ca_file),
        "allow_private_addresses": True,
        "device": "cpu",
        "range_min_rtt_ms": 0,
        "connect_timeout_s": PATIENT_S,
        "stall_timeout_s": PATIENT_S,
        "reuse_probe_s": PATIENT_S,
    }
    return load_settings(**(values | overrides))


def answer(
    kinds: ServedKinds, settings: Settings, url: str, *, warm: bool = True, deadline_s: float = 120.0
) -> tuple[Answer, dict[str, Any]]:
    pool = ConnectionPool(settings)
    try:
        if warm:
            pool.warmup(url)
        now = time.time()
        challenge = Challenge(
            challenge_id="links", video_url=url, deadline=now + deadline_s, submitted_at=now
        )
        timeline = Timeline()
        found = run_challenge(challenge, ProcessState(pool, kinds, settings), timeline)
        return found, timeline.to_dict()["facts"]
    finally:
        pool.close()
        assert wait_for(lambda: not threads_left()), threads_left()


def threads_left() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith(("touchline-d", "touchline-r"))]


@pytest.fixture(scope="module")
def reference(origin: DemoOrigin, kinds: ServedKinds) -> bytes:
    found, _ = answer(kinds, make_settings(origin), origin.url("front.mp4"), warm=False)
    assert not found.partial
    return frames_part(found.body)


def have_opened(found: str | None, expected: str | None) -> bool:
    """Whether so many range connections were used. On a machine that answers late, all of them are more."""
    if expected != ALL:
        return found == expected
    opened, wanted = (found or "0/0").split("/")
    return opened == wanted and int(wanted) >= DEFAULT_COUNT


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """No range connection counts as hanging while models take all cores."""
    monkeypatch.setattr(range_fetch, "MIN_PATIENCE_S", range_fetch.MAX_PATIENCE_S)


@pytest.mark.usefixtures("patience")
@pytest.mark.parametrize("name", ["front.mp4", "last.mp4"])
@pytest.mark.parametrize(
    ("warm", "overrides", "head"),
    [
        (True, {}, ALL),
        (True, {"range_connections": 3}, "3/3"),
        (True, {"range_connections": 0}, None),
        (False, {}, None),
        (True, {"use_connection_pool": False}, None),
        (True, {"chunked_streaming": False}, ALL),
    ],
    ids=["all range connections", "three", "none", "cold", "no pool", "not streamed"],
)
def test_every_path_gives_the_same_bytes(
    origin: DemoOrigin,
    kinds: ServedKinds,
    reference: bytes,
    name: str,
    warm: bool,
    overrides: dict[str, Any],
    head: str | None,
) -> None:
    found, facts = answer(kinds, make_settings(origin, **overrides), origin.url(name), warm=warm)
    assert not found.partial
    assert have_opened(facts.get("range_connections"), head)
    assert frames_part(found.body) == reference


@pytest.mark.usefixtures("patience")
@pytest.mark.parametrize("name", ["front.mp4", "last.mp4"])
def test_key_frames_alone_cost_their_bytes_alone(origin: DemoOrigin, kinds: ServedKinds, name: str) -> None:
    keys: dict[str, Any] = {"frame_profile": "keyframes"}
    whole, facts = answer(kinds, make_settings(origin, range_connections=0, **keys), origin.url(name))
    size = facts["bytes"]
    assert facts["plan"] == "keyframes"
    sparse, facts = answer(kinds, make_settings(origin, **keys), origin.url(name))
    assert frames_part(sparse.body) == frames_part(whole.body)
    assert facts["bytes"] < 0.8 * size
    assert have_opened(facts["range_connections"], ALL)
    assert "out_of_order_reads" not in facts


@pytest.mark.parametrize("name", ["front.mp4", "last.mp4"])
def test_a_connection_that_breaks_off_is_resumed_to_the_same_bytes(
    origin: DemoOrigin, kinds: ServedKinds, reference: bytes, name: str
) -> None:
    found, facts = answer(kinds, make_settings(origin), origin.url(name, reset_after=300_000))
    assert facts["resumes"] >= 1
    assert frames_part(found.body) == reference


@pytest.mark.parametrize(
    "fault", [{"stall_after": 200_000}, {"cut_after": 300_000, "no_range": 1}], ids=["stalls", "breaks off"]
)
def test_a_link_that_ends_in_the_middle_gives_the_best_answer(
    origin: DemoOrigin, kinds: ServedKinds, fault: dict[str, object]
) -> None:
    settings = make_settings(origin, stall_timeout_s=3.0, range_connections=0)
    found, facts = answer(kinds, settings, origin.url("front.mp4", **fault))
    assert found.partial
    assert facts["broke_off"]
    assert 0 < facts["sampled"] < 18
    assert [frame.frame_number for frame in decode_response(found.body).frames] == list(range(FRAMES))


@pytest.mark.parametrize("range_connections", [0, 10])
def test_a_file_that_changes_on_the_way_is_answered_from_the_new_file_alone(
    kinds: ServedKinds, clip_4s_faststart: StoredClip, reference: bytes, range_connections: int
) -> None:
    data, gets = clip_4s_faststart.path.read_bytes(), itertools.count(1)

    def handler(connection: ssl.SSLSocket, request: Request) -> bool:
        changed = request.method == "GET" and next(gets) > range_connections // 2 + 1
        etag = '"new"' if changed else '"old"'
        response = file_response(data, request, f"ETag: {etag}")
        cut = request.method == "GET" and request.span(len(data)) is None and not changed
        connection.sendall(response[: len(data) // 2] if cut else response)
        return not cut

    with Http1Origin(handler) as changing:
        settings = make_settings(changing, range_connections=range_connections)
        found, facts = answer(kinds, settings, changing.url())

    assert not found.partial
    assert facts["beginnings"] == 2
    assert frames_part(found.body) == reference


@pytest.mark.parametrize("range_connections", [0, 10])
def test_ten_kilobytes_a_second_end_by_the_deadline(
    origin: DemoOrigin, kinds: ServedKinds, range_connections: int
) -> None:
    settings = make_settings(origin, range_connections=range_connections)
    deadline = time.time() + 4.0
    try:
        found, _ = answer(kinds, settings, origin.url("front.mp4", rate=10_000), deadline_s=4.0)
    except (DeadlineExceeded, StreamStalled):  # whichever of the reader and the feeder looks first
        pass
    else:
        assert found.partial
        assert len(decode_response(found.body).frames) == FRAMES
    # the pipeline's own promise, far from a matter of speed: it gives up at the deadline and not later
    assert time.time() < deadline + 20


@pytest.mark.parametrize(
    ("fault", "stall_timeout_s", "error"),
    [
        ({"stall_after": 0}, 2.0, StreamStalled),
        ({"cut_after": 20_000}, PATIENT_S, StreamStalled),
        ({"status": 403}, PATIENT_S, SourceRejected),
    ],
)
def test_a_link_that_brings_no_frame_is_told_as_such(
    origin: DemoOrigin,
    kinds: ServedKinds,
    fault: dict[str, object],
    stall_timeout_s: float,
    error: type[ChallengeError],
) -> None:
    settings = make_settings(origin, stall_timeout_s=stall_timeout_s)
    with pytest.raises(error) as caught:
        answer(kinds, settings, origin.url("front.mp4", **fault))
    assert type(caught.value) is error
