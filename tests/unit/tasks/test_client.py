from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from services.errors import InvalidChallenge, QueueUnavailable, UnsupportedKind
from tasks.client import submit

CLOSED = "redis://:secret@127.0.0.1:1/0"


def test_importing_the_client_needs_none_of_the_heavy_libraries() -> None:
    code = (
        "import sys, tasks.client;"
        "heavy = {'torch', 'ultralytics', 'cv2', 'av', 'numpy', 'scipy'} & set(sys.modules);"
        "print(sorted(heavy)); sys.exit(bool(heavy))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_bad_arguments_are_refused_before_anything_is_sent() -> None:
    with pytest.raises(UnsupportedKind, match="served: gsr"):
        submit("https://x/y.mp4", kind="chess", redis_url=CLOSED)
    with pytest.raises(InvalidChallenge, match="video_url"):
        submit("", redis_url=CLOSED)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("challenge_id", 12345),
        ("challenge_id", b"12"),
        ("challenge_id", "\ud800"),
        ("challenge_id", ""),
        ("challenge_id", "x" * 201),
        ("video_url", None),
        ("video_url", b"https://x/y.mp4"),
        ("image_url", 5),
        ("kind", None),
        ("kind", ["gsr"]),
        ("deadline_s", "30"),
        ("deadline_s", float("nan")),
        ("deadline_s", float("inf")),
        ("frames", 5),
        ("frames", {"frame_id": 1}),
        ("frames", [5]),
        ("frames", [{"frame_id": "one", "url": "https://x/1.jpg"}]),
    ],
    ids=repr,
)
def test_an_argument_of_another_type_is_an_invalid_challenge(name: str, value: object) -> None:
    arguments: dict[str, Any] = {"video_url": "https://x/y.mp4", "redis_url": CLOSED} | {name: value}
    with pytest.raises(InvalidChallenge, match=name.split("_")[0].rstrip("s")):
        submit(**arguments)


def test_unreachable_redis_is_a_typed_error_without_the_password() -> None:
    with pytest.raises(QueueUnavailable, match="cannot be reached") as caught:
        submit("https://x/y.mp4", redis_url=CLOSED)
    assert "secret" not in str(caught.value)
    assert caught.value.retryable
