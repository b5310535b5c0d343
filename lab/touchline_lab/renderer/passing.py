"""Simulates a match in which players pass the ball and lose it to opponents, and records every action.

In the ordinary match the ball moves by itself. This one is separate from it, so that the clips of the
demonstration, the tests and the training stay the same, byte for byte.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from services import pitch
from services.wire.private_track import Action
from touchline_lab.renderer.camera import FloatArray
from touchline_lab.renderer.match import BALL_RADIUS, LENGTH, WIDTH, Match
from touchline_lab.renderer.scene import Scene

__all__ = ["PassingMatch", "PassingScene"]

_FEET: Final = 0.6
"""Metres from a player to the ball that he carries."""
_PRESS: Final = 3.0
"""Metres that opponents keep from the player with the ball."""
_SPEED: Final = 14.0
"""Metres per second of a pass."""
_HOLD_S: Final = (0.8, 2.2)
"""Seconds that a player carries the ball: minimum and maximum."""
_REACH: Final = (9.0, 26.0)
"""Metres that a pass is long: minimum and maximum."""
_INTERCEPTED_SHARE: Final = 0.2
"""Share of the passes that an opponent takes."""
_OUT_SHARE: Final = 0.25
"""Share of the kicks in the far half that go over the far touchline."""
_BEHIND: Final = 4.0
"""Metres behind the touchline at which the ball comes to rest."""
_REST_S: Final = 2.0
"""Seconds that the ball rests before the throw-in."""


class PassingMatch(Match):
    """A match in which players pass, sometimes to an opponent, sometimes over the far touchline.

    Attributes:
        events: The actions so far, with frame numbers that begin after the warm-up steps.
    """

    def __init__(self, seed: int, fps: int) -> None:
        """As `Match`."""
        self._steps = 0
        self._holder: int | None = None
        self._target: int | None = None
        self._until = 0.0
        self._out = False
        self._intercepted = False
        self._direction: FloatArray = np.array([1.0, 0.0])
        self._happened: list[tuple[int, str]] = []
        self._play = np.random.default_rng([seed, 7])
        super().__init__(seed, fps)
        self._run_in = self._steps

    @property
    def events(self) -> list[Action]:
        """The actions since frame 0, in order."""
        return [Action(at - self._run_in, name) for at, name in self._happened if at >= self._run_in]

    def step(self) -> None:
        """Move on by one frame."""
        super().step()
        self._keep_distance()
        self._steps += 1

    def _step_ball(self) -> None:
        self.ball_height = BALL_RADIUS
        if self._holder is None and self._target is None and not self._out:
            self._take(self._nearest(range(20)))
        if self._holder is not None:
            self._carry(self._holder)
        elif self._target is not None:
            self._roll(self._target)
        else:
            self._leave()

    def _carry(self, holder: int) -> None:
        velocity = self.velocity[holder]
        speed = float(np.linalg.norm(velocity))
        if speed > 0.5:
            self._direction = velocity / speed
        self.ball = _inside(self.position[holder] + _FEET * self._direction)
        if self._steps * self._dt >= self._until:
            self._kick(holder)

    def _kick(self, holder: int) -> None:
        self._holder = None
        if self.ball[1] < WIDTH / 2 and self._play.random() < _OUT_SHARE:
            self._out = True
            aim = self.ball[0] + self._play.uniform(-6, 6)
            self._goal = np.array([np.clip(aim, 6, LENGTH - 6), -_BEHIND])
            return
        self._intercepted = bool(self._play.random() < _INTERCEPTED_SHARE)
        team = 1 - holder // 10 if self._intercepted else holder // 10
        takers = [taker for taker in range(20) if taker // 10 == team and taker != holder]
        away = {taker: float(np.linalg.norm(self.position[taker] - self.ball)) for taker in takers}
        near = [taker for taker in takers if _REACH[0] <= away[taker] <= _REACH[1]]
        self._target = int(self._play.choice(near)) if near else min(takers, key=lambda taker: away[taker])
        if not self._intercepted:
            self._happened.append((self._steps, "pass"))

    def _roll(self, target: int) -> None:
        """Move the ball towards the player who is to receive it."""
        offset = _inside(self.position[target]) - self.ball
        distance = float(np.linalg.norm(offset))
        if distance <= _FEET + _SPEED * self._dt:
            if not self._out:
                taken = "interception" if self._intercepted else "pass_received"
                self._happened.append((self._steps, taken))
            self._out = False
            self._take(target)
        else:
            self.ball = self.ball + offset / distance * _SPEED * self._dt

    def _leave(self) -> None:
        """Move the ball over the touchline, let it rest, and have it thrown in."""
        offset = self._goal - self.ball
        distance = float(np.linalg.norm(offset))
        if distance > _SPEED * self._dt:
            inside = self.ball[1] >= 0
            self.ball = self.ball + offset / distance * _SPEED * self._dt
            if inside and self.ball[1] < 0:
                self._happened.append((self._steps, "ball_out_of_play"))
            self._until = self._steps * self._dt + _REST_S
        elif self._steps * self._dt >= self._until:
            self._target = self._nearest(range(20))

    def _take(self, player: int) -> None:
        self._holder, self._target = player, None
        self._until = self._steps * self._dt + self._play.uniform(*_HOLD_S)

    def _nearest(self, players: range) -> int:
        away = np.linalg.norm(self.position[list(players)] - self.ball, axis=1)
        return int(away.argmin())

    def _keep_distance(self) -> None:
        """Keep others away from the player with the ball; the ordinary match sends them to it."""
        apart = self.position - self.ball
        distance = np.linalg.norm(apart, axis=1) + 1e-6
        others = (distance < _PRESS) & (self.class_ids == pitch.PLAYER)
        for player in (self._holder, self._target):
            if player is not None:
                others[player] = False
        self.position[others] += (apart / distance[:, None] * 0.12)[others]


def _inside(point: FloatArray) -> FloatArray:
    """The nearest point on the pitch: people may leave it, but a ball that is carried stays in play."""
    return np.clip(point, (0.5, 0.5), (LENGTH - 0.5, WIDTH - 0.5))


class PassingScene(Scene):
    """A scene of a match with passes.

    Attributes:
        match: The match, with its actions.
    """

    def __init__(self, seed: int, size: tuple[int, int] = (1280, 720), fps: int = 25) -> None:
        """As `Scene`."""
        super().__init__(seed, size, fps)
        self.match: PassingMatch = PassingMatch(seed, fps)
