"""What a snapshot of the chain says about a miner."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from services.errors import ReportFailed
from services.preflight.chain import ChainSnapshot, axon_url, check_chain, read_snapshot

HOTKEY = "5FLSigC9HGRKVhB9FiEo4Y3koPsNmBmLJbpXg2mp1hXcS59Y"
COMMITMENT = {
    "track": "private",
    "role": "miner",
    "element_id": "manako/DetectFootballEvent",
    "image_repo": "someone/touchline",
    "image_tag": "1.0",
}
SNAPSHOT = {
    "block": 7,
    "hotkey": HOTKEY,
    "commitment": COMMITMENT,
    "neurons": [{"hotkey": HOTKEY, "uid": 3, "axon_ip": "8.8.8.8", "axon_port": 8000}],
    "inactive": [],
}


def states(tmp_path: Path, **changes: Any) -> dict[str, str]:
    file = tmp_path / "snapshot.json"
    file.write_text(json.dumps(SNAPSHOT | changes))
    return {finding.check: finding.state for finding in check_chain(read_snapshot(file), HOTKEY)}


def test_a_miner_whose_chain_is_in_order_passes(tmp_path: Path) -> None:
    found = states(tmp_path)
    assert list(found) == [
        "element id",
        "commitment",
        "hotkey is registered",
        "hotkey is not inactive",
        "axon",
    ]
    assert set(found.values()) == {"ok"}


@pytest.mark.parametrize(
    ("check", "changes"),
    [
        ("element id", {"commitment": COMMITMENT | {"element_id": " "}}),
        ("element id", {"commitment": {}}),
        ("commitment", {"commitment": COMMITMENT | {"track": "open"}}),
        ("commitment", {"commitment": COMMITMENT | {"image_tag": None}}),
        ("commitment", {"commitment": COMMITMENT | {"image_digest": "sha256:abc"}}),
        ("hotkey is registered", {"neurons": []}),
        ("hotkey is not inactive", {"inactive": [HOTKEY]}),
        ("axon", {"neurons": [{"hotkey": HOTKEY, "axon_ip": "0.0.0.0", "axon_port": 8000}]}),
        ("axon", {"neurons": [{"hotkey": HOTKEY, "axon_ip": "10.0.0.5", "axon_port": 8000}]}),
        ("axon", {"neurons": [{"hotkey": HOTKEY, "axon_ip": "8.8.8.8", "axon_port": 0}]}),
        ("axon", {"neurons": [{"hotkey": HOTKEY}]}),
    ],
)
def test_what_would_fail_silently_is_named(tmp_path: Path, check: str, changes: dict[str, Any]) -> None:
    assert states(tmp_path, **changes)[check] == "failed"


def test_what_is_not_known_is_said(tmp_path: Path) -> None:
    assert {finding.state for finding in check_chain(ChainSnapshot(), HOTKEY)} == {"unknown"}
    assert {finding.state for finding in check_chain(ChainSnapshot(), None)} == {"unknown"}
    assert all(finding.advice for finding in check_chain(ChainSnapshot(), HOTKEY))


def test_the_axon_names_the_address_for_the_probe(tmp_path: Path) -> None:
    file = tmp_path / "snapshot.json"
    file.write_text(json.dumps(SNAPSHOT))
    assert axon_url(read_snapshot(file), HOTKEY) == "http://8.8.8.8:8000"
    assert axon_url(ChainSnapshot(), HOTKEY) is None


def test_a_file_that_is_no_snapshot_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "snapshot.json"
    file.write_text('{"neurons": 5}')
    with pytest.raises(ReportFailed, match="cannot be read"):
        read_snapshot(file)
