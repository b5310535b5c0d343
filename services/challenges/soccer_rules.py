"""Actions by rule, from the positions of ball and people: few, since a wrong one costs its weight.

A ball that moves from one player to another is a pass within a team, otherwise an interception, and a
recovery where it did not move like a pass. Where the teams are not known (services/challenges/shirts.py) it
is a pass. The height of the ball is not known: it is out only where its height cannot have misled.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from services.challenges.pitch_positions import Moment
from services.pitch import LENGTH_CM, WIDTH_CM
from services.tracking.camera.homography import Matrix
from services.wire.private_track import FPS, Action

NEAR_M: Final = 2.0
"""Metres; a ball this near to a player's feet may be in his possession."""
CLEAR_M: Final = 0.5
"""... if everybody else is further from it by this many metres."""
PAUSE_S: Final = 0.6
"""Seconds without the ball after which the same player's possession still continues."""
MIN_PASS_M: Final = 4.0
"""Minimum length of a pass, metres."""
MAX_PASS_S: Final = 3.5
"""Maximum duration of a pass, seconds."""
PASS_SPEEDS: Final = (3.5, 40.0)
"""Minimum and maximum mean speed of a pass, metres per second."""
OUT_M: Final = 1.0
"""Metres behind a line from which on a ball is out; less is within the error of a camera."""
OUT_S: Final = 1.2
"""... if it stays there for so many seconds: a ball in the air appears farther away than it is."""
RECOVERY_HELD_S: Final = 1.0
"""Seconds for which a player keeps a ball that he has recovered; less is a duel that goes on."""
CONFIDENCE: Final = {
    "pass": 0.7,
    "pass_received": 0.6,
    "interception": 0.5,
    "recovery": 0.5,
    "ball_out_of_play": 0.6,
}
"""How sure the rules are of each action, 0 to 1: it is told, and the official score does not use it."""

_LENGTH, _WIDTH = LENGTH_CM / 100, WIDTH_CM / 100


@dataclass(frozen=True, slots=True)
class Possession:
    """One player has the ball: first and last moment, as positions in the list, and their number."""

    track: int
    first: int
    last: int
    moments: int


def actions(play: Sequence[Moment], fps: int = FPS) -> list[Action]:
    """Passes, receptions, interceptions, recoveries and balls that go out of play, by rising frame."""
    found = [*_changes(play, fps), *_outs(play, fps)]
    return sorted(found, key=lambda action: (action.frame, action.action))


def holder(moment: Moment) -> int | None:
    """The track of the player who has the ball; None if nobody has, or if it is contested or unknown."""
    if moment.ball is None or not len(moment.ids):
        return None
    away = np.linalg.norm(moment.feet - moment.ball, axis=1)
    order = np.argsort(away, kind="stable")
    alone = len(order) == 1 or away[order[1]] - away[order[0]] >= CLEAR_M
    return int(moment.ids[order[0]]) if away[order[0]] <= NEAR_M and alone else None


def possessions(play: Sequence[Moment], fps: int) -> list[Possession]:
    """Who had the ball, one after the other; contacts of a single moment are left out."""
    found: list[Possession] = []
    for position, moment in enumerate(play):
        track = holder(moment)
        if track is None:
            continue
        latest = found[-1] if found else None
        if (
            latest is not None
            and latest.track == track
            and moment.frame - play[latest.last].frame <= PAUSE_S * fps
        ):
            found[-1] = Possession(track, latest.first, position, latest.moments + 1)
        else:
            found.append(Possession(track, position, position, 1))
    return [spell for spell in found if spell.moments > 1]


def _changes(play: Sequence[Moment], fps: int) -> Iterator[Action]:
    """What happens when the ball goes from one player to another."""
    held = possessions(play, fps)
    for before, after in zip(held, held[1:], strict=False):
        kicked, taken = play[before.last], play[after.first]
        if before.track == after.track or kicked.ball is None or taken.ball is None:
            continue
        seconds = (taken.frame - kicked.frame) / fps
        metres = float(np.linalg.norm(taken.ball - kicked.ball))
        if seconds > MAX_PASS_S:
            continue
        teams = kicked.team_of(before.track), taken.team_of(after.track)
        lost = None not in teams and teams[0] != teams[1]
        passed = metres >= MIN_PASS_M and PASS_SPEEDS[0] <= metres / seconds <= PASS_SPEEDS[1]
        # it was kicked, and received, somewhere between two moments
        received = (taken.frame + play[after.first - 1].frame) // 2
        if passed and lost:
            yield _action(received, "interception")
        elif passed:
            yield _action((kicked.frame + play[before.last + 1].frame) // 2, "pass")
            yield _action(received, "pass_received")
        elif lost and play[after.last].frame - taken.frame >= RECOVERY_HELD_S * fps:
            yield _action(received, "recovery")


def _action(frame: int, name: str) -> Action:
    return Action(frame, name, CONFIDENCE[name])


def _outs(play: Sequence[Moment], fps: int) -> Iterator[Action]:
    known = [(moment.frame, moment.ball) for moment in play if moment.ball is not None]
    at = 0
    while at < len(known):
        if not _is_out(known[at][1]):
            at += 1
            continue
        end = at
        while end + 1 < len(known) and _is_out(known[end + 1][1]):
            end += 1
        seen_inside = at > 0 and known[at][0] - known[at - 1][0] <= fps
        if seen_inside and known[end][0] - known[at][0] >= OUT_S * fps:
            yield _action((known[at - 1][0] + known[at][0]) // 2, "ball_out_of_play")
        at = end + 1


def _is_out(ball: Matrix) -> bool:
    x, y = ball
    return bool(x < -OUT_M or x > _LENGTH + OUT_M or y < -OUT_M or y > _WIDTH + OUT_M)
