"""`touchline preflight`: what makes a private miner fail silently."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.console import stdout
from services.cli.extras import require_extra

if TYPE_CHECKING:
    from services.preflight.finding import Finding

_STYLES = {"ok": "green", "failed": "red", "unknown": "yellow"}


def preflight(
    snapshot: Annotated[
        Path | None, typer.Option(help="JSON file with what the chain says (docs/guides/private-track.md).")
    ] = None,
    url: Annotated[
        str | None,
        typer.Option(help="Where validators reach the gateway; the snapshot's axon by default."),
    ] = None,
    video: Annotated[str | None, typer.Option(help="A clip to be answered twice through the queue.")] = None,
    kind: Annotated[str, typer.Option(help="Its challenge kind.")] = "soccer_action",
    image: Annotated[str | None, typer.Option(help="The image, if it is not the committed one.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON list on standard output.")] = False,
) -> None:
    """Check what makes a private miner fail without a word, in the order in which a validator meets it."""
    require_extra("gateway")
    from services.preflight.chain import axon_url, check_chain, read_snapshot
    from services.preflight.gateway_probe import probe
    from services.preflight.image import check_image
    from services.preflight.repeat import check_answers
    from services.settings import get_settings

    settings = get_settings()
    chain = read_snapshot(snapshot)
    hotkey = settings.miner_hotkey or chain.hotkey
    findings = [
        *check_chain(chain, hotkey),
        *probe(url or axon_url(chain, hotkey), hotkey),
        *check_answers(settings, video, kind),
        check_image(chain, image),
    ]
    if as_json:
        import msgspec

        print(json.dumps(msgspec.to_builtins(findings)))
    else:
        _show(findings)
    sys.exit(any(finding.state == "failed" for finding in findings))


def _show(findings: list[Finding]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, pad_edge=False)
    for finding in findings:
        table.add_row(Text(finding.state, _STYLES[finding.state]), finding.check, Text(finding.text))
        if finding.advice:
            table.add_row("", "", Text(f"-> {finding.advice}"))
    stdout().print(table)
