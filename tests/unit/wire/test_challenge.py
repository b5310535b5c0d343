from __future__ import annotations

from typing import Any

import msgspec
import pytest

from services.errors import InvalidChallenge, UnsupportedKind
from services.wire.challenge import Challenge, check_kind, content_digest, parse_challenge

GOOD: dict[str, Any] = {
    "challenge_id": "a",
    "video_url": "https://x/y.mp4",
    "deadline": 10.0,
    "submitted_at": 1.0,
}


def test_good_messages_are_read_from_mapping_and_json() -> None:
    challenge = parse_challenge(GOOD)
    assert challenge == parse_challenge(msgspec.json.encode(GOOD))
    assert challenge.kind == "gsr"


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"challenge_id": 5}, "challenge_id"),
        ({"challenge_id": ""}, "challenge_id"),
        ({"challenge_id": "x" * 201}, "challenge_id"),
        ({"video_url": None}, "video_url"),
        ({"video_url": ""}, "video_url"),
        ({"deadline": "soon"}, "deadline"),
        ({"video_url": "", "frames": [{"frame_id": 3}]}, "frame 3 has neither url nor data"),
        ({"frames": [{"frame_id": -1, "url": "x"}]}, "frame_id"),
        ({"frames": [{"frame_id": 1, "url": "x"}, {"frame_id": 1, "data": "x"}]}, "same frame_id"),
        ({"image_url": 7}, "image_url"),
        ({"deadline": float("nan")}, "finite"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_bad_messages_name_the_field(change: dict[str, Any], text: str) -> None:
    with pytest.raises(InvalidChallenge, match=text):
        parse_challenge(GOOD | change)


@pytest.mark.parametrize("message", [b"not json", b"[]", [], None, 5])
def test_things_that_are_no_message(message: Any) -> None:
    with pytest.raises(InvalidChallenge):
        parse_challenge(message)


def test_missing_field() -> None:
    with pytest.raises(InvalidChallenge, match="video_url"):
        parse_challenge({k: v for k, v in GOOD.items() if k != "video_url"})


def test_challenge_is_frozen() -> None:
    with pytest.raises(AttributeError):
        Challenge(**GOOD).kind = "x"  # type: ignore[misc]


def test_a_kind_that_is_not_served_is_refused_with_what_is() -> None:
    check_kind("gsr", ("gsr", "soccer_action"))
    with pytest.raises(UnsupportedKind, match="'chess'.*served: gsr, soccer_action"):
        check_kind("chess", ("soccer_action", "gsr"))
    with pytest.raises(UnsupportedKind, match="trading cards is out of this project's scope; served: gsr"):
        check_kind("tcg_grading", ("gsr",))


def test_pictures_stand_in_for_a_video_by_rising_number() -> None:
    rest = {k: v for k, v in GOOD.items() if k != "video_url"}
    frames = [{"frame_id": 9, "url": "https://x/9.jpg"}, {"frame_id": 2, "data": "AAAA"}]
    assert [frame.frame_id for frame in parse_challenge(rest | {"frames": frames}).pictures] == [2, 9]
    alone = parse_challenge(rest | {"image_url": "https://x/y.png"}).pictures
    assert [(frame.frame_id, frame.url) for frame in alone] == [(0, "https://x/y.png")]
    assert parse_challenge(GOOD | {"frames": frames}).pictures == ()


def test_a_message_carries_only_what_there_is() -> None:
    assert msgspec.to_builtins(parse_challenge(GOOD)) == GOOD


CLIP = "https://store/clips/a.mp4"
SIGNED_ANEW = [
    (
        "?X-Amz-Date=1&X-Amz-Expires=60&X-Amz-Signature=ab",
        "?X-Amz-Date=2&X-Amz-Expires=60&X-Amz-Signature=cd",
    ),
    ("?Expires=1&Signature=a&Key-Pair-Id=k", "?Expires=2&Signature=b&Key-Pair-Id=k"),
    ("?X-Goog-Credential=a&X-Goog-Signature=b", ""),
    ("?sv=1&se=2&sp=r&sig=a%3D", "?sv=1&se=3&sp=r&sig=b%3D"),
    ("?token=a&expires=1", "?token=b&expires=2"),
    ("?v=1&token=a", "?token=b&v=1#t=10"),
    ("?", ""),
]
OTHERS = [
    ("?id=1", "?id=2"),
    ("?id=1&token=a", "?id=2&token=a"),
    ("", "?id=1"),
    ("?file", "?FILE"),
    ("", "/b"),
]


def digest(**fields: Any) -> str:
    return content_digest(parse_challenge(GOOD | fields))


@pytest.mark.parametrize(("first", "again"), SIGNED_ANEW)
def test_an_address_that_was_signed_anew_is_the_same_one(first: str, again: str) -> None:
    assert digest(video_url=CLIP + first) == digest(video_url=CLIP + again)


@pytest.mark.parametrize(("first", "other"), OTHERS)
def test_whatever_else_differs_in_an_address_may_be_another_clip(first: str, other: str) -> None:
    assert digest(video_url=CLIP + first) != digest(video_url=CLIP + other)


def test_kind_and_pictures_make_another_challenge_and_times_do_not() -> None:
    pictures = {"video_url": "", "frames": [{"frame_id": 0, "data": "aGk="}]}
    assert len({digest(), digest(kind="tv_predict"), digest(**pictures), digest(image_url=CLIP)}) == 4
    assert digest(deadline=99.0, submitted_at=98.0, progress=True) == digest()
