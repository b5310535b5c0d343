from __future__ import annotations

import numpy as np
import pytest

from touchline_lab.renderer.match import LENGTH, WIDTH
from touchline_lab.renderer.passing import PassingMatch

FPS = 25


def played(seed: int, frames: int) -> tuple[PassingMatch, np.ndarray, np.ndarray]:
    """A match after some frames, with the positions of the ball and its distances to the nearest player."""
    match = PassingMatch(seed, FPS)
    balls, nearest = [], []
    for _ in range(frames):
        balls.append(match.ball.copy())
        nearest.append(np.linalg.norm(match.position[:20] - match.ball, axis=1).min())
        match.step()
    return match, np.array(balls), np.array(nearest)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_recorded_actions_agree_with_the_positions_of_the_ball(seed: int) -> None:
    match, balls, nearest = played(seed, 1500)
    events = [event for event in match.events if 0 < event.frame < 1499]
    occurring = {"pass", "pass_received", "interception", "ball_out_of_play"}
    assert {event.action for event in events} == occurring
    assert [event.frame for event in events] == sorted(event.frame for event in events)
    for event in events:
        if event.action == "ball_out_of_play":
            assert balls[event.frame - 1][1] >= -0.6  # before the frame's step it was inside
            assert balls[event.frame + 1][1] < 0
        else:
            assert (
                nearest[event.frame - 1 : event.frame + 2].min() < 3.0
            )  # he may stand behind the line, the ball may not
    out = (balls < 0).any(axis=1) | (balls > (LENGTH, WIDTH)).any(axis=1)
    crossings = int((out[1:] & ~out[:-1]).sum())
    assert crossings == sum(event.action == "ball_out_of_play" for event in events)


def test_the_ball_never_jumps() -> None:
    _, balls, _ = played(4, 1500)
    # a player at full speed turns round with it, or steps over a line that it does not cross
    assert np.linalg.norm(np.diff(balls, axis=0), axis=1).max() < 3.5


def test_the_same_seed_plays_the_same_match() -> None:
    assert played(5, 400)[0].events == played(5, 400)[0].events
    assert played(5, 400)[0].events != played(6, 400)[0].events
