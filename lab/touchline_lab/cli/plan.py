"""`touchline plan`: computes how many workers a rate of challenges needs."""

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
"""Characters that the table needs in a line; narrower terminals wrap lines instead of cutting cells."""
FEW_TIMES = 20
"""Number of service times below which the user is told that rare long ones are missing."""


def plan(
    per_hour: Annotated[float, typer.Option(min=0.001, help="Challenges per hour, on average.")],
    service: Annotated[
        str | None, typer.Option(help="Measured service times in seconds, comma-separated: 2.1,2.4,2.2.")
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option("--from", help="scale.json or bench.json with service times, instead of --service."),
    ] = None,
    point: Annotated[
        str | None, typer.Option(help="Point of scale.json, such as '30 s', or condition of bench.json.")
    ] = None,
    deadline: Annotated[
        float, typer.Option(min=0.01, help="Seconds within which a challenge has to be answered.")
    ] = 30.0,
    percentile: Annotated[
        float, typer.Option(min=1, max=100, help="Per cent of the challenges that have to meet the deadline.")
    ] = 99.0,
    burst: Annotated[
        int, typer.Option(min=1, help="Challenges that arrive at once, at regular intervals.")
    ] = 1,
    spread: Annotated[float, typer.Option(min=0, help="Seconds over which a burst is spread.")] = 0.0,
    workers: Annotated[int, typer.Option(min=1, max=1000, help="Maximum number of workers to try.")] = 8,
    count: Annotated[int, typer.Option(min=100, help="Challenges to simulate.")] = 20_000,
    seed: Annotated[int, typer.Option(help="Same seed, same result.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="JSON on standard output.")] = False,
) -> None:
    """Simulate a queue with measured service times; the exit code is 1 if no number of workers is enough."""
    from touchline_lab.capacity.measured import read_file, read_times
    from touchline_lab.capacity.plan import Demand, enough, outlooks

    if (service is None) == (source is None):
        raise SettingsError("service times are missing: give either --service or --from")
    times = read_times(service) if service is not None else read_file(source or Path(), point)
    demand = Demand(per_hour, deadline, percentile, burst, spread)
    if len(times) < FEW_TIMES:
        say(f"only {len(times)} service times: the plan knows nothing that is rarer than one in {len(times)}")
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

    arrival = f"{demand.burst} at once" if demand.burst > 1 else "at random times"
    table = Table(
        title=f"{demand.per_hour:g} challenges per hour, {arrival}; {len(times)} measured service times, "
        f"mean {sum(times) / len(times):.2f} s; deadline {demand.deadline_s:g} s",
        title_justify="left",
    )
    for name in ("workers", "busy", *(f"wait p{p}, s" for p in found[0].waited_s)):
        table.add_column(name, justify="right")
    for name in (*(f"answer p{p}, s" for p in found[0].took_s), "deadline missed"):
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
    # rich would cut cells to the width of the terminal: let the terminal wrap the lines instead
    console.width = max(console.width, TABLE_WIDTH)
    console.print(table)
