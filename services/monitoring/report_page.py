"""One or many timelines as one HTML file without a network: waterfalls, a comparison, percentile bands."""

from __future__ import annotations

import base64
import html
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from services.monitoring.waterfall import BUSY_SHARE, MOMENTS, older_version
from services.timeline import STAGES

Timelines = Mapping[str, Mapping[str, Any]]
"""`Timeline.to_dict()` by the name under which it is shown."""

MAX_CLIP_BYTES: Final = 64 << 20
"""A longer clip is not put into the page: a browser holds it three times over."""
STYLE: Final = """
:root{color-scheme:light dark;--ink:#1b1f24;--paper:#fff;--line:#d0d7de}
:root{--busy:#1f6feb;--wait:#9ec5fe;--mark:#cf222e}
@media(prefers-color-scheme:dark){
:root{--ink:#e6edf3;--paper:#0d1117;--line:#30363d;--busy:#4493f8;--wait:#1f3a5f;--mark:#ff7b72}}
body{font:14px/1.4 system-ui,sans-serif;color:var(--ink);background:var(--paper)}
body{max-width:70rem;margin:1rem auto;padding:0 1rem}
h1{font-size:1.3rem}h2{font-size:1.05rem;margin:1.6rem 0 .4rem}
.row{display:grid;grid-template-columns:9rem 5.5rem 1fr;gap:.5rem;align-items:center}
.row{border-bottom:1px solid var(--line)}.row b{font-weight:500;overflow-wrap:anywhere}
.row i{font-style:normal;text-align:right;font-variant-numeric:tabular-nums}
.axis{position:relative;height:1.25rem}
.bar{position:absolute;top:.2rem;height:.85rem;min-width:2px;border-radius:2px;background:var(--busy)}
.bar.wait,.bar.band{background:var(--wait)}.bar.mark{width:2px;background:var(--mark)}
.row:hover{background:color-mix(in srgb,var(--wait) 25%,transparent)}
table{border-collapse:collapse}
td,th{border-bottom:1px solid var(--line);padding:.15rem .6rem;text-align:right}
td:first-child,th:first-child{text-align:left}.note{color:var(--mark)}video{max-width:100%}
.two{display:grid;grid-template-columns:repeat(auto-fit,minmax(26rem,1fr));gap:1.5rem}
@media(max-width:40rem){.row{grid-template-columns:6rem 4.5rem 1fr}.two{grid-template-columns:1fr}}
"""


def report_page(timelines: Timelines, clip: Path | None = None) -> str:
    """The page.

    Args:
        timelines: At least one; those of other versions are shown as far as their stages are known.
        clip: An annotated clip that stands beside the waterfalls.
    """
    names = list(timelines)
    title = names[0] if len(names) == 1 else f"{len(names)} challenges"
    parts = [f"<h1>Where the time went: {html.escape(title)}</h1>"]
    if len(names) == 2:
        parts.append(_comparison(timelines))
    if len(names) > 2:
        parts.append(_bands(timelines))
    parts.append('<div class="two">')
    scale = max(_extent(timeline)[1] for timeline in timelines.values())
    begin = min(_extent(timeline)[0] for timeline in timelines.values())
    parts += [_waterfall(name, timeline, begin, scale) for name, timeline in timelines.items()]
    parts.append(_clip(clip) + "</div>")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>Touchline: {html.escape(title)}</title><style>{STYLE}</style></head>"
        f"<body>{''.join(parts)}</body></html>\n"
    )


def _extent(timeline: Mapping[str, Any]) -> tuple[float, float]:
    """Begin and end in seconds."""
    spans = timeline.get("stages", {}).values()
    begin = min((float(span["start"]) for span in spans), default=0.0)
    end = max((float(span["end"]) for span in spans), default=0.0)
    return min(0.0, begin), max(end, float(timeline.get("total", 0.0)), 1e-3)


def _ordered(stages: Mapping[str, Any]) -> list[str]:
    return [name for name in STAGES if name in stages] + [name for name in stages if name not in STAGES]


def _waterfall(name: str, timeline: Mapping[str, Any], begin: float, end: float) -> str:
    stages = timeline.get("stages", {})
    lines = [f"<section><h2>{html.escape(name)}</h2>"]
    older = older_version(timeline)
    if older:
        lines.append(f'<p class="note">{html.escape(older)}</p>')
    lines += [_row(stage, stages[stage], begin, end) for stage in _ordered(stages)]
    lines.append(_line("total", f"{float(timeline.get('total', 0.0)) * 1000:.1f}", ""))
    facts = ", ".join(f"{key} {value}" for key, value in timeline.get("facts", {}).items())
    lines.append(f"<p>{html.escape(facts)}</p></section>")
    return "".join(lines)


