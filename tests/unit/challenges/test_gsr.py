from __future__ import annotations

import msgspec
import numpy as np

from services.challenges.gsr import encode
from services.contracts.gsr import decode_response, frames_part
from services.tracking.fill import Filled


def make_filled() -> Filled:
    keypoints = np.zeros((3, 32, 2))
    keypoints[1, 4] = 10.123456, 20.987
    return Filled(
        keypoints,
        np.array([0, 0, 2]),
        np.array([[1.005, 2, 3, 4], [5, 6, 7, 8.129], [9, 10, 11, 12]], np.float64),
        np.array([7, 8, 7]),
        np.array([2, 0, 2]),
        1,
        2,
    )


def test_schema_to_the_letter() -> None:
    answer = msgspec.json.decode(encode("c-1", make_filled(), 1.23456))
    assert list(answer) == ["challenge_id", "frames", "processing_time"]
    assert (answer["challenge_id"], answer["processing_time"]) == ("c-1", 1.235)
    assert isinstance(answer["frames"], list)
    assert [f["frame_number"] for f in answer["frames"]] == [0, 1, 2]
    for frame in answer["frames"]:
        assert sorted(frame) == ["frame_number", "keypoints", "objects"]
        assert len(frame["keypoints"]) == 32
    assert answer["frames"][1]["keypoints"][4] == [10.12, 20.99]
    assert answer["frames"][1]["keypoints"][0] == [0.0, 0.0]
    assert answer["frames"][1]["objects"] == []
    assert answer["frames"][0]["objects"][1] == {"id": 8, "bbox": [5.0, 6.0, 7.0, 8.13], "class_id": 0}
    assert answer["frames"][2]["objects"] == [{"id": 7, "bbox": [9.0, 10.0, 11.0, 12.0], "class_id": 2}]


def test_reads_back() -> None:
    response = decode_response(encode("c", make_filled(), 0.5))
    assert response.frames[0].objects[0].bbox == (1.0, 2.0, 3.0, 4.0)


def test_frames_part_depends_on_the_clip_alone() -> None:
    first, second = encode("a", make_filled(), 1.0), encode('b","frames":[]', make_filled(), 2.0)
    assert first != second
    assert frames_part(first) == frames_part(second)


def test_a_long_answer_is_the_same_as_if_encoded_at_once() -> None:
    rng = np.random.default_rng(0)
    count, boxes = 600, 2000
    filled = Filled(
        rng.random((count, 32, 2)) * 1000,
        np.sort(rng.integers(3, count - 3, boxes)),
        rng.random((boxes, 4)) * 1000,
        np.arange(boxes),
        rng.integers(0, 4, boxes),
        1,
        2,
    )
    body = encode('a","frames":[]', filled, 1.0)
    response = decode_response(body)
    assert msgspec.json.encode(response) == body
    assert [frame.frame_number for frame in response.frames] == list(range(count))
    found = [(frame.frame_number, thing.id) for frame in response.frames for thing in frame.objects]
    assert found == list(zip(filled.frame.tolist(), filled.ids.tolist(), strict=True))
    assert response.frames[-1].keypoints[31] == tuple(np.round(filled.keypoints[-1, 31], 2).tolist())
