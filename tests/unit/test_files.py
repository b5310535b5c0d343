"""Locks between processes, files that are complete or absent, and checksums."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from services.files import complete_or_absent, locked, sha256_of, take_lock


def test_only_one_process_holds_a_lock(tmp_path: Path) -> None:
    take = "import pathlib, sys; from services.files import take_lock; "
    take += "print(take_lock(pathlib.Path(sys.argv[1]), wait=False))"
    command = [sys.executable, "-c", take, str(tmp_path / "lock")]
    with locked(tmp_path / "lock"):
        held = subprocess.run(command, capture_output=True, text=True, check=True)
    freed = subprocess.run(command, capture_output=True, text=True, check=True)
    assert held.stdout == "None\n"
    assert int(freed.stdout) > 0


def test_a_lock_that_is_not_free_can_be_left_alone(tmp_path: Path) -> None:
    first = take_lock(tmp_path / "lock", wait=False)
    assert first is not None
    assert take_lock(tmp_path / "lock", wait=False) is None
    os.close(first)
    second = take_lock(tmp_path / "lock", wait=False)
    assert second is not None
    os.close(second)


def test_a_file_appears_when_it_is_complete(tmp_path: Path) -> None:
    with complete_or_absent(tmp_path / "file") as unfinished:
        unfinished.write_text("whole")
        assert not (tmp_path / "file").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "whole"


def test_a_folder_takes_the_place_of_the_one_that_was_there(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "old").write_text("old")
    with complete_or_absent(tmp_path / "folder") as unfinished:
        (unfinished / "sub").mkdir(parents=True)
        (unfinished / "sub" / "new").write_text("new")
    assert [str(path.relative_to(tmp_path)) for path in sorted(tmp_path.rglob("*"))] == [
        "folder",
        "folder/sub",
        "folder/sub/new",
    ]


def test_an_error_leaves_what_was_there_before(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("before")

    def write_half() -> None:
        with complete_or_absent(tmp_path / "file") as unfinished:
            unfinished.write_text("half")
            raise ValueError("half way")

    with pytest.raises(ValueError, match="half way"):
        write_half()
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "before"


def test_the_checksum_of_a_folder_depends_on_names_and_contents(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    one = sha256_of(tmp_path)
    (tmp_path / "a").rename(tmp_path / "b")
    two = sha256_of(tmp_path)
    (tmp_path / "b").write_text("2")
    assert len({one, two, sha256_of(tmp_path)}) == 3
