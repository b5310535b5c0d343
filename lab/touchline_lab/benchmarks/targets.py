"""The targets: ratios of medians within one run, so that a slow machine does not fail them."""

from __future__ import annotations

from dataclasses import dataclass

from touchline_lab.benchmarks.results import Condition

OURS = "ours-warm"


@dataclass(frozen=True, slots=True)
class Target:
    """One target on one link.

    Attributes:
        text: What is asked.
        value: What was found.
        limit: The bound.
        at_least: Whether more is better.
    """

    text: str
    value: float
    limit: float
    at_least: bool

    @property
    def met(self) -> bool:
        """Whether it is."""
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def sentence(self) -> str:
        """For a table or a log."""
        sign = ">=" if self.at_least else "<="
        state = "met" if self.met else "MISSED"
        return f"{state:6} {self.text}: {self.value:.2f} (target {sign} {self.limit:g})"


def check(condition: Condition) -> list[Target]:
    """The targets that this condition's rows can tell."""
    medians, floors = condition.medians(), condition.floors
    found: list[Target] = []

    def value(row: str, metric: str) -> float | None:
        return medians.get(row, {}).get(metric)

    def ratio(
        text: str, over: float | None, under: float | None, limit: float, *, at_least: bool = False
    ) -> None:
        if over is not None and under:
            found.append(Target(text, over / under, limit, at_least))

    ours_first = value(OURS, "first_frame_s")
    # an answer is at the caller when it has come through the queue; without that row, when it is encoded
    caller = "ours-celery" if "ours-celery" in medians else OURS
    answer = value(caller, "answer_s")
    slow_setup = condition.link in ("seed", "demo")
    if slow_setup:
        ratio(
            "first frame, official / ours",
            value("official", "first_frame_s"),
            ours_first,
            30,
            at_least=True,
        )
        ratio(
            "first frame, index at the end, official / ours",
            value("official-last", "first_frame_s"),
            value("ours-warm-last", "first_frame_s"),
            25,
            at_least=True,
        )
    ratio("first frame / its floor", ours_first, floors.get("first_frame_s"), 1.3)
    ratio("decode CPU / cv2's", floors.get("decode_cpu_s"), floors.get("cv2_decode_cpu_s"), 0.55)
    if floors:
        ratio(
            "all sampled frames decoded / max(network, decode)",
            value("ours-frames", "all_decoded_s"),
            max(floors["network_s"], floors["decode_s"]),
            1.15,
        )
    ratio(f"answer at the caller ({caller}) / combined floor", answer, floors.get("combined_s"), 1.2)
    times = 8 if slow_setup else 4
    ratio(
        f"answer at the caller, official / {caller}",
        value("official", "answer_s"),
        answer,
        times,
        at_least=True,
    )
    idle = value("ours-idle", "first_frame_s")
    if idle is not None and ours_first is not None and floors.get("round_trip_s"):
        extra = (idle - ours_first) / floors["round_trip_s"]
        found.append(Target("an hour's idle, extra round trips", extra, 1.0, at_least=False))
    return found


def answers_agree(condition: Condition) -> bool:
    """Whether all of our rows that look at pictures gave one answer, in every round."""
    digests = {
        row["answer_digest"]
        for name, rows in condition.rows.items()
        for row in rows
        if "answer_digest" in row and name != "ours-frames"
    }
    return len(digests) <= 1
