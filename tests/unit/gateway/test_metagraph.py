from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from services.chain.snapshot import ChainSnapshot, Neuron, encode_snapshot, read_snapshot
from services.errors import SettingsError
from services.gateway import metagraph as module
from services.gateway.metagraph import Chain, Dated, Metagraph, SnapshotFile, metagraph_from
from services.gateway.rejection import Rejection
from services.settings import load_settings


def write(file: Path, stake: float = 2000.0, permit: bool = True, at: int = 1000) -> None:
    neuron = {"hotkey": "5abc", "stake": stake, "validator_permit": permit, "uid": 7}
    file.write_text(json.dumps({"block": at, "neurons": [neuron]}))
    os.utime(file, (at, at))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    write(tmp_path / "metagraph.json")
    return tmp_path / "metagraph.json"


def of(file: Path) -> Metagraph:
    return metagraph_from(load_settings(metagraph_file=str(file), min_stake_threshold=1000.0))


# -- who may ask --------------------------------------------------------------------------------------------


def test_a_validator_with_permit_and_stake_may_ask(file: Path) -> None:
    of(file).check("5abc")


def test_an_unknown_hotkey_is_refused(file: Path) -> None:
    with pytest.raises(Rejection, match="not in the metagraph") as refused:
        of(file).check("5nobody")
    assert refused.value.status == 403


@pytest.mark.parametrize(("stake", "permit", "why"), [(999.0, True, "stake"), (2000.0, False, "permit")])
def test_too_little_stake_or_no_permit_is_refused(file: Path, stake: float, permit: bool, why: str) -> None:
    neurons = [Neuron("5abc", 0, stake, permit), Neuron("5other", 1, 5000.0, True)]
    file.write_bytes(encode_snapshot(ChainSnapshot(neurons=neurons)))
    with pytest.raises(Rejection) as refused:
        of(file).check("5abc")
    assert (refused.value.status, refused.value.reason) == (403, why)


# -- from a file --------------------------------------------------------------------------------------------


def test_a_new_snapshot_is_taken(file: Path) -> None:
    metagraph = of(file)
    write(file, stake=1.0, at=2000)
    asyncio.run(metagraph.refresh())
    assert metagraph.block == 2000
    with pytest.raises(Rejection):
        metagraph.check("5abc")


def test_a_file_that_was_replaced_within_the_same_second_is_taken(file: Path) -> None:
    metagraph = of(file)
    other = file.with_name("other.json")
    write(other, stake=1.0)
    other.replace(file)
    asyncio.run(metagraph.refresh())
    with pytest.raises(Rejection):
        metagraph.check("5abc")


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"{}",
        b'{"neurons": []}',
        b'{"neurons": [{"hotkey": "5abc", "stake": 9}]}',
        b'{"neurons": [{"hotkey": "\xff\xfe", "stake": 9, "validator_permit": true}]}',
        b'{"neurons": [], "further": ' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    ],
    ids=["cut off", "empty", "no neurons", "no validator", "broken UTF-8", "nested too deeply"],
)
def test_a_snapshot_that_breaks_leaves_the_former_one_in_use(
    file: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    metagraph = of(file)
    file.write_bytes(content)
    asyncio.run(metagraph.refresh())
    metagraph.check("5abc")
    assert "stays in use" in caplog.text
    assert (metagraph.age_s or 0) > 1000, "the age is that of the snapshot in use"
    file.unlink()
    asyncio.run(metagraph.refresh())
    metagraph.check("5abc")


@pytest.mark.parametrize("content", [None, "{", '{"neurons": [{"hotkey": 3}]}', "{}"])
def test_a_start_without_a_readable_snapshot_is_refused(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "metagraph.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(SettingsError, match="metagraph.json"):
        of(file)


def test_a_start_without_any_source_is_refused() -> None:
    with pytest.raises(SettingsError, match="METAGRAPH_NETWORK"):
        metagraph_from(load_settings())


# -- from the chain -----------------------------------------------------------------------------------------


def chain_that_runs(monkeypatch: pytest.MonkeyPatch, code: str, kept_in: Path | None = None) -> Chain:
    """The chain, with a program in the place of `touchline chain`."""
    monkeypatch.setattr(module, "command", lambda *words: [sys.executable, "-c", code, *words])
    return Chain("finney", 44, 600.0, kept_in)


def test_what_the_chain_says_is_taken_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot = ChainSnapshot(block=9, neurons=[Neuron("5abc", 0, 5000.0, True)])
    code = (
        "import sys; assert sys.argv[1:] == ['chain', '--network', 'finney', '--netuid', '44'];"
        f"sys.stdout.buffer.write({encode_snapshot(snapshot)!r})"
    )
    source = chain_that_runs(monkeypatch, code, tmp_path / "kept.json")
    metagraph = Metagraph(source, 1000.0)
    with pytest.raises(Rejection) as refused:
        metagraph.check("5abc")
    assert refused.value.status == 503, "until the chain has been read, it is not known who may ask"
    asyncio.run(metagraph.refresh())
    metagraph.check("5abc")
    assert (metagraph.age_s or 99) < 60
    assert read_snapshot(tmp_path / "kept.json") == snapshot


def test_a_chain_that_is_away_leaves_the_kept_snapshot_in_use(
    file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    source = chain_that_runs(monkeypatch, "raise SystemExit('no endpoint answers')")
    first = SnapshotFile(file).read_now()
    metagraph = Metagraph(source, 1000.0, first)
    asyncio.run(metagraph.refresh())
    metagraph.check("5abc")
    assert "no endpoint answers" in caplog.text
    assert source.pause_s(failed=True) < source.pause_s(failed=False)


def test_a_chain_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHAIN_S", 0.2)
    source = chain_that_runs(monkeypatch, "import time; time.sleep(60)")
    metagraph = Metagraph(source, 1000.0)
    asyncio.run(metagraph.refresh())
    assert metagraph.age_s is None


def test_a_gateway_that_reads_the_chain_begins_with_the_kept_snapshot(file: Path) -> None:
    metagraph = metagraph_from(load_settings(metagraph_network="finney", metagraph_file=str(file)))
    metagraph.check("5abc")
    file.write_text("{")
    begun = metagraph_from(load_settings(metagraph_network="finney", metagraph_file=str(file)))
    assert begun.age_s is None, "a broken one costs the start nothing"


class Counting:
    """A source that has something new each time."""

    def __init__(self) -> None:
        self.reads = 0

    async def read(self) -> Dated:
        self.reads += 1
        return Dated(ChainSnapshot(block=self.reads), 0.0)

    def pause_s(self, failed: bool) -> float:
        return 0.0


def test_it_is_refreshed_in_the_background() -> None:
    async def run() -> Any:
        metagraph = Metagraph(Counting(), 0.0)
        task = asyncio.create_task(metagraph.keep_fresh())
        while (metagraph.block or 0) < 3:
            await asyncio.sleep(0)
        task.cancel()

    asyncio.run(asyncio.wait_for(run(), 10))
