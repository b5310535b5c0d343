"""What is fuzzed: every function that reads bytes of strangers, with a few valid inputs to begin from."""

from __future__ import annotations

import base64
import contextlib
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import av
import cv2
import numpy as np

from services.errors import ChallengeError, InvalidChallenge
from services.video.decode import DecodeLimits, open_clip
from services.video.mp4_boxes import find_moov
from services.video.mp4_index import parse_moov
from services.video.nal import NalReader
from services.video.parameter_sets import read_stream_parameters, sets_of_record
from services.video.picture_clip import decode_picture, picture_size
from services.video.source import MemorySource
from services.video.table_limits import check_tables
from services.wire.challenge import parse_challenge
from services.wire.reply import Answer, pack_answer, pack_error, unpack_reply
from tasks.queue_message import BadMessage, check_message

SIZE = 64, 64
"""Width and height of the valid videos and pictures, pixels."""
FRAMES = 12
"""Frames of the valid videos."""
MIN_SIDE = 16
"""Pixels; smaller pictures are refused unread."""
LIMITS = DecodeLimits(20_000, 3840 * 2160, threads=1)


@dataclass(frozen=True, slots=True)
class Target:
    """One function that reads bytes of strangers.

    Attributes:
        name: Names it on the command line.
        seeds: Valid inputs.
        read: Reads one; the errors that it may end with are caught.
    """

    name: str
    seeds: tuple[bytes, ...]
    read: Callable[[bytes], None]


def all_targets() -> list[Target]:
    """Every target, with its seeds made."""
    videos = {codec: _video(codec) for codec in ("h264", "hevc", "mpeg4")}
    moovs = tuple(_moov(video) for video in videos.values())
    records = {codec: _record(videos[codec]) for codec in ("h264", "hevc")}
    return [
        Target("index", moovs, _read_index),
        Target("h264", (records["h264"],), lambda data: _read_record("h264", data)),
        Target("hevc", (records["hevc"],), lambda data: _read_record("hevc", data)),
        Target("packets", _packets(videos["h264"]), lambda data: _read_packet(records["h264"], data)),
        Target("pictures", tuple(_picture(suffix) for suffix in (".jpg", ".png")), _read_picture),
        Target("messages", (_message(),), _read_message),
        Target("replies", _replies(), _read_reply),
        Target("videos", tuple(videos.values()), _read_video),
    ]


def _read_index(data: bytes) -> None:
    try:
        parse_moov(data)
        check_tables(data)
    except ChallengeError:
        pass


def _read_record(codec: str, data: bytes) -> None:
    with contextlib.suppress(ValueError, IndexError):
        read_stream_parameters(codec, data)
    with contextlib.suppress(ValueError, IndexError):
        sets_of_record(codec, data)
    with contextlib.suppress(ChallengeError):
        NalReader(codec, data, LIMITS.max_pixels)


def _read_packet(record: bytes, data: bytes) -> None:
    with contextlib.suppress(ChallengeError):
        NalReader("h264", record, LIMITS.max_pixels).read(data)


def _read_picture(data: bytes) -> None:
    try:
        width, height = picture_size(data)
    except ChallengeError:
        return
    if min(width, height) < MIN_SIDE or width * height > LIMITS.max_pixels:
        return
    picture = decode_picture(data)
    if picture is not None and picture.shape[:2] != (height, width):
        raise AssertionError(f"read as {width}x{height}, decoded as {picture.shape[1]}x{picture.shape[0]}")


def _read_message(data: bytes) -> None:
    with contextlib.suppress(BadMessage):
        check_message(data)
    with contextlib.suppress(InvalidChallenge):
        parse_challenge(data)


def _read_reply(data: bytes) -> None:
    with contextlib.suppress(ChallengeError):
        unpack_reply(data)


def _read_video(data: bytes) -> None:
    with contextlib.suppress(ChallengeError):
        open_clip(MemorySource(data), LIMITS)


def _video(codec: str) -> bytes:
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        stream = container.add_stream({"h264": "libx264", "hevc": "libx265"}.get(codec, codec), rate=25)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height = SIZE
        stream.pix_fmt = "yuv420p"
        if codec == "hevc":
            stream.codec_context.options = {"x265-params": "log-level=error"}
        for number in range(FRAMES):
            pixels = np.full((*SIZE[::-1], 3), 20 * number % 256, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode(None))
    return out.getvalue()


def _moov(video: bytes) -> bytes:
    moov = find_moov(MemorySource(video))
    assert moov is not None
    return moov.content


def _record(video: bytes) -> bytes:
    with av.open(io.BytesIO(video)) as container:
        record = container.streams.video[0].codec_context.extradata
    assert record is not None
    return record


def _packets(video: bytes) -> tuple[bytes, ...]:
    with av.open(io.BytesIO(video)) as container:
        assert isinstance(container, av.container.InputContainer)
        return tuple(bytes(packet) for packet in container.demux(video=0) if packet.size)


def _picture(suffix: str) -> bytes:
    pixels = np.arange(SIZE[0] * SIZE[1] * 3, dtype=np.uint8).reshape(*SIZE[::-1], 3)
    return bytes(cv2.imencode(suffix, pixels)[1])


def _message() -> bytes:
    challenge = {
        "challenge_id": "c",
        "deadline": 2e9,
        "submitted_at": 2e9,
        "video_url": "https://example.org/",
    }
    embedded = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
    body = base64.b64encode(json.dumps([[challenge, "token"], {}, embedded]).encode()).decode()
    message: dict[str, Any] = {
        "body": body,
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": {"task": "touchline.answer", "id": "token", "timelimit": [None, None], "retries": 0},
        "properties": {
            "delivery_tag": "tag",
            "delivery_info": {"exchange": "", "routing_key": "touchline"},
            "body_encoding": "base64",
        },
    }
    return json.dumps(message).encode()


def _replies() -> tuple[bytes, ...]:
    answer = Answer("c", b'{"challenge_id":"c","frames":[]}', False, {"total": 1.0})
    return pack_answer(answer), pack_error("c", InvalidChallenge("not a challenge"))
