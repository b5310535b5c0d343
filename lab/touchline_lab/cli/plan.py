"""`touchline plan`: how many workers a rate of challenges needs."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.console import say, stdout
from services.errors import SettingsError

if TYPE_CHECKING:
    from touchline_lab.capacity.plan import Demand, Outlook

TABLE_WIDTH = 130
FEW = 20


def plan(
    per_hour: Annotated[float, typer.Option(min=0.001, help="Challenges in an hour, on average.")],
    service: Annotated[
        str | None, typer.Option(help="Measured seconds of one answer, comma-separated: 2.1,2.4,2.2.")
    ] = None,
    source: Annotated[
        Path | None, typer.Option("--from", help="scale.json or bench.json, instead of --service.")
    ] = None,
    point: Annotated[
        str | None, typer.Option(help="Which point of scale.json, as '30 s', or condition of bench.json.")
    ] = None,
    deadline: Annotated[float, typer.Option(min=0.01, help="Seconds in which an answer is wanted.")] = 30.0,
    percentile: Annotated[
        float, typer.Option(min=1, max=100, help="Per cent of the challenges that have to hold it.")
    ] = 99.0,
    burst: Annotated[int, typer.Option(min=1, help="Challenges that come at once, in even distances.")] = 1,
    spread: Annotated[float, typer.Option(min=0, help="Seconds over which a burst is spread.")] = 0.0,
    workers: Annotated[int, typer.Option(min=1, max=1000, help="Most workers to try.")] = 8,
    count: Annotated[int, typer.Option(min=100, help="Challenges to simulate.")] = 20_000,
    seed: Annotated[int, typer.Option(help="Same seed, same result.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="JSON on standard output.")] = False,
) -> None:
    """Simulate a queue with measured service times; exit code 1 when the workers tried are too few."""
    from touchline_lab.capacity.measured import read_file, read_times
    from touchline_lab.capacity.plan import Demand, enough, outlooks

    if (service is None) == (source is None):
        raise SettingsError("the time of one answer: give either --service or --from")
    times = read_times(service) if service is not None else read_file(source or Path(), point)
    demand = Demand(per_hour, deadline, percentile, burst, spread)
    if len(times) < FEW:
        say(f"only {len(times)} service times: what is rarer than one in {len(times)} is not in this plan")
    found = outlooks(demand, times, workers, count, seed)
    needed = enough(found, demand)
    if as_json:
        data = {
            "demand": asdict(demand),
            "service_s": times,
            "needed": needed and needed.workers,
            "workers": [asdict(outlook) for outlook in found],
        }
        print(json.dumps(data, indent=1))
    else:
        _show(demand, found, needed, times)
        if needed is None:
            say(f"{workers} workers are too few for {percentile:g} % in {deadline:g} s: try more (--workers)")
        else:
            say(f"needed: {needed.workers} worker{'s' if needed.workers > 1 else ''}", style="bold green")
    if needed is None:
        sys.exit(1)


def _show(demand: Demand, found: list[Outlook], needed: Outlook | None, times: tuple[float, ...]) -> None:
    from rich.table import Table

    come = f"{demand.burst} at once" if demand.burst > 1 else "by chance"
    table = Table(
        title=f"{demand.per_hour:g} challenges an hour, {come}; {len(times)} measured service times, "
        f"mean {sum(times) / len(times):.2f} s; deadline {demand.deadline_s:g} s",
        title_justify="left",
    )
    for name in ("workers", "busy", *(f"wait p{p}" for p in found[0].waited_s)):
        table.add_column(name, justify="right")
    for name in (*(f"answer p{p}" for p in found[0].took_s), f"miss {demand.deadline_s:g} s"):
        table.add_column(name, justify="right")
    for outlook in found:
        table.add_row(
            str(outlook.workers),
            f"{outlook.busy:.0%}",
            *(f"{seconds:.2f}" for seconds in (*outlook.waited_s.values(), *outlook.took_s.values())),
            f"{outlook.missed:.2%}",
            style="bold" if outlook is needed else "",
        )
    console = stdout()
    # a table that is cut to a narrow window says nothing: let the terminal wrap it
    console.width = max(console.width, TABLE_WIDTH)
    console.print(table)
