"""`touchline preflight`: what makes a private miner fail silently."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.console import stdout
from services.cli.extras import require_extra
from services.errors import ChainUnreadable

if TYPE_CHECKING:
    from services.chain.snapshot import ChainSnapshot
    from services.preflight.finding import Finding
    from services.settings import Settings

_STYLES = {"ok": "green", "failed": "red", "unknown": "yellow"}


def preflight(
    snapshot: Annotated[
        Path | None, typer.Option(help="What the chain says, as a file that `touchline chain` wrote.")
    ] = None,
    network: Annotated[
        str | None, typer.Option(help="Read the chain itself: finney, test, local or wss://...")
    ] = None,
    inactive: Annotated[
        str | None,
        typer.Option(help="URL or file of the inactive miners; the published list with --network."),
    ] = None,
    url: Annotated[
        str | None, typer.Option(help="Where validators reach the gateway; the axon on the chain by default.")
    ] = None,
    video: Annotated[str | None, typer.Option(help="A clip to be answered twice through the queue.")] = None,
    kind: Annotated[str, typer.Option(help="Its challenge kind.")] = "soccer_action",
    image: Annotated[str | None, typer.Option(help="The image, if it is not the committed one.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON list on standard output.")] = False,
) -> None:
    """Check what makes a private miner fail silently: commitment, axon, gateway, answers, image, hotkey."""
    require_extra("gateway")
    from services.preflight.chain import axon_url, check_commitment, check_registration
    from services.preflight.gateway_probe import probe
    from services.preflight.image import check_image
    from services.preflight.repeat import check_answers
    from services.settings import get_settings

    settings = get_settings()
    chain, findings = _chain(settings, snapshot, network, inactive)
    unreadable = bool(findings)
    hotkey = settings.miner_hotkey or chain.hotkey
    findings += check_commitment(chain, hotkey, _served_kinds(settings))
    findings += probe(url or axon_url(chain, hotkey), hotkey)
    findings += check_answers(settings, video, kind)
    findings.append(check_image(chain, image))
    findings += check_registration(chain, hotkey)
    if as_json:
        import msgspec

        print(json.dumps(msgspec.to_builtins(findings)))
    else:
        _show(findings)
    sys.exit(unreadable or any(finding.state == "failed" for finding in findings))


def _served_kinds(settings: Settings) -> tuple[str, ...] | None:
    """SERVED_KINDS; None where it is not set here, for this may be another machine than the gateway's."""
    return settings.served_kinds if "served_kinds" in settings.model_fields_set else None


def _chain(
    settings: Settings, file: Path | None, network: str | None, inactive: str | None
) -> tuple[ChainSnapshot, list[Finding]]:
    """What is known of the chain, and why something is not known.

    Raises:
        ChainUnreadable: The file cannot be read.
    """
    import msgspec

    from services.chain.snapshot import ChainSnapshot, read_snapshot
    from services.preflight.finding import unknown
    from services.preflight.inactive import PUBLISHED, read_inactive

    reasons: list[Finding] = []
    chain = ChainSnapshot() if file is None else read_snapshot(file)
    if network is not None:
        require_extra("chain")
        from services.chain.subtensor import read_chain

        try:
            hotkey = settings.miner_hotkey or chain.hotkey
            found = asyncio.run(read_chain(network, settings.netuid, hotkey))
            # what the chain does not hold may stand in the file
            chain = msgspec.structs.replace(found, inactive=chain.inactive, blacklist=chain.blacklist)
        except ChainUnreadable as error:
            advice = "try another node: --network wss://..., or name a snapshot with --snapshot"
            reasons.append(unknown("chain", str(error), advice))
    listed = inactive or (PUBLISHED if network is not None else None)
    if listed is not None:
        try:
            chain = msgspec.structs.replace(chain, inactive=read_inactive(listed))
        except ChainUnreadable as error:
            reasons.append(
                unknown("list of inactive miners", str(error), "name a copy of it with --inactive")
            )
    return chain, reasons


def _show(findings: list[Finding]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, pad_edge=False)
    for finding in findings:
        table.add_row(Text(finding.state, _STYLES[finding.state]), finding.check, Text(finding.text))
        if finding.advice:
            table.add_row("", "", Text(f"-> {finding.advice}"))
    stdout().print(table)
    counts: Counter[str] = Counter(finding.state for finding in findings)
    stdout().print(", ".join(f"{counts[state]} {state}" for state in _STYLES if counts[state]))
