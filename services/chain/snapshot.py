"""The subnet at one block, as a JSON file that `touchline chain` writes, or any job of an operator.

    {"block": 123, "hotkey": "5...",
     "commitment": {"track": "private", "role": "miner", "element_id": "...",
                    "image_repo": "...", "image_tag": "..."},
     "commit_block": 120,
     "neurons": [{"hotkey": "5...", "uid": 7, "stake": 1234.5, "validator_permit": true,
                  "axon_ip": "203.0.113.9", "axon_port": 8000}],
     "inactive": [{"hotkey": "5...", "element_id": "...", "commit_block": 120}]}

Parts that are left out are not known. Source of the commitment's fields and of inactive miners: the public
subnet repository `score-technologies/turbovision`, as of 2026-08-22 (docs/reference/wire.md).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from services.errors import ChainUnreadable
from services.files import complete_or_absent


class Neuron(msgspec.Struct, frozen=True, omit_defaults=True):
    """One participant of the subnet.

    Attributes:
        hotkey: SS58 address.
        uid: Its number in the subnet.
        stake: In the unit of MIN_STAKE_THRESHOLD.
        validator_permit: Whether it may act as a validator.
        axon_ip: The address at which it says that it can be reached; empty without one.
        axon_port: The port there; 0 without one.
    """

    hotkey: str
    uid: int | None = None
    stake: float = 0.0
    validator_permit: bool = False
    axon_ip: str = ""
    axon_port: int = 0


class ChainSnapshot(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known of the subnet at one block; None for what is not known.

    Attributes:
        block: The block.
        hotkey: The miner that `commitment` belongs to.
        commitment: Its latest commitment to the private track.
        commit_block: The block of that commitment.
        neurons: All participants.
        inactive: Rows of the public list of inactive miners, or hotkeys alone.
        blacklist: Rows of the subnet's blacklist, `{"hotkey", "reason"}`, or hotkeys alone.
    """

    block: int = 0
    hotkey: str | None = None
    commitment: dict[str, Any] | None = None
    commit_block: int | None = None
    neurons: list[Neuron] | None = None
    inactive: list[Any] | None = None
    blacklist: list[Any] | None = None


def read_snapshot(file: Path) -> ChainSnapshot:
    """Read a snapshot.

    Raises:
        ChainUnreadable: The file cannot be read, or is not a snapshot.
    """
    try:
        return decode_snapshot(file.read_bytes())
    except OSError as error:
        raise ChainUnreadable(f"the snapshot {file} cannot be read: {error}") from error
    except ChainUnreadable as error:
        raise ChainUnreadable(f"{file}: {error}") from error


def decode_snapshot(data: bytes) -> ChainSnapshot:
    """Decode the content of a snapshot file.

    Raises:
        ChainUnreadable: It is not a snapshot.
    """
    try:
        return msgspec.json.decode(data, type=ChainSnapshot)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ChainUnreadable(f"this is not a snapshot of the subnet: {error}") from error


def encode_snapshot(snapshot: ChainSnapshot) -> bytes:
    """Encode a snapshot as the content of a file."""
    return msgspec.json.encode(snapshot) + b"\n"


def write_snapshot(file: Path, snapshot: ChainSnapshot) -> None:
    """Write a snapshot; whoever reads the file meanwhile finds the former one, or none.

    Raises:
        OSError: The file cannot be written.
    """
    with complete_or_absent(file) as unfinished:
        unfinished.write_bytes(encode_snapshot(snapshot))
