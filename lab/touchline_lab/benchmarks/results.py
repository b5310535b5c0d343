"""The results of a run of the benchmark, and statistics over its rounds."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from touchline_lab.benchmarks.job import Row


@dataclass(frozen=True, slots=True)
class Condition:
    """The results on one link with one congestion control.

    Attributes:
        link: Name of the link.
        congestion: The server's congestion control.
        rows: All counted rounds of each method, by name.
        floors: The shortest times that link and processor allow, in seconds, by name.
        failed: Methods that could not be measured, and why.
    """

    link: str
    congestion: str
    rows: dict[str, list[Row]]
    floors: Row
    failed: dict[str, str]

    @property
    def name(self) -> str:
        """Link and congestion control, as tables show them."""
        return f"{self.link}/{self.congestion}"

    def medians(self) -> dict[str, Row]:
        """The median of every metric, by method."""
        return {name: median(found) for name, found in self.rows.items()}


@dataclass(frozen=True, slots=True)
class Results:
    """The results of a whole run.

    Attributes:
        conditions: One entry per link and congestion control.
        left_out: What was not measured and why, in sentences.
        device: The setting `DEVICE`.
        cores: Processor cores that the run could use.
        rounds: Counted rounds.
    """

    conditions: list[Condition]
    left_out: Sequence[str]
    device: str
    cores: int
    rounds: int

    def to_dict(self) -> dict[str, Any]:
        """Plain data for the JSON file."""
        data = asdict(self)
        for found, condition in zip(data["conditions"], self.conditions, strict=True):
            found["median"] = condition.medians()
        return data


def median(rows: Sequence[Row]) -> Row:
    """The median of each metric, over the rounds that have it."""
    metrics = dict.fromkeys(metric for row in rows for metric in row)
    return {metric: statistics.median(row[metric] for row in rows if metric in row) for metric in metrics}


def spread(rows: Sequence[Row], metric: str) -> tuple[float, float, float] | None:
    """Median, minimum and maximum of one metric; None if no round has it."""
    values = [row[metric] for row in rows if metric in row]
    return (statistics.median(values), min(values), max(values)) if values else None
