"""`touchline pool`: the connections that each worker process holds."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from services.cli.console import say, stdout
from tasks.worker_reports import worker_reports

if TYPE_CHECKING:
    from tasks.child_report import ChildReport, PoolReport


def pool(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
) -> None:
    """Ask every worker which connections it holds, how often they were reused, and when they were warmed."""
    from services.settings import get_settings

    found = worker_reports(get_settings())
    if as_json:
        import msgspec

        print(json.dumps(msgspec.to_builtins(found)))
    if not found:
        say("no worker answers: start one with `touchline up` or `touchline worker`", style="red")
        sys.exit(1)
    if not as_json:
        _show(found)


def _show(found: dict[str, list[ChildReport]]) -> None:
    from rich.table import Table

    now = time.time()
    table = Table(title="connection pools", title_justify="left")
    for heading in ("worker", "child", "state", "origin", "protocol"):
        table.add_column(heading, overflow="fold")
    for heading in ("opened", "requests", "reused", "warmed"):
        table.add_column(heading, justify="right")
    for name, children in sorted(found.items()):
        for child in children:
            _add_child(table, name, child, now)
        if not children:
            table.add_row(name, "no child has come so far yet")
    stdout().print(table)


def _add_child(table: Any, name: str, child: ChildReport, now: float) -> None:
    pool = child.pool
    if pool is None:
        table.add_row(name, str(child.pid), child.state, "no pool (USE_CONNECTION_POOL=0, or too early)")
        return
    origins = _origins(pool) or [("none is open", "")]
    numbers = (
        str(pool.opened),
        str(pool.requests),
        f"{100 * pool.reused / pool.requests:.0f} %" if pool.requests else "-",
        "never" if pool.warmed_at is None else f"{max(0.0, now - pool.warmed_at):.0f} s ago",
    )
    for at, (origin, protocol) in enumerate(origins):
        first = (name, str(child.pid), child.state) if at == 0 else ("", "", "")
        table.add_row(*first, origin, protocol, *(numbers if at == 0 else ()))


def _origins(pool: PoolReport) -> list[tuple[str, str]]:
    rows = [
        (each["origin"], f"{each['protocol'] or 'opening'}, {'idle' if each['idle'] else 'in use'}")
        for each in pool.connections
    ]
    for each in pool.range_connections:
        if each["refused"]:
            rows.append((each["origin"], "no ranges"))
        elif each["open"]:
            rows.append(
                (
                    each["origin"],
                    f"{each['open']} range connections, round trip {each['round_trip_s'] * 1000:.0f} ms",
                )
            )
    return rows
