"""The targets: ratios of medians within one run, so that the speed of the machine cancels out."""

from __future__ import annotations

from dataclasses import dataclass

from touchline_lab.benchmarks.results import Condition

REFERENCE, WARM = "reference-miner", "touchline-warm"
SLOW_SETUP_LINKS = ("seed", "demo")
"""Links on which a new connection takes 2.4 s until its first byte."""


@dataclass(frozen=True, slots=True)
class Target:
    """One target on one link.

    Attributes:
        text: What the value is, in words.
        value: The measured value.
        limit: The bound.
        at_least: Whether the value has to reach the limit; otherwise it must not exceed it.
    """

    text: str
    value: float
    limit: float
    at_least: bool

    @property
    def met(self) -> bool:
        """Whether the value is on the right side of the limit."""
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def sentence(self) -> str:
        """The target and its value as one line."""
        sign = ">=" if self.at_least else "<="
        state = "met" if self.met else "MISSED"
        return f"{state:6} {self.text}: {self.value:.2f} (target {sign} {self.limit:g})"


def check(condition: Condition) -> list[Target]:
    """Compute the targets for which this condition has the rows and floors."""
    medians, floors = condition.medians(), condition.floors
    found: list[Target] = []

    def value(row: str, metric: str) -> float | None:
        return medians.get(row, {}).get(metric)

    def ratio(
        text: str, over: float | None, under: float | None, limit: float, *, at_least: bool = False
    ) -> None:
        if over is not None and under:
            found.append(Target(text, over / under, limit, at_least))

    warm_first = value(WARM, "first_frame_s")
    # the answer is at the caller when it has come through the queue; without that row, when it is encoded
    caller = "touchline-celery" if "touchline-celery" in medians else WARM
    answer = value(caller, "answer_s")
    slow_setup = condition.link in SLOW_SETUP_LINKS
    if slow_setup:
        ratio(
            "first frame: time of the reference miner / of Touchline",
            value(REFERENCE, "first_frame_s"),
            warm_first,
            30,
            at_least=True,
        )
        ratio(
            "first frame with the index at the end: time of the reference miner / of Touchline",
            value(f"{REFERENCE}-index-last", "first_frame_s"),
            value(f"{WARM}-index-last", "first_frame_s"),
            25,
            at_least=True,
        )
    ratio("first frame: time / floor", warm_first, floors.get("first_frame_s"), 1.3)
    ratio(
        "decoding: CPU time of Touchline / of cv2",
        floors.get("decode_cpu_s"),
        floors.get("cv2_decode_cpu_s"),
        0.55,
    )
    if floors:
        ratio(
            "all sampled frames decoded: time / max(floor of network, of decoding)",
            value("touchline-no-models", "all_decoded_s"),
            max(floors["network_s"], floors["decode_s"]),
            1.15,
        )
    ratio(f"answer at the caller ({caller}): time / combined floor", answer, floors.get("combined_s"), 1.2)
    times = 8 if slow_setup else 4
    ratio(
        f"answer at the caller: time of the reference miner / of {caller}",
        value(REFERENCE, "answer_s"),
        answer,
        times,
        at_least=True,
    )
    idle = value("touchline-idle", "first_frame_s")
    if idle is not None and warm_first is not None and floors.get("round_trip_s"):
        extra = (idle - warm_first) / floors["round_trip_s"]
        found.append(
            Target("after an hour without challenges: additional round trips", extra, 1.0, at_least=False)
        )
    return found


def answers_agree(condition: Condition) -> bool:
    """Whether all methods of Touchline that run models gave the same answer in every round."""
    digests = {
        row["answer_digest"]
        for name, rows in condition.rows.items()
        for row in rows
        if "answer_digest" in row and name != "touchline-no-models"
    }
    return len(digests) <= 1
