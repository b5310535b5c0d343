"""What one run of the benchmark measures, decided before it begins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from services.errors import SettingsError
from touchline_lab.benchmarks.clips import FRONT, LAST
from touchline_lab.benchmarks.linklab.links import LINKS
from touchline_lab.benchmarks.origins import DEMO_LINK

NETWORK, COMPUTE = "floor-network", "floor-compute"
FEW = ("official", "ours-cold", "ours-warm")
ALL = (
    "official",
    "cv2-url",
    "yolo-stream",
    "pyav-url",
    "ours-cold",
    "ours-warm",
    "ours-frames",
    "ours-idle",
    "ours-celery",
)
INDEX_LAST = ("official-last", "cv2-url-last", "pyav-url-last", "ours-warm-last")


@dataclass(frozen=True, slots=True)
class Options:
    """What is asked for.

    Attributes:
        links: Names of links.
        congestion: The server's congestion controls.
        rounds: Rounds that count.
        device: As the setting.
        env: Settings by the names of their variables.
        quick: Four seconds of video, one round, the few rows that matter.
        index_last: Also the clip whose index is at its end.
        methods: Rows to measure, by name; empty: all of them.
        out: Folder of the results.
    """

    links: Sequence[str] = ("seed", "r40", "r200", "r600")
    congestion: Sequence[str] = ("cubic",)
    rounds: int = 3
    device: str = "cpu"
    env: Mapping[str, str] = field(default_factory=dict)
    quick: bool = False
    index_last: bool = True
    methods: Sequence[str] = ()
    out: Path = Path("bench-out")

    def rows(self) -> tuple[str, ...]:
        """The rows, in the order of the table."""
        rows = FEW if self.quick else ALL + (INDEX_LAST if self.index_last else ())
        return tuple(row for row in rows if not self.methods or row in self.methods)


@dataclass(frozen=True, slots=True)
class Plan:
    """What can be measured here.

    Attributes:
        conditions: (link, congestion control), in order.
        rows: Names of the rows; `-last` is the clip whose index is at its end.
        left_out: What is not measured and why, in sentences.
        lab: Whether the link lab is used.
    """

    conditions: tuple[tuple[str, str], ...]
    rows: tuple[str, ...]
    left_out: tuple[str, ...]
    lab: bool


def make_plan(options: Options, lacks: Sequence[str], known: Sequence[str]) -> Plan:
    """Fit what is asked for to the machine.

    Args:
        options: What is asked for.
        lacks: What the machine lacks for a lab.
        known: Congestion controls of its kernel.

    Raises:
        SettingsError: A link, congestion control or way has a name that does not exist.
    """
    for name in options.methods:
        if name not in ALL + INDEX_LAST:
            raise SettingsError(f"no way {name!r}; ways: {', '.join(ALL + INDEX_LAST)}")
    for name, allowed in ((n, tuple(LINKS)) for n in options.links):
        if name not in allowed:
            raise SettingsError(f"no link {name!r}; links: {', '.join(allowed)}")
    for name in options.congestion:
        if name not in ("cubic", "bbr"):
            raise SettingsError(f"no congestion control {name!r}; cubic or bbr")
    rows = options.rows()
    if lacks:
        left_out: tuple[str, ...] = (
            f"Links {', '.join(options.links)}: this machine lacks {', '.join(lacks)}. "
            "Instead: the demo's origin on the loopback, whose new connections take 2.4 s.",
            "ours-idle: its short idle time-out is the lab's.",
        )
        fitting = tuple(row for row in rows if row != "ours-idle")
        return Plan(((DEMO_LINK, "default"),), fitting, left_out, lab=False)
    left_out = tuple(
        f"Congestion control {name}: this kernel does not have it."
        for name in options.congestion
        if name not in known
    )
    controls = [name for name in options.congestion if name in known] or ["cubic"]
    conditions = tuple((link, control) for link in options.links for control in controls)
    return Plan(conditions, rows, left_out, lab=True)


def method_and_clip(row: str) -> tuple[str, str]:
    """The way that a row takes, and the clip that it is given."""
    if row.endswith("-last"):
        return row.removesuffix("-last"), LAST
    return row, FRONT
