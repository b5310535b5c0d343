"""What a run of the scale benchmark found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from touchline_lab.benchmarks.job import Row
from touchline_lab.benchmarks.results import median


@dataclass(frozen=True, slots=True)
class Point:
    """One clip, setting and load.

    Attributes:
        series: What grows.
        name: How it is called in tables.
        seconds: Length of the video.
        load: Challenges submitted at once.
        workers: Workers that share them.
        rows: One for each round.
        service_s: What each challenge cost without waiting for a worker, in seconds.
    """

    series: str
    name: str
    seconds: float
    load: int
    workers: int
    rows: list[Row] = field(default_factory=list)
    service_s: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ScaleResults:
    """A whole run."""

    points: Sequence[Point]
    device: str
    cores: int
    rounds: int

    def series(self, name: str) -> list[Point]:
        """The points of one series."""
        return [point for point in self.points if point.series == name]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for the JSON file; `touchline plan --from` reads `points[].service_s`."""
        data = asdict(self)
        for found, point in zip(data["points"], self.points, strict=True):
            found["median"] = median(point.rows)
        return data


def per_minute(points: Sequence[Point], metric: str) -> float | None:
    """How much of a metric a minute of video adds: the slope of a line through the medians."""
    lengths = [point.seconds / 60 for point in points]
    values = [median(point.rows)[metric] for point in points]
    if len(set(lengths)) < 2:
        return None
    return float(np.polyfit(lengths, values, 1)[0])
