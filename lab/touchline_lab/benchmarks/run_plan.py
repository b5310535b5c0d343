"""Decides what one run of the benchmark measures, before it begins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from services.errors import SettingsError
from touchline_lab.benchmarks.clips import FRONT, LAST
from touchline_lab.benchmarks.linklab.links import LINKS
from touchline_lab.benchmarks.origins import DEMO_LINK

NETWORK, COMPUTE = "floor-network", "floor-compute"
"""Names of the processes that measure the floors."""
QUICK_ROWS = ("reference-miner", "touchline-cold", "touchline-warm")
"""What `--quick` measures."""
ROWS = (
    "reference-miner",
    "cv2-url",
    "yolo-stream",
    "pyav-url",
    "touchline-cold",
    "touchline-warm",
    "touchline-no-models",
    "touchline-idle",
    "touchline-celery",
)
"""All methods on the clip whose index stands at the front of the file."""
INDEX_LAST_SUFFIX = "-index-last"
INDEX_LAST_ROWS = (
    "reference-miner-index-last",
    "cv2-url-index-last",
    "pyav-url-index-last",
    "touchline-warm-index-last",
)
"""Methods that are also measured on the clip whose index stands at the end of the file."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the caller wants to be measured.

    Attributes:
        links: Names of links.
        congestion: The server's congestion controls.
        rounds: Rounds that are counted; one more comes first.
        device: The setting `DEVICE`.
        env: Further settings of the methods, by the names of their variables.
        quick: A clip of four seconds, one round, and only `QUICK_ROWS`.
        index_last: Whether the clip whose index stands at its end is measured as well.
        methods: Names of the rows to measure; all of them if empty.
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
        rows = QUICK_ROWS if self.quick else ROWS + (INDEX_LAST_ROWS if self.index_last else ())
        return tuple(row for row in rows if not self.methods or row in self.methods)


@dataclass(frozen=True, slots=True)
class Plan:
    """What can be measured on this machine.

    Attributes:
        conditions: Pairs of link and congestion control, in order.
        rows: Names of the rows; those that end in `-index-last` use the clip whose index stands at its end.
        left_out: What is not measured and why, in sentences.
        lab: Whether the link lab is used.
    """

    conditions: tuple[tuple[str, str], ...]
    rows: tuple[str, ...]
    left_out: tuple[str, ...]
    lab: bool


def make_plan(options: Options, lacks: Sequence[str], known: Sequence[str]) -> Plan:
    """Leave out what this machine cannot measure.

    Args:
        options: What is to be measured.
        lacks: What the machine lacks for the link lab.
        known: Congestion controls of its kernel.

    Raises:
        SettingsError: There is no link, congestion control or method of that name.
    """
    for name in options.methods:
        if name not in ROWS + INDEX_LAST_ROWS:
            raise SettingsError(f"no method {name!r}; methods: {', '.join(ROWS + INDEX_LAST_ROWS)}")
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
            "Instead: the demo origin on the loopback, whose new connections take 2.4 s.",
        )
        fitting = tuple(row for row in rows if row != "touchline-idle")
        if fitting != rows:
            why = "only the link lab has the port with the short idle time-out that it needs."
            left_out += (f"touchline-idle: {why}",)
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
    """The method of a row, and the file name of the clip that it is measured on."""
    if row.endswith(INDEX_LAST_SUFFIX):
        return row.removesuffix(INDEX_LAST_SUFFIX), LAST
    return row, FRONT
