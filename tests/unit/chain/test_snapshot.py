from __future__ import annotations

from pathlib import Path

import pytest

from services.chain.snapshot import ChainSnapshot, Neuron, encode_snapshot, read_snapshot
from services.errors import ChainUnreadable


def test_a_snapshot_survives_the_way_through_a_file(tmp_path: Path) -> None:
    snapshot = ChainSnapshot(
        block=7,
        hotkey="5abc",
        commitment={"track": "private"},
        commit_block=3,
        neurons=[Neuron("5abc", 1, 2.5, True, "203.0.113.9", 8000)],
        inactive=[{"hotkey": "5abc", "element_id": "m/D", "commit_block": 1}],
    )
    (tmp_path / "chain.json").write_bytes(encode_snapshot(snapshot))
    assert read_snapshot(tmp_path / "chain.json") == snapshot


@pytest.mark.parametrize(
    "content", [None, b"", b"[]", b'{"neurons": 5}', b'{"neurons": [{"stake": 1}]}', b"\xff"]
)
def test_another_file_is_an_error_that_names_it(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "chain.json"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ChainUnreadable, match="chain.json"):
        read_snapshot(file)
