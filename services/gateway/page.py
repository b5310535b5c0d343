"""The page at `/docs`: what can be posted where. Spot checks only look at its status."""

from __future__ import annotations

from html import escape
from typing import Final

from services.settings import Settings

ROUTES: Final = (
    ("POST", "/soccer/challenge", "GSR: {challenge_id, type: gsr, video_url}"),
    ("POST", "/challenge", "private track: {challenge_id, video_url | frames | image_url}"),
    ("POST", "/predict", "open-source track: {url | frames, meta}"),
    ("GET", "/", "status page"),
    ("GET", "/availability", "whether a challenge that came now would be answered in time"),
    ("GET", "/readyz", "Redis, warm workers, queue"),
    ("GET", "/healthz", "this process"),
    ("GET", "/metrics", "counters for Prometheus"),
)
"""Method, path and meaning of each route."""


def docs_page(settings: Settings) -> str:
    """The page as HTML."""
    rows = "".join(
        f"<tr><td><code>{method}</code></td><td><code>{path}</code></td><td>{escape(text)}</td></tr>"
        for method, path, text in ROUTES
    )
    kinds = escape(", ".join(settings.served_kinds))
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Touchline gateway</title>'
        f"<h1>Touchline gateway</h1><p>Served kinds: {kinds}</p><table>{rows}</table></html>"
    )
