from __future__ import annotations

import json
from typing import Any

import pytest

from services.errors import CorruptVideo, InvalidChallenge
from services.wire.tv_predict import TvFrame, decode_output, encode_error, encode_frames, read_input


def test_inputs_are_read_with_the_defaults_of_the_track() -> None:
    given = read_input(b'{"url": "https://x/y.mp4", "meta": {"version": 3}}')
    assert (given.url, given.meta.batch_size, given.meta.n_keypoints) == ("https://x/y.mp4", 64, 32)
    given = read_input(b'{"frames": [{"frame_id": 2, "url": "https://x/2.png"}], "meta": {"batch_size": 8}}')
    assert given.frames is not None
    assert (given.frames[0].frame_id, given.meta.batch_size) == (2, 8)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, "one of video_url, frames"),
        ({"url": 5}, "url"),
        ({"frames": [{"frame_id": "1", "data": "AAAA"}]}, "frame_id"),
        ({"frames": [{"frame_id": 1}]}, "frame 1 has neither"),
        ({"url": "https://x", "meta": {"n_keypoints": 14}}, "n_keypoints is 14; 32"),
        ({"url": "https://x", "meta": {"batch_size": 0}}, "batch_size"),
        ({"url": "https://x", "meta": []}, "meta"),
        ("url", "not a TVPredictInput"),
    ],
)
def test_what_is_no_input_says_why(given: Any, says: str) -> None:
    with pytest.raises(InvalidChallenge, match=says):
        read_input(json.dumps(given).encode())


def test_outputs_have_the_shape_of_the_contract() -> None:
    body = encode_frames([TvFrame(4, [], [(1, 2)])])
    assert json.loads(body) == {
        "success": True,
        "predictions": {"frames": [{"frame_id": 4, "boxes": [], "keypoints": [[1, 2]]}]},
        "error": None,
    }
    assert decode_output(body).success
    failed = json.loads(encode_error(CorruptVideo("cut off")))
    assert failed == {"success": False, "predictions": None, "error": "CorruptVideo: cut off"}
