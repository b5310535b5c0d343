"""The results of a run of the scale benchmark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from touchline_lab.benchmarks.job import Row
from touchline_lab.benchmarks.results import median


@dataclass(frozen=True, slots=True)
class Point:
    """The measurements of one clip with one setting and load.

    Attributes:
        series: What grows.
        name: Name of the point in tables.
        seconds: Length of the clip in seconds.
        load: Challenges that are submitted at once.
        workers: Workers that answer them.
        rows: The numbers of each round.
        service_s: Service time of each challenge in seconds: without the waiting for a worker.
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
    """The results of a whole run.

    Attributes:
        points: All points of all series.
        device: The setting `DEVICE`.
        cores: Processor cores that the run could use.
        rounds: Rounds of each point.
    """

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
    """How much a minute of video adds to a metric: the slope of a line through the medians.

    Returns:
        None if there are not two points of different length.
    """
    lengths = [point.seconds / 60 for point in points]
    values = [median(point.rows)[metric] for point in points]
    if len(set(lengths)) < 2:
        return None
    return float(np.polyfit(lengths, values, 1)[0])
