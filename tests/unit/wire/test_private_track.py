from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from services.errors import InvalidChallenge
from services.wire.private_track import (
    ACTIONS,
    Action,
    CricketDelivery,
    CricketPrediction,
    PrivateResponse,
    SoccerPrediction,
    check_action,
    check_delivery,
    decode_response,
    read_request,
)

TABLE_ROW = re.compile(r"^\| (\w+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|$", re.M)


def test_requests_are_read_and_unknown_fields_read_over() -> None:
    request = read_request(b'{"challenge_id": "7", "video_url": "https://x/y.mp4", "new": 1, "frames": null}')
    assert (request.challenge_id, request.video_url, request.frames) == ("7", "https://x/y.mp4", None)
    request = read_request(b'{"challenge_id": "7", "frames": [{"frame_id": 3, "data": "AAAA"}]}')
    assert request.frames is not None
    assert (request.frames[0].frame_id, request.frames[0].data) == (3, "AAAA")


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        ({"challenge_id": 7, "video_url": "https://x"}, "challenge_id"),
        ({"video_url": "https://x"}, "challenge_id"),
        ({"challenge_id": "7"}, "one of video_url, frames and image_url"),
        ({"challenge_id": "7", "video_url": "", "frames": []}, "one of video_url"),
        ({"challenge_id": "7", "frames": [{"frame_id": 1}]}, "frame 1 has neither"),
        ({"challenge_id": "7", "frames": [{"frame_id": -1, "url": "x"}]}, "frame_id"),
        ({"challenge_id": "7", "frames": [{"frame_id": 1.5, "url": "x"}]}, "frame_id"),
        ([], "not a request"),
    ],
)
def test_what_is_no_request_says_why(request_: Any, says: str) -> None:
    with pytest.raises(InvalidChallenge, match=says):
        read_request(json.dumps(request_).encode())
    with pytest.raises(InvalidChallenge):
        read_request(b"\xff\xfe not json")


def test_answers_have_the_shape_of_the_contract() -> None:
    actions = SoccerPrediction([Action(12, "pass", 0.5)])
    body = msgspec.json.encode(PrivateResponse("7", actions, 1.5))
    assert json.loads(body) == {
        "challenge_id": "7",
        "prediction": {
            "type": "soccer_action",
            "items": [{"frame": 12, "action": "pass", "confidence": 0.5}],
        },
        "processing_time": 1.5,
    }
    assert decode_response(body).prediction == actions
    delivery = CricketPrediction(CricketDelivery(kph=131.5, bounce_x=6.25))
    body = msgspec.json.encode(PrivateResponse("8", delivery, 0.5))
    assert json.loads(body)["prediction"] == {
        "type": "cricket_delivery",
        "item": {"kph": 131.5, "bounce_x": 6.25},
    }
    assert decode_response(body).prediction == delivery


def test_weights_and_tolerances_are_the_contracts() -> None:
    assert len(ACTIONS) == 15
    assert ACTIONS["pass"] == (1.0, 1.0, 0.0)
    assert ACTIONS["ball_out_of_play"] == (2.9, 2.0, 0.5)
    assert ACTIONS["goal"] == (10.9, 3.0, 0.5)


@pytest.mark.parametrize(
    "action", [Action(1, "kick"), Action(-1, "pass"), Action(1, "pass", 1.5), Action(1, "pass", float("nan"))]
)
def test_impossible_actions_are_refused(action: Action) -> None:
    with pytest.raises(ValueError, match="action|confidence"):
        check_action(action)


def test_a_delivery_without_a_finite_number_is_refused() -> None:
    check_delivery(CricketDelivery(kph=120.0, match="A v B"))
    with pytest.raises(ValueError, match="swing_angle is nan"):
        check_delivery(CricketDelivery(swing_angle=float("nan")))


def test_the_page_has_the_same_actions_and_fields() -> None:
    text = (Path(__file__).parents[3] / "docs/reference/wire.md").read_text()
    rows = {name: tuple(float(cell) for cell in cells) for name, *cells in TABLE_ROW.findall(text)}
    assert rows == {name: tuple(rule) for name, rule in ACTIONS.items()}
    assert all(f"`{name}`" in text for name in CricketDelivery.__struct_fields__)
