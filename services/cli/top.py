"""`touchline top`: workers, pools, queue and the latest challenges, live in the terminal."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from services.cli.console import stdout

if TYPE_CHECKING:
    from tasks.child_report import ChildReport
    from tasks.overview import Overview
    from tasks.recent import Recent

SHOWN = 15
"""Challenges that fit a terminal of 40 lines below the workers."""
STAGES = ("queue", "connect", "first_frame", "decode", "inference", "total")


def top(
    every: Annotated[float, typer.Option(min=0.5, max=60, help="Seconds between two looks.")] = 2.0,
    once: Annotated[bool, typer.Option("--once", help="One look, for scripts.")] = False,
) -> None:
    """Show what the whole system does, until Ctrl-C."""
    from services.settings import get_settings
    from tasks.overview import overview

    settings = get_settings()
    if once:
        found = overview(settings)
        stdout().print(render(found))
        sys.exit(1 if found.problem else 0)
    from rich.live import Live

    with Live(render(overview(settings)), screen=sys.stdout.isatty(), auto_refresh=False) as live:
        try:
            while True:
                time.sleep(every)
                live.update(render(overview(settings)), refresh=True)
        except KeyboardInterrupt:
            return


def render(found: Overview, now: float | None = None) -> Any:
    """One look, as something that rich prints.

    Args:
        found: What was asked.
        now: Seconds since 1970, for ages.
    """
    from rich.console import Group
    from rich.text import Text

    now = time.time() if now is None else now
    if found.problem:
        return Text(f"{found.problem}; looking again", style="red")
    queue = f"queue: {found.queue.depth} waiting, the oldest for {found.queue.oldest_s:.1f} s"
    return Group(Text(queue), _workers(found.workers, now), _recent(found.recent[:SHOWN], now))


def _workers(workers: dict[str, list[ChildReport]], now: float) -> Any:
    from rich.table import Table
    from rich.text import Text

    if not workers:
        return Text("no worker answers", style="red")
    table = Table(title="workers", title_justify="left")
    for heading in ("worker", "child", "state", "device"):
        table.add_column(heading, overflow="fold")
    for heading in ("answered", "failed", "connections", "reused", "warmed"):
        table.add_column(heading, justify="right")
    for name, children in sorted(workers.items()):
        for child in children:
            pool = child.pool
            connections = reused = warmed = "-"
            if pool is not None:
                ranges = sum(info["open"] for info in pool.range_connections)
                connections = f"{len(pool.connections)} + {ranges}"
                reused = f"{100 * pool.reused / pool.requests:.0f} %" if pool.requests else "-"
                warmed = "never" if pool.warmed_at is None else f"{max(0.0, now - pool.warmed_at):.0f} s ago"
            numbers = (str(child.answered), str(child.failed), connections, reused, warmed)
            table.add_row(name, str(child.pid), child.state, child.detail, *numbers)
    return table


def _recent(recent: list[Recent], now: float) -> Any:
    from rich.table import Table

    table = Table(title="latest challenges, ms", title_justify="left")
    for heading in ("ago", "challenge", "kind", "result"):
        table.add_column(heading, overflow="fold")
    for heading in STAGES:
        table.add_column(heading, justify="right")
    for each in recent:
        summary = each.summary
        result = str(summary.get("result", ""))
        if summary.get("error"):
            result = f"{summary['error']} in {summary.get('stage', '?')}"
        stages = [summary.get(f"{stage}_ms") for stage in STAGES]
        table.add_row(
            f"{max(0.0, now - each.at):.0f} s",
            str(summary.get("challenge_id", "")),
            str(summary.get("kind", "")),
            result,
            *("" if value is None else f"{value:.0f}" for value in stages),
        )
    return table
