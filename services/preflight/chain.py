"""What stands on the chain about a miner, from a snapshot file: commitment, registration, axon.

    {"block": 123, "hotkey": "5...",
     "commitment": {"track": "private", "role": "miner", "element_id": "...",
                    "image_repo": "...", "image_tag": "..."},
     "neurons": [{"hotkey": "5...", "uid": 7, "axon_ip": "203.0.113.9", "axon_port": 8000}],
     "inactive": ["5..."]}

Source of the commitment's fields: the public subnet repository `score-technologies/turbovision`, as of
2026-08-22 (docs/reference/wire.md).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from services.errors import ReportFailed
from services.preflight.finding import Finding, failed, ok, unknown

FIXED: Final = {"track": "private", "role": "miner"}
"""Fields of the commitment that have one value."""
NEEDED: Final = ("element_id", "image_repo", "image_tag")
"""Fields that must not be empty."""
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_HOW: Final = "write a snapshot file (docs/guides/private-track.md) and name it with --snapshot"


class Axon(msgspec.Struct, frozen=True):
    """One participant of the subnet, and where it says that it can be reached."""

    hotkey: str
    uid: int | None = None
    axon_ip: str = ""
    axon_port: int = 0


class ChainSnapshot(msgspec.Struct, frozen=True):
    """What is known of the chain at one block; None: it was not asked."""

    block: int = 0
    hotkey: str | None = None
    commitment: dict[str, Any] | None = None
    neurons: list[Axon] | None = None
    inactive: list[str] | None = None


def read_snapshot(file: Path | None) -> ChainSnapshot:
    """Read a snapshot; one that knows nothing without a file.

    Raises:
        ReportFailed: The file cannot be read.
    """
    if file is None:
        return ChainSnapshot()
    try:
        return msgspec.json.decode(file.read_bytes(), type=ChainSnapshot)
    except (OSError, msgspec.MsgspecError) as error:
        raise ReportFailed(f"the snapshot {file} cannot be read: {error}") from error


def check_chain(snapshot: ChainSnapshot, hotkey: str | None) -> Iterator[Finding]:
    """Check what the chain says.

    Args:
        snapshot: The chain.
        hotkey: This miner's hotkey, if it is known.
    """
    yield from _commitment(snapshot.commitment)
    if hotkey is None:
        advice = "set MINER_HOTKEY to the SS58 address of this miner's hotkey"
        yield unknown("hotkey is registered", "the hotkey is not known", advice)
        return
    yield _registered(snapshot, hotkey)
    yield _active(snapshot, hotkey)
    yield _axon(snapshot, hotkey)


def axon_url(snapshot: ChainSnapshot, hotkey: str | None) -> str | None:
    """Where validators send challenges to, as plain HTTP; None when it is not known."""
    found = _find(snapshot, hotkey)
    if found is None or not found.axon_port or not _is_public(found.axon_ip):
        return None
    host = f"[{found.axon_ip}]" if ":" in found.axon_ip else found.axon_ip
    return f"http://{host}:{found.axon_port}"


def _commitment(commitment: dict[str, Any] | None) -> Iterator[Finding]:
    names = ("element id", "commitment")
    if commitment is None:
        for name in names:
            yield unknown(name, "the commitment is not known", _HOW)
        return
    element = commitment.get("element_id")
    if isinstance(element, str) and element.strip():
        yield ok(names[0], element)
    else:
        yield failed(
            names[0],
            f"element_id is {element!r}",
            "commit the element that this miner answers, for example manako/DetectFootballEvent",
        )
    wrong = [
        f"{name} is {commitment.get(name)!r}, not {value!r}"
        for name, value in FIXED.items()
        if commitment.get(name) != value
    ]
    wrong += [f"{name} is empty" for name in NEEDED[1:] if not str(commitment.get(name) or "").strip()]
    digest = commitment.get("image_digest")
    if digest is not None and not (isinstance(digest, str) and _DIGEST.fullmatch(digest)):
        wrong.append("image_digest is not sha256: and 64 hexadecimal digits")
    if wrong:
        yield failed(names[1], "; ".join(wrong), "commit again with these fields; spot checks read them")
    else:
        yield ok(names[1], f"{commitment['image_repo']}:{commitment['image_tag']}")


def _registered(snapshot: ChainSnapshot, hotkey: str) -> Finding:
    name = "hotkey is registered"
    if snapshot.neurons is None:
        return unknown(name, "the metagraph is not known", _HOW)
    found = _find(snapshot, hotkey)
    if found is None:
        text = f"{hotkey} is not in the metagraph (block {snapshot.block})"
        return failed(name, text, "register the hotkey on the subnet; it may have been deregistered")
    return ok(name, hotkey if found.uid is None else f"{hotkey}, uid {found.uid}")


def _active(snapshot: ChainSnapshot, hotkey: str) -> Finding:
    name = "hotkey is not inactive"
    if snapshot.inactive is None:
        return unknown(name, "the list of inactive miners is not known", _HOW)
    if hotkey in snapshot.inactive:
        text = "it is listed as inactive: more than 20 results that average 0"
        return failed(name, text, "mend what makes the answers fail, then register again")
    return ok(name, f"not among {len(snapshot.inactive)} inactive ones")


def _axon(snapshot: ChainSnapshot, hotkey: str) -> Finding:
    name = "axon"
    found = _find(snapshot, hotkey)
    if found is None:
        return unknown(name, "the axon is not known", _HOW)
    where = f"{found.axon_ip or 'no address'}:{found.axon_port}"
    advice = "serve the axon with the public address and the port of this machine"
    if not found.axon_port:
        return failed(name, f"{where}: no port is set, so that nobody asks", advice)
    if not _is_public(found.axon_ip):
        return failed(name, f"{where} is no address that others reach", advice)
    return ok(name, where)


def _find(snapshot: ChainSnapshot, hotkey: str | None) -> Axon | None:
    return next((neuron for neuron in snapshot.neurons or () if neuron.hotkey == hotkey), None)


def _is_public(text: str) -> bool:
    try:
        return ipaddress.ip_address(text).is_global
    except ValueError:
        return False
