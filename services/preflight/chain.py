"""What stands on the chain about a miner: commitment, axon, registration, the list of inactive miners.

The rules are those of the public subnet repository `score-technologies/turbovision`, as of 2026-08-22
(docs/reference/wire.md).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Iterator
from typing import Any, Final

from services.chain.snapshot import ChainSnapshot, Neuron
from services.preflight.finding import Finding, failed, ok, unknown

TRACK: Final = "private"
"""The commitment's track."""
ROLES: Final = (None, "miner")
"""Its role, which may be left out."""
NEEDED: Final = ("image_repo", "image_tag")
"""Fields that must not be empty."""
ELEMENTS: Final = {
    "manako/DetectFootballEvent": "soccer_action",
    "manako/DetectCricketDelivery": "cricket_delivery",
    "manako/TCGGrading": "tcg_grading",
}
"""Known elements and the challenge kinds that answer them; names are compared exactly."""
REGISTRY: Final = "ghcr.io/"
"""The registry in which spot checks look for images."""
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_HOTKEY: Final = "set MINER_HOTKEY to the SS58 address of this miner's hotkey"
_HOW: Final = "read the chain with --network finney, or name a snapshot with --snapshot"


def check_commitment(
    snapshot: ChainSnapshot, hotkey: str | None, served_kinds: Collection[str] | None
) -> Iterator[Finding]:
    """Check what spot checks and validators read before they ask: the commitment, then the axon.

    Args:
        snapshot: The chain.
        hotkey: This miner's hotkey, if it is known.
        served_kinds: SERVED_KINDS of the gateway; None where it is not known.
    """
    yield from _commitment(snapshot.commitment, served_kinds)
    yield unknown("axon", "the hotkey is not known", _HOTKEY) if hotkey is None else _axon(snapshot, hotkey)


def check_registration(snapshot: ChainSnapshot, hotkey: str | None) -> Iterator[Finding]:
    """Check that validators know the miner and still ask it.

    Args:
        snapshot: The chain.
        hotkey: This miner's hotkey, if it is known.
    """
    if hotkey is None:
        for name in ("hotkey is registered", "hotkey is not inactive"):
            yield unknown(name, "the hotkey is not known", _HOTKEY)
        return
    yield _registered(snapshot, hotkey)
    yield _active(snapshot, hotkey)
    if snapshot.blacklist is not None:
        yield _not_blacklisted(snapshot.blacklist, hotkey)


def axon_url(snapshot: ChainSnapshot, hotkey: str | None) -> str | None:
    """Where validators send challenges to, as plain HTTP; None when it is not known."""
    found = _find(snapshot, hotkey)
    if found is None or not found.axon_port or ":" in found.axon_ip or not _is_public(found.axon_ip):
        return None
    return f"http://{found.axon_ip}:{found.axon_port}"


def _commitment(commitment: dict[str, Any] | None, served_kinds: Collection[str] | None) -> Iterator[Finding]:
    names = ("element id", "commitment")
    if commitment is None:
        for name in names:
            yield unknown(name, "the commitment is not known", _HOW)
        return
    if not commitment:
        text = "there is no commitment to the private track that has been revealed"
        for name in names:
            yield failed(name, text, "commit; what is sealed counts from the block at which it is revealed")
        return
    yield _element(commitment.get("element_id"), served_kinds)
    wrong = []
    if commitment.get("track") != TRACK:
        wrong.append(f"track is {commitment.get('track')!r}, not {TRACK!r}")
    if commitment.get("role") not in ROLES:
        wrong.append(f"role is {commitment.get('role')!r}, not 'miner'")
    wrong += [f"{name} is empty" for name in NEEDED if not str(commitment.get(name) or "").strip()]
    digest = commitment.get("image_digest") or None
    if digest is not None and not (isinstance(digest, str) and _DIGEST.fullmatch(digest)):
        wrong.append("image_digest is not sha256: and 64 hexadecimal digits")
    image = f"{commitment.get('image_repo')}:{commitment.get('image_tag')}"
    if wrong:
        yield failed(names[1], "; ".join(wrong), "commit again with these fields; spot checks read them")
    elif not image.startswith(REGISTRY):
        text = f"{image} is not on {REGISTRY.rstrip('/')}, where spot checks look for images"
        yield unknown(names[1], text, "push it there, and let the subnet's account read it")
    else:
        yield ok(names[1], image)


