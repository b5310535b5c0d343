"""`touchline chain`: a snapshot of the subnet, for gateways and `touchline preflight`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

from services.cli.console import say
from services.cli.extras import require_extra


def chain(
    network: Annotated[
        str | None, typer.Option(help="finney, test, local or wss://...; METAGRAPH_NETWORK, else finney.")
    ] = None,
    netuid: Annotated[int | None, typer.Option(min=0, help="The subnet; NETUID by default.")] = None,
    hotkey: Annotated[
        str | None, typer.Option(help="The miner whose commitment is read; MINER_HOTKEY by default.")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="The file; standard output by default.")] = None,
) -> None:
    """Read the subnet's neurons and a miner's commitment from the chain, as JSON."""
    require_extra("chain")
    from services.chain.snapshot import encode_snapshot, write_snapshot
    from services.chain.subtensor import read_chain
    from services.errors import ReportFailed
    from services.settings import get_settings

    settings = get_settings()
    snapshot = asyncio.run(
        read_chain(
            network or settings.metagraph_network or "finney",
            settings.netuid if netuid is None else netuid,
            hotkey or settings.miner_hotkey,
        )
    )
    if output is None:
        sys.stdout.buffer.write(encode_snapshot(snapshot))
        return
    try:
        write_snapshot(output, snapshot)
    except OSError as error:
        raise ReportFailed(f"{output} cannot be written: {error}") from error
    say(f"{output}: {len(snapshot.neurons or ())} neurons at block {snapshot.block}")
