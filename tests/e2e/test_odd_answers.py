"""Whole answers for videos that are stored otherwise, or are damaged: the same pictures, the same truth."""

from __future__ import annotations

import io
from pathlib import Path

import av
import msgspec
import numpy as np
import pytest

from services.errors import TooLarge
from services.pitch import BALL
from services.wire.gsr import decode_response
from services.wire.reply import Answer
from tasks.client import submit
from tasks.worker_process import WorkerProcess
from tests.support.broken_videos import long_video
from tests.support.odd_videos import FRAGMENTED, encode, turn
from touchline_lab.demo_origin.server import DemoOrigin
from touchline_lab.evaluation.scoring import score_answer
from touchline_lab.renderer.clip_store import StoredClip

pytestmark = pytest.mark.e2e


def ask(worker: WorkerProcess, origin: DemoOrigin, folder: Path, name: str, data: bytes) -> Answer:
    (folder / name).write_bytes(data)
    return submit(origin.url(name), redis_url=worker.redis_url, deadline_s=60).wait()


def remuxed(data: bytes, container: str, options: dict[str, str]) -> bytes:
    """The same packets in another file."""
    file = io.BytesIO()
    with av.open(io.BytesIO(data)) as source, av.open(file, "w", format=container, options=options) as out:
        stream = out.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    return file.getvalue()


def people_and_keypoints(answer: Answer) -> object:
    """All but the ball, which is looked for in frames that another reader does not have to decode."""
    frames = msgspec.json.decode(answer.body)["frames"]
    for frame in frames:
        frame["objects"] = [found for found in frame["objects"] if found["class_id"] != BALL]
    return frames


@pytest.mark.parametrize(("container", "options"), [("mp4", FRAGMENTED), ("matroska", {}), ("mpegts", {})])
def test_the_container_does_not_change_people_and_keypoints(
    worker: WorkerProcess,
    origin: DemoOrigin,
    origin_folder: Path,
    clip_4s: StoredClip,
    container: str,
    options: dict[str, str],
) -> None:
    data = clip_4s.path.read_bytes()
    plain = ask(worker, origin, origin_folder, "plain.mp4", data)
    other = ask(worker, origin, origin_folder, f"other.{container}", remuxed(data, container, options))
    assert plain.timeline["facts"]["reader"] == "index"
    assert other.timeline["facts"]["reader"] == "container"
    assert people_and_keypoints(other) == people_and_keypoints(plain)
    scores = [
        score_answer(msgspec.json.decode(answer.body)["frames"], clip_4s.truth).objects["ball"]
        for answer in (plain, other)
    ]
    assert abs(scores[0].recall - scores[1].recall) < 0.1


def test_a_turned_video_is_answered_as_it_is_shown(
    worker: WorkerProcess, origin: DemoOrigin, origin_folder: Path, clip_4s: StoredClip
) -> None:
    with av.open(str(clip_4s.path)) as source:
        pictures = [frame.to_ndarray(format="rgb24") for frame in source.decode(video=0)]
    stored = encode([np.rot90(picture) for picture in pictures], codec_options={"preset": "superfast"})
    answer = ask(worker, origin, origin_folder, "turned.mp4", turn(stored, 1))
    height, width = pictures[0].shape[:2]
    assert answer.timeline["facts"]["size"] == f"{width}x{height}"
    score = score_answer(msgspec.json.decode(answer.body)["frames"], clip_4s.truth)
    assert score.keypoints.median_error < 15
    assert score.located > 0.9
    assert score.objects["player"].recall > 0.6


def test_damage_costs_frames_and_not_the_answer(
    worker: WorkerProcess, origin: DemoOrigin, origin_folder: Path, clip_4s: StoredClip
) -> None:
    data = bytearray(clip_4s.path.read_bytes())
    start, end = len(data) * 2 // 5, len(data) * 3 // 5
    data[start:end] = bytes(end - start)
    answer = ask(worker, origin, origin_folder, "damaged.mp4", bytes(data))
    response = decode_response(answer.body)
    assert [frame.frame_number for frame in response.frames] == list(range(100))
    assert answer.timeline["facts"]["damaged_packets"] > 0


@pytest.mark.parametrize("first", [True, False])
def test_two_hours_are_refused_by_the_index(
    worker: WorkerProcess, origin: DemoOrigin, origin_folder: Path, first: bool
) -> None:
    data = long_video(first=first)
    (origin_folder / "long.mp4").write_bytes(data)
    with pytest.raises(TooLarge, match="180000 frames; MAX_FRAMES") as caught:
        submit(origin.url("long.mp4", rate=2_000_000), redis_url=worker.redis_url, deadline_s=60).wait()
    assert caught.value.timeline["facts"].get("bytes", 0) < 1_000_000