def _element(element: Any, served_kinds: Collection[str] | None) -> Finding:
    name = "element id"
    if not isinstance(element, str) or not element.strip():
        advice = f"commit the element that this miner answers, for example {next(iter(ELEMENTS))}"
        return failed(name, f"element_id is {element!r}", advice)
    kind = ELEMENTS.get(element)
    if kind is None:
        text = f"{element} is not one of the elements known here: {', '.join(ELEMENTS)}"
        return unknown(name, text, "compare it with the subnet's manifest, letter by letter")
    if served_kinds is None:
        advice = "set SERVED_KINDS as the gateway and its workers have it"
        return unknown(name, f"{element} asks for {kind}; SERVED_KINDS is not set here", advice)
    if kind not in served_kinds:
        text = f"{element} asks for {kind}, and SERVED_KINDS is {','.join(served_kinds)}"
        return failed(name, text, f"set SERVED_KINDS={kind}, or commit the element that is served")
    return ok(name, f"{element}, answered by {kind}")


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
        return unknown(
            name, "the list of inactive miners is not known", f"{_HOW}, or the list with --inactive"
        )
    if any(_names(row, snapshot, hotkey) for row in snapshot.inactive):
        text = "this commitment is listed as inactive: more than 20 of its results average 0"
        return failed(name, text, "mend what makes the answers fail, then commit again")
    return ok(name, f"not among {len(snapshot.inactive)} inactive ones")


def _names(row: Any, snapshot: ChainSnapshot, hotkey: str) -> bool:
    """Whether a row of the list is about this miner's commitment; a hotkey alone is about all of its."""
    if isinstance(row, str):
        return row == hotkey
    if isinstance(row, dict):
        row = (row.get("hotkey"), row.get("element_id"), row.get("commit_block"))
    if not isinstance(row, list | tuple) or len(row) < 3 or row[0] != hotkey:
        return False
    wanted = ((snapshot.commitment or {}).get("element_id"), snapshot.commit_block)
    return all(own is None or str(own) == str(listed) for own, listed in zip(wanted, row[1:3], strict=True))


def _not_blacklisted(blacklist: list[Any], hotkey: str) -> Finding:
    name = "hotkey is not blacklisted"
    for row in blacklist:
        listed, reason = (row.get("hotkey"), row.get("reason")) if isinstance(row, dict) else (row, None)
        if listed == hotkey:
            text = f"it is on the blacklist: {reason or 'no reason is given'}"
            return failed(name, text, "ask the subnet's team; a failed spot check ends there")
    return ok(name, f"not among {len(blacklist)} blacklisted ones")


def _axon(snapshot: ChainSnapshot, hotkey: str) -> Finding:
    name = "axon"
    found = _find(snapshot, hotkey)
    if found is None:
        return unknown(name, "the axon is not known", _HOW)
    where = f"{found.axon_ip or 'no address'}:{found.axon_port}"
    advice = "serve the axon with the public address and the port of this machine"
    if not found.axon_port:
        return failed(name, f"{where}: no port is set, so that nobody asks", advice)
    if ":" in found.axon_ip:
        return failed(name, f"{where}: validators put an IPv6 address into no valid URL", advice)
    if not _is_public(found.axon_ip):
        return failed(name, f"{where} is not a public address", advice)
    return ok(name, where)


def _find(snapshot: ChainSnapshot, hotkey: str | None) -> Neuron | None:
    return next((neuron for neuron in snapshot.neurons or () if neuron.hotkey == hotkey), None)


def _is_public(text: str) -> bool:
    try:
        return ipaddress.ip_address(text).is_global
    except ValueError:
        return False
