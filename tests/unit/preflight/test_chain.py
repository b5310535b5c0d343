"""What a snapshot of the chain says about a miner."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from services.chain.snapshot import ChainSnapshot, read_snapshot
from services.errors import ChainUnreadable
from services.preflight.chain import axon_url, check_commitment, check_registration
from services.preflight.finding import Finding
from services.preflight.inactive import read_inactive

HOTKEY = "5FLSigC9HGRKVhB9FiEo4Y3koPsNmBmLJbpXg2mp1hXcS59Y"
COMMITMENT = {
    "track": "private",
    "role": "miner",
    "element_id": "manako/DetectFootballEvent",
    "image_repo": "ghcr.io/someone/touchline",
    "image_tag": "1.0",
}
SNAPSHOT = {
    "block": 7,
    "hotkey": HOTKEY,
    "commitment": COMMITMENT,
    "neurons": [{"hotkey": HOTKEY, "uid": 3, "axon_ip": "8.8.8.8", "axon_port": 8000}],
    "inactive": [],
}


LISTED = {"hotkey": HOTKEY, "element_id": COMMITMENT["element_id"], "commit_block": 90}


def checked(snapshot: ChainSnapshot, hotkey: str | None = HOTKEY) -> list[Finding]:
    kinds = ["soccer_action"]
    return [*check_commitment(snapshot, hotkey, kinds), *check_registration(snapshot, hotkey)]


def states(tmp_path: Path, **changes: Any) -> dict[str, str]:
    file = tmp_path / "snapshot.json"
    file.write_text(json.dumps(SNAPSHOT | changes))
    return {finding.check: finding.state for finding in checked(read_snapshot(file))}


def test_a_miner_whose_chain_is_in_order_passes(tmp_path: Path) -> None:
    found = states(tmp_path)
    assert list(found) == [
        "element id",
        "commitment",
        "axon",
        "hotkey is registered",
        "hotkey is not inactive",
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
        ("element id", {"commitment": COMMITMENT | {"element_id": "manako/DetectCricketDelivery"}}),
        ("hotkey is registered", {"neurons": []}),
        ("hotkey is not blacklisted", {"blacklist": [{"hotkey": HOTKEY, "reason": "score_mismatch"}]}),
        ("hotkey is not blacklisted", {"blacklist": [HOTKEY]}),
        ("axon", {"neurons": [{"hotkey": HOTKEY, "axon_ip": "2606:4700::1", "axon_port": 8000}]}),
        ("commitment", {"commitment": COMMITMENT | {"role": "validator"}}),
        ("hotkey is not inactive", {"inactive": [HOTKEY]}),
        ("hotkey is not inactive", {"inactive": [LISTED], "commit_block": 90}),
        ("hotkey is not inactive", {"inactive": [list(LISTED.values())], "commit_block": 90}),
        ("axon", {"neurons": [{"hotkey": HOTKEY, "axon_ip": "0.0.0.0", "axon_port": 8000}]}),
        ("axon", {"neurons": [{"hotkey": HOTKEY, "axon_ip": "10.0.0.5", "axon_port": 8000}]}),
        ("axon", {"neurons": [{"hotkey": HOTKEY, "axon_ip": "8.8.8.8", "axon_port": 0}]}),
        ("axon", {"neurons": [{"hotkey": HOTKEY}]}),
    ],
)
def test_what_would_fail_silently_is_named(tmp_path: Path, check: str, changes: dict[str, Any]) -> None:
    assert states(tmp_path, **changes)[check] == "failed"


@pytest.mark.parametrize(
    "row",
    [
        LISTED | {"commit_block": 80},
        LISTED | {"element_id": "manako/DetectCricket"},
        LISTED | {"hotkey": "5Other"},
        "5Other",
        7,
        [HOTKEY],
    ],
)
def test_another_commitment_than_the_listed_one_is_not_inactive(tmp_path: Path, row: Any) -> None:
    assert states(tmp_path, inactive=[row], commit_block=90)["hotkey is not inactive"] == "ok"


def test_an_element_that_is_not_known_and_an_image_elsewhere_are_to_be_looked_at(tmp_path: Path) -> None:
    typo = states(tmp_path, commitment=COMMITMENT | {"element_id": "manak0/DetectFootballEvent"})
    assert typo["element id"] == "unknown"
    elsewhere = states(tmp_path, commitment=COMMITMENT | {"image_repo": "someone/touchline"})
    assert elsewhere["commitment"] == "unknown"
    assert states(tmp_path, commitment=COMMITMENT | {"image_digest": ""})["commitment"] == "ok"
    assert states(tmp_path, blacklist=["5Other"])["hotkey is not blacklisted"] == "ok"


def test_a_commitment_may_leave_out_its_role(tmp_path: Path) -> None:
    without = {name: value for name, value in COMMITMENT.items() if name != "role"}
    assert states(tmp_path, commitment=without)["commitment"] == "ok"


def test_what_is_not_known_is_said(tmp_path: Path) -> None:
    assert {finding.state for finding in checked(ChainSnapshot())} == {"unknown"}
    assert {finding.state for finding in checked(ChainSnapshot(), None)} == {"unknown"}
    assert all(finding.advice for finding in checked(ChainSnapshot()))


def test_the_axon_names_the_address_for_the_probe(tmp_path: Path) -> None:
    file = tmp_path / "snapshot.json"
    file.write_text(json.dumps(SNAPSHOT))
    assert axon_url(read_snapshot(file), HOTKEY) == "http://8.8.8.8:8000"
    assert axon_url(ChainSnapshot(), HOTKEY) is None


def test_the_list_of_inactive_miners_is_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "inactive.json"
    file.write_text(json.dumps([LISTED]))
    assert read_inactive(str(file)) == [LISTED]


@pytest.mark.parametrize("content", ["{}", "<html>", None])
def test_a_list_that_cannot_be_read_is_an_error(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "inactive.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ChainUnreadable, match="inactive.json"):
        read_inactive(str(file))


def test_a_server_without_the_list_is_an_error() -> None:
    with pytest.raises(ChainUnreadable, match="127.0.0.1"):
        read_inactive("http://127.0.0.1:9/inactive.json")
