"""The wire format of the private track (`POST /challenge`): `soccer_action` and `cricket_delivery`.

Source: the public repository score-technologies/turbovision, facts as listed in docs/reference/wire.md.
"""

from __future__ import annotations

import math
from typing import Annotated, Final, NamedTuple

import msgspec

from services.wire.challenge import ChallengeFrame, check_assets
from services.wire.request import decode_request

FPS: Final = 25
"""Frames per second of the track's clips; tolerances are given in seconds."""


class ActionRule(NamedTuple):
    """What an action is worth, how far off in time it may be, and what share of its worth it keeps there."""

    weight: float
    tolerance_s: float
    min_score: float = 0.5


ACTIONS: Final[dict[str, ActionRule]] = {
    "pass": ActionRule(1.0, 1.0, 0.0),
    "pass_received": ActionRule(1.4, 1.0, 0.0),
    "recovery": ActionRule(1.5, 1.5, 0.0),
    "tackle": ActionRule(2.5, 1.5, 0.1),
    "interception": ActionRule(2.8, 2.0),
    "ball_out_of_play": ActionRule(2.9, 2.0),
    "clearance": ActionRule(3.1, 2.0),
    "take_on": ActionRule(3.2, 2.0),
    "substitution": ActionRule(4.2, 2.0),
    "block": ActionRule(4.2, 2.0),
    "aerial_duel": ActionRule(4.3, 2.0),
    "shot": ActionRule(4.7, 2.0),
    "save": ActionRule(7.3, 2.0),
    "foul": ActionRule(7.7, 2.5),
    "goal": ActionRule(10.9, 3.0),
}
"""The actions by name. An answer's action that matches no true one costs its weight."""


class PrivateRequest(msgspec.Struct, frozen=True):
    """What a validator posts; fields that are not listed here are ignored.

    Attributes:
        challenge_id: A string; numbers are refused.
        video_url: Where the clip lies.
        frames: Pictures instead.
        image_url: One picture instead.
    """

    challenge_id: str
    video_url: str | None = None
    frames: tuple[ChallengeFrame, ...] | None = None
    image_url: str | None = None


def read_request(body: bytes) -> PrivateRequest:
    """Read a request.

    Raises:
        InvalidChallenge: It is not such a request, or names nothing to look at; the text names the field.
    """
    request = decode_request(body, PrivateRequest, "request of the private track")
    check_assets(request.video_url, request.frames, request.image_url)
    return request


class Action(msgspec.Struct, frozen=True):
    """One action at one moment.

    Attributes:
        frame: Source frame, from 0; for pictures, the `frame_id`.
        action: A name out of `ACTIONS`.
        confidence: 0 to 1.
    """

    frame: Annotated[int, msgspec.Meta(ge=0)]
    action: str
    confidence: Annotated[float, msgspec.Meta(ge=0, le=1)] = 1.0


class SoccerPrediction(msgspec.Struct, frozen=True, tag_field="type", tag="soccer_action"):
    """All actions, by rising frame."""

    items: list[Action]


class CricketDelivery(msgspec.Struct, frozen=True, omit_defaults=True):
    """One delivery, in the units of the track; what is not known is left out."""

    match: str | None = None
    matchid: int | None = None
    inningsid: int | None = None
    overid: int | None = None
    ball_in_over: int | None = None
    ballid: int | None = None
    xlsx_overs: str | float | None = None
    scorecard_overs: str | float | None = None
    kph: float | None = None
    release_y: float | None = None
    release_z: float | None = None
    bounce_x: float | None = None
    bounce_y: float | None = None
    impact_x: float | None = None
    impact_y: float | None = None
    impact_z: float | None = None
    interception_distance: float | None = None
    stump_y: float | None = None
    stump_z: float | None = None
    swing_angle: float | None = None
    deviation: float | None = None
    runs: int | None = None
    wickets: int | None = None


class CricketPrediction(msgspec.Struct, frozen=True, tag_field="type", tag="cricket_delivery"):
    """The delivery that a clip shows."""

    item: CricketDelivery


class PrivateResponse(msgspec.Struct, frozen=True):
    """The whole answer; `prediction` is of the kind that was asked for, `processing_time` in seconds."""

    challenge_id: str
    prediction: SoccerPrediction | CricketPrediction
    processing_time: float


def decode_response(body: bytes) -> PrivateResponse:
    """Read an answer back, checking the schema; for tests, the CLI and evaluation."""
    return msgspec.json.decode(body, type=PrivateResponse)


def check_action(action: Action) -> None:
    """Check what a predictor says.

    Raises:
        ValueError: The action is not one of `ACTIONS`, or a number is out of its range.
    """
    if action.action not in ACTIONS:
        raise ValueError(f"{action.action!r} is no action; actions: {', '.join(ACTIONS)}")
    if action.frame < 0 or not 0 <= action.confidence <= 1:
        raise ValueError(f"frame {action.frame}, confidence {action.confidence}: at least 0, and 0 to 1")


def check_delivery(delivery: CricketDelivery) -> None:
    """Check what a predictor says.

    Raises:
        ValueError: A number is not finite.
    """
    for name in delivery.__struct_fields__:
        value = getattr(delivery, name)
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{name} is {value}")
