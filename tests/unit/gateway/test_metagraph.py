from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from services.errors import SettingsError
from services.gateway.metagraph import Metagraph
from services.gateway.refusal import Refusal


def write(file: Path, stake: float = 2000.0, permit: bool = True, at: int = 1000) -> None:
    neuron = {"hotkey": "5abc", "stake": stake, "validator_permit": permit, "uid": 7}
    file.write_text(json.dumps({"block": at, "neurons": [neuron]}))
    os.utime(file, (at, at))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    write(tmp_path / "metagraph.json")
    return tmp_path / "metagraph.json"


def test_a_validator_with_permit_and_stake_may_ask(file: Path) -> None:
    Metagraph(file, 1000.0).check("5abc")


def test_who_is_not_there_is_refused(file: Path) -> None:
    with pytest.raises(Refusal, match="not in the metagraph") as refused:
        Metagraph(file, 1000.0).check("5other")
    assert refused.value.status == 403


@pytest.mark.parametrize(("stake", "permit", "why"), [(999.0, True, "stake"), (2000.0, False, "permit")])
def test_too_little_stake_or_no_permit_is_refused(file: Path, stake: float, permit: bool, why: str) -> None:
    write(file, stake, permit)
    with pytest.raises(Refusal) as refused:
        Metagraph(file, 1000.0).check("5abc")
    assert (refused.value.status, refused.value.reason) == (403, why)


def test_a_new_snapshot_is_taken(file: Path) -> None:
    metagraph = Metagraph(file, 1000.0)
    write(file, stake=1.0, at=2000)
    metagraph.refresh()
    assert metagraph.block == 2000
    with pytest.raises(Refusal):
        metagraph.check("5abc")


def test_a_snapshot_that_breaks_leaves_the_former_one_in_use(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    metagraph = Metagraph(file, 1000.0)
    file.write_text("{")
    metagraph.refresh()
    metagraph.check("5abc")
    assert "stays in use" in caplog.text
    file.unlink()
    metagraph.refresh()
    metagraph.check("5abc")


@pytest.mark.parametrize("content", [None, "{", '{"neurons": [{"hotkey": 3}]}'])
def test_a_start_without_a_readable_snapshot_is_refused(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "metagraph.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(SettingsError, match="METAGRAPH_FILE"):
        Metagraph(file, 1000.0)
