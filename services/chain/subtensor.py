"""Reads the subnet from the chain, with Bittensor's own SDK (extra [chain])."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from services.chain.snapshot import ChainSnapshot, Neuron
from services.errors import ChainUnreadable

if TYPE_CHECKING:
    import bittensor

TIMEOUT_S: Final = 60.0
"""Seconds for the whole of it; the first read of a machine also downloads the chain's metadata."""


async def read_chain(
    network: str,
    netuid: int,
    hotkey: str | None = None,
    make_client: Callable[[str], bittensor.Client] | None = None,
) -> ChainSnapshot:
    """Read the neurons of a subnet, and a miner's commitment to the private track.

    Args:
        network: `finney`, `test`, `local`, or the address of a node, `ws://` or `wss://`.
        netuid: The subnet.
        hotkey: The miner whose commitment is wanted.
        make_client: Makes the SDK's client of a network.

    Raises:
        ChainUnreadable: No node answers in time, or there is no such subnet or network.
    """
    import bittensor

    try:
        async with (
            asyncio.timeout(TIMEOUT_S),
            (make_client or bittensor.Client)(network) as client,
        ):
            found = await client.subnets.metagraph(netuid)
    except TimeoutError as error:
        raise ChainUnreadable(f"{network} did not answer within {TIMEOUT_S:g} s") from error
    except (bittensor.BittensorError, OSError, ValueError) as error:
        raise ChainUnreadable(f"{network} cannot be read: {error}") from error
    if found is None:
        raise ChainUnreadable(f"{network} has no subnet {netuid}")
    commitment, commit_block = _private_commitment(found, hotkey)
    return ChainSnapshot(
        block=found.block,
        hotkey=hotkey,
        commitment=commitment,
        commit_block=commit_block,
        neurons=[_neuron(neuron) for neuron in found.neurons],
    )


def _neuron(found: bittensor.MetagraphNeuron) -> Neuron:
    host, _, port = (found.axon or "").rpartition(":")
    return Neuron(
        found.hotkey,
        found.uid,
        found.total_stake.rao / 1e9,
        found.validator_permit,
        host.strip("[]"),
        int(port or 0),
    )


def _private_commitment(
    found: bittensor.Metagraph, hotkey: str | None
) -> tuple[dict[str, Any] | None, int | None]:
    """The latest commitment to the private track that everybody can read, and its block.

    Validators read what was revealed only: what is still sealed, or was committed in the clear, does not
    count. An empty commitment says that there is none; None, that it is not known whose.
    """
    if hotkey is None:
        return None, None
    neuron = found.by_hotkey(hotkey)
    revealed = neuron.commitment.revealed if neuron is not None and neuron.commitment is not None else []
    for block, text in reversed(revealed):
        try:
            fields = json.loads(text)
        except ValueError:
            continue
        if isinstance(fields, dict) and fields.get("track") == "private":
            return fields, block
    return {}, None
