"""The status page at `/`: workers, pools, queue, latest challenges; one HTML file without JavaScript."""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections.abc import Callable
from html import escape
from typing import Any, Final

from services.settings import Settings
from tasks.child_report import ChildReport
from tasks.overview import Overview, overview
from tasks.recent import Recent

FRESH_S: Final = 3.0
"""Seconds for which one look is shown to everybody: views must not burden Redis and workers."""
REFRESH_S: Final = 10
"""Seconds after which the browser loads the page again."""
BARS: Final = {
    "queue_ms": "queue",
    "connect_ms": "connect",
    "first_byte_ms": "first",
    "download_ms": "load",
    "fill_ms": "fill",
}
"""Stages of a challenge's bar that follow each other; what is left of the total is decoding and inference."""
STYLE: Final = """
:root{color-scheme:light dark;--ink:#1b1f24;--paper:#fff;--line:#d0d7de;--bad:#cf222e;--rest:#1f6feb}
@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--paper:#0d1117;--line:#30363d;--bad:#ff7b72}}
body{font:15px/1.45 system-ui,sans-serif;color:var(--ink);background:var(--paper)}
body{max-width:70rem;margin:1rem auto;padding:0 1rem}h1{font-size:1.3rem}h2{font-size:1.05rem}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%}
td,th{border-bottom:1px solid var(--line);padding:.2rem .5rem;text-align:left;white-space:nowrap}
.bad{color:var(--bad)}.bar{display:flex;height:.9rem;min-width:10rem;max-width:20rem}
.bar span{min-width:1px}.queue{background:#8c959f}.connect{background:#cf222e}.first{background:#bf8700}
.load{background:#8250df}.fill{background:#1a7f37}.rest{background:var(--rest)}
@media(max-width:40rem){td,th{padding:.15rem;white-space:normal;font-size:.8rem}td{overflow-wrap:anywhere}.bar{min-width:4rem}}
.key span{display:inline-block;width:.8rem;height:.8rem;margin:0 .3rem 0 .8rem}
"""


class StatusPage:
    """Looks at the system at most every few seconds, whoever asks.

    Args:
        settings: Redis, and who may see the page.
        look: Gives the overview; for tests.
    """

    def __init__(self, settings: Settings, look: Callable[[Settings], Overview] = overview) -> None:
        self._settings = settings
        self._look = look
        self._lock = asyncio.Lock()
        self._seen = Overview()
        self._at = -FRESH_S

    def may_see(self, client: str) -> bool:
        """Whether a client of that address gets the page (STATUS_PAGE)."""
        if self._settings.status_page != "local":
            return self._settings.status_page == "all"
        try:
            address = ipaddress.ip_address(client)
        except ValueError:
            return False
        return address.is_loopback or address.is_private

    async def html(self) -> str:
        """The page."""
        async with self._lock:
            if time.monotonic() - self._at >= FRESH_S:
                self._seen = await asyncio.to_thread(self._look, self._settings)
                self._at = time.monotonic()
        return status_html(self._seen, self._settings, time.time())


def status_html(found: Overview, settings: Settings, now: float) -> str:
    """The page of one look.

    Args:
        found: What was asked.
        settings: For the links.
        now: Seconds since 1970, for ages.
    """
    if found.problem:
        body = f'<p class="bad">{escape(found.problem)}</p>'
    else:
        body = _queue(found) + _workers(found.workers, now) + _recent(found.recent, now)
    links = f'<a href="{escape(settings.flower_url)}">Flower</a> · <a href="{escape(settings.grafana_url)}">'
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Touchline</title>'
        f'<meta http-equiv="refresh" content="{REFRESH_S}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<style>{STYLE}</style></head><body><h1>Touchline</h1><p>{links}Grafana</a></p>{body}</body></html>"
    )


def _queue(found: Overview) -> str:
    text = f"{found.queue.depth} challenges wait"
    if found.queue.depth:
        text += f", the oldest for {found.queue.oldest_s:.1f} s"
    return f"<p>{text}</p>"


def _table(heads: tuple[str, ...], rows: list[str]) -> str:
    head = "".join(f"<th>{escape(text)}</th>" for text in heads)
    return f'<div class="scroll"><table><tr>{head}</tr>{"".join(rows)}</table></div>'


def _cells(*texts: str) -> str:
    return "".join(f"<td>{escape(text)}</td>" for text in texts)


def _workers(workers: dict[str, list[ChildReport]], now: float) -> str:
    if not workers:
        return '<h2>Workers</h2><p class="bad">no worker answers</p>'
    rows = [
        f"<tr>{_cells(name, str(child.pid), child.state, child.detail, *_pool(child, now))}</tr>"
        for name, children in sorted(workers.items())
        for child in children
    ]
    heads = ("worker", "child", "state", "device", "connections", "reused", "warmed", "answered", "failed")
    return f"<h2>Workers</h2>{_table(heads, rows)}"


def _pool(child: ChildReport, now: float) -> tuple[str, ...]:
    numbers = (str(child.answered), str(child.failed))
    pool = child.pool
    if pool is None:
        return ("-", "-", "-", *numbers)
    ranges = sum(int(info["open"]) for info in pool.range_connections)
    reused = f"{100 * pool.reused / pool.requests:.0f} %" if pool.requests else "-"
    warmed = "never" if pool.warmed_at is None else f"{max(0.0, now - pool.warmed_at):.0f} s ago"
    return (f"{len(pool.connections)} + {ranges}", reused, warmed, *numbers)


def _recent(recent: list[Recent], now: float) -> str:
    key = "".join(f'<span class="{name}"></span>{name}' for name in (*BARS.values(), "rest"))
    rows = [_challenge(each, now) for each in recent]
    heads = ("ago", "challenge", "kind", "result", "total, ms", "stages")
    table = _table(heads, rows) if rows else "<p>none yet</p>"
    return f'<h2>Latest challenges</h2><p class="key">{key}: decoding and inference</p>{table}'


def _challenge(each: Recent, now: float) -> str:
    summary = each.summary
    name, kind = str(summary.get("challenge_id", "")), str(summary.get("kind", ""))
    result = str(summary.get("result", ""))
    shown = f"<td>{escape(result)}</td>"
    if summary.get("error"):
        text = f"{summary['error']} in {summary.get('stage') or '?'}"
        shown = f'<td class="bad">{escape(text)}</td>'
    ago = f"{max(0.0, now - each.at):.0f} s"
    total = f"{_number(summary.get('total_ms')):.0f}"
    return f"<tr>{_cells(ago, name, kind)}{shown}{_cells(total)}<td>{_bar(summary)}</td></tr>"


def _bar(summary: dict[str, Any]) -> str:
    parts = {name: _number(summary.get(stage)) for stage, name in BARS.items()}
    # the total begins when the worker does, behind the queue
    whole = _number(summary.get("total_ms")) + parts["queue"]
    parts["rest"] = max(0.0, whole - sum(parts.values()))
    if whole <= 0:
        return ""
    spans = [
        f'<span class="{name}" style="width:{100 * value / whole:.2f}%" title="{name} {value:.0f} ms"></span>'
        for name, value in parts.items()
        if value > 0
    ]
    return f'<div class="bar">{"".join(spans)}</div>'


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