def _row(stage: str, span: Mapping[str, Any], begin: float, end: float) -> str:
    first, last, busy = float(span["start"]), float(span["end"]), float(span["busy"])
    text = f"{stage}: {first * 1000:.1f} to {last * 1000:.1f} ms, busy {busy * 1000:.1f} ms"
    if stage in MOMENTS:
        return _line(stage, f"{last * 1000:.1f}", _bar("mark", last, last, begin, end, text))
    kind = "" if busy >= BUSY_SHARE * (last - first) else "wait"
    return _line(stage, f"{(last - first) * 1000:.1f}", _bar(kind, first, last, begin, end, text))


def _bar(kind: str, first: float, last: float, begin: float, end: float, text: str) -> str:
    left = 100 * (first - begin) / (end - begin)
    width = 100 * (last - first) / (end - begin)
    return (
        f'<span class="bar {kind}" style="left:{left:.3f}%;width:{width:.3f}%" title="{html.escape(text)}">'
        "</span>"
    )


def _line(name: str, value: str, bar: str) -> str:
    return f'<div class="row"><b>{html.escape(name)}</b><i>{value} ms</i><div class="axis">{bar}</div></div>'


def _comparison(timelines: Timelines) -> str:
    """Two timelines as a table with their difference."""
    (one_name, one), (two_name, two) = timelines.items()
    rows = []
    for stage in dict.fromkeys([*_ordered(one.get("stages", {})), *_ordered(two.get("stages", {}))]):
        rows.append((stage, _lasted(one, stage), _lasted(two, stage)))
    rows.append(("total", float(one.get("total", 0.0)), float(two.get("total", 0.0))))
    cells = "".join(
        f"<tr><td>{html.escape(stage)}</td><td>{_ms(first)}</td><td>{_ms(second)}</td><td>"
        + ("" if first is None or second is None else f"{(first - second) * 1000:+.1f}")
        + "</td></tr>"
        for stage, first, second in rows
    )
    heads = "".join(
        f"<th>{html.escape(head)}</th>" for head in ("stage, ms", one_name, two_name, "difference")
    )
    return f"<table><tr>{heads}</tr>{cells}</table>"


def _lasted(timeline: Mapping[str, Any], stage: str) -> float | None:
    span = timeline.get("stages", {}).get(stage)
    return None if span is None else float(span["end"]) - float(span["start"])


def _ms(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds * 1000:.1f}"


def _bands(timelines: Timelines) -> str:
    """Of each stage the band from the 10th to the 90th percentile of its duration, and the median."""
    found = list(timelines.values())
    stages = dict.fromkeys(stage for timeline in found for stage in _ordered(timeline.get("stages", {})))
    durations = {stage: [_lasted(timeline, stage) for timeline in found] for stage in stages}
    durations["total"] = [float(timeline.get("total", 0.0)) for timeline in found]
    known = {stage: [value for value in values if value is not None] for stage, values in durations.items()}
    longest = max((percentile(values, 0.9) for values in known.values() if values), default=1.0) or 1.0
    lines = ["<section><h2>10th percentile, median and 90th percentile of each stage</h2>"]
    for stage, values in known.items():
        low, middle, high = (percentile(values, share) for share in (0.1, 0.5, 0.9))
        text = f"{stage}: {low * 1000:.1f} / {middle * 1000:.1f} / {high * 1000:.1f} ms of {len(values)}"
        bars = _bar("band", low, high, 0.0, longest, text) + _bar("mark", middle, middle, 0.0, longest, text)
        lines.append(_line(stage, f"{middle * 1000:.1f}", bars))
    return "".join(lines) + "</section>"


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which that share of the values lies, between two of them where it falls there."""
    if len(values) < 2:
        return values[0] if values else 0.0
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return cuts[round(share * 100) - 1]


def _clip(clip: Path | None) -> str:
    if clip is None:
        return ""
    if clip.stat().st_size > MAX_CLIP_BYTES:
        return f'<p class="note">{html.escape(clip.name)} is too long to be shown here</p>'
    data = base64.b64encode(clip.read_bytes()).decode()
    return (
        f"<section><h2>{html.escape(clip.name)}</h2>"
        f'<video controls muted src="data:video/mp4;base64,{data}"></video></section>'
    )
