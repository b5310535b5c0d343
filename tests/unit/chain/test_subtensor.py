"""Reading the chain through Bittensor's own client, whose connection is replaced by a record of a subnet."""

from __future__ import annotations

import asyncio
import ipaddress
import json
from typing import Any

import bittensor
import pytest

from services.chain.snapshot import ChainSnapshot, Neuron
from services.chain.subtensor import read_chain
from services.errors import ChainUnreadable

RAO = 10**9
PRIVATE = {"track": "private", "role": "miner", "element_id": "manako/DetectFootballEvent"}


def revealed(fields: Any) -> str:
    """A revealed commitment as the chain hands it over: SCALE bytes with a length of two bytes."""
    text = json.dumps(fields).encode()
    return "0x" + ((len(text) << 2) | 1).to_bytes(2, "little").hex() + text.hex()


class Record:
    """The SDK's connection to a node, answered from a record."""

    token_symbols: dict[int, str] = {}

    def __init__(self, revealed_commitments: list[Any] = [], exists: bool = True) -> None:  # noqa: B006
        self.revealed = revealed_commitments
        self.exists = exists

    async def connect(self) -> None: ...

    async def close(self) -> None: ...

    async def block_number(self) -> int:
        return 123

    async def block_hash(self, block: int | None = None) -> str:
        return "0x00"

    def balance(self, rao: int, netuid: int = 0) -> bittensor.Balance:
        return bittensor.Balance.from_rao(rao)

    async def query_map(self, module: str, name: str, *args: Any, **kwargs: Any) -> list[Any]:
        return self.revealed if name == "RevealedCommitments" else []

    async def runtime_call(self, api: str, method: str, params: list[Any], **kwargs: Any) -> Any:
        if not self.exists:
            return None
        numbers = ("tempo", "last_step", "blocks_since_last_step", "network_registered_at")
        return {
            "block": 123,
            **dict.fromkeys(numbers, 1),
            "owner_hotkey": "5Owner",
            "owner_coldkey": "5Owner",
            "hotkeys": ["5Validator", "5Miner", "5Six"],
            "coldkeys": ["5Owner"] * 3,
            "validator_permit": [True, False, False],
            "total_stake": [5000 * RAO + RAO // 2, 0, 0],
            "axons": [
                None,
                {"ip": int(ipaddress.ip_address("203.0.113.9")), "port": 8000, "ip_type": 4},
                {"ip": int(ipaddress.ip_address("2001:db8::9")), "port": 81, "ip_type": 6},
            ],
        }


def read(record: Record, hotkey: str | None = None) -> ChainSnapshot:
    def client(network: str) -> bittensor.Client:
        return bittensor.Client(network, substrate=record)  # type: ignore[arg-type]

    return asyncio.run(read_chain("finney", 44, hotkey, client))


def test_stake_permit_and_axon_of_all_neurons() -> None:
    found = read(Record())
    assert found.block == 123
    assert found.neurons == [
        Neuron("5Validator", 0, 5000.5, True),
        Neuron("5Miner", 1, 0.0, False, "203.0.113.9", 8000),
        Neuron("5Six", 2, 0.0, False, "2001:db8::9", 81),
    ]
    assert found.commitment is None, "nobody asked for one"


def test_the_latest_revealed_commitment_to_the_private_track_counts() -> None:
    entries = [
        (revealed(PRIVATE | {"image_tag": "old"}), 100),
        (revealed(PRIVATE | {"image_tag": "new"}), 110),
        (revealed({"track": "open-source"}), 120),
        ("0x" + b"\x14hello".hex(), 121),
    ]
    found = read(Record([("5Miner", entries)]), "5Miner")
    assert found.commitment == PRIVATE | {"image_tag": "new"}
    assert found.commit_block == 110


@pytest.mark.parametrize("hotkey", ["5Validator", "5Nobody"])
def test_a_miner_without_a_commitment_has_an_empty_one(hotkey: str) -> None:
    assert read(Record(), hotkey).commitment == {}


def test_a_subnet_that_does_not_exist() -> None:
    with pytest.raises(ChainUnreadable, match="no subnet 44"):
        read(Record(exists=False))


@pytest.mark.parametrize("network", ["ws://127.0.0.1:9", "nowhere"])
def test_a_node_or_network_that_is_not_there(network: str) -> None:
    with pytest.raises(ChainUnreadable, match=network):
        asyncio.run(read_chain(network, 44))
