"""Exported models are made once, whole or not at all, and anew when anything they depend on changes."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest

from services.errors import InferenceError, ModelNotReady
from services.inference.export_cache import MANIFEST, ExportCache, ExportKey

FACTS = {"imgsz": 384, "precision": "fp16", "device": "Some GPU"}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    (tmp_path / "own model.pt").write_bytes(b"weights")
    return tmp_path / "own model.pt"


@pytest.fixture
def cache(tmp_path: Path) -> ExportCache:
    return ExportCache(tmp_path / "models" / "exported")


class Maker:
    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, into: Path) -> None:
        self.calls += 1
        (into / "sub").mkdir()
        (into / "sub" / "model.engine").write_bytes(b"engine")


def test_it_is_made_once(model: Path, cache: ExportCache) -> None:
    key, make = ExportKey.of(model, "engine", FACTS), Maker()
    assert cache.find(key) is None
    assert not cache.folder.exists()
    entry = cache.get(key, make)
    assert (entry / "sub" / "model.engine").read_bytes() == b"engine"
    assert cache.get(key, make) == cache.find(key) == entry
    assert make.calls == 1
    assert entry.name.startswith("own_model-")


@pytest.mark.parametrize("name", FACTS)
def test_each_fact_has_an_entry_of_its_own(model: Path, cache: ExportCache, name: str) -> None:
    entry = cache.get(ExportKey.of(model, "engine", FACTS), Maker())
    other = ExportKey.of(model, "engine", FACTS | {name: "other"})
    assert cache.find(other) is None
    assert cache.get(other, Maker()) != entry


def test_other_weights_and_another_format_are_other_entries_but_another_path_is_not(
    model: Path, tmp_path: Path
) -> None:
    key = ExportKey.of(model, "engine", FACTS)
    assert ExportKey.of(model, "openvino", FACTS).name != key.name
    (tmp_path / "copy").mkdir()
    copy = tmp_path / "copy" / model.name
    copy.write_bytes(model.read_bytes())
    assert ExportKey.of(copy, "engine", dict(reversed(FACTS.items()))) == key
    copy.write_bytes(b"trained on")
    assert ExportKey.of(copy, "engine", FACTS).name != key.name


def test_a_damaged_entry_is_made_anew(model: Path, cache: ExportCache) -> None:
    key, make = ExportKey.of(model, "engine", FACTS), Maker()
    entry = cache.get(key, make)
    (entry / "sub" / "model.engine").write_bytes(b"engin")
    assert cache.find(key) is None
    assert (cache.get(key, make) / "sub" / "model.engine").read_bytes() == b"engine"
    (entry / MANIFEST).write_text("{")
    assert cache.get(key, make) == entry
    assert make.calls == 3


def test_a_failed_export_leaves_nothing(model: Path, cache: ExportCache) -> None:
    key = ExportKey.of(model, "engine", FACTS)

    def fails(into: Path) -> None:
        (into / "half").write_bytes(b"...")
        raise InferenceError("no memory")

    with pytest.raises(InferenceError, match="no memory"):
        cache.get(key, fails)
    assert cache.find(key) is None
    assert [path.name for path in cache.folder.iterdir() if not path.name.startswith(".lock")] == []


def test_what_a_killed_process_left_does_not_get_into_an_entry(model: Path, cache: ExportCache) -> None:
    key = ExportKey.of(model, "engine", FACTS)
    left = cache.folder / f".unfinished-{key.name}"
    left.mkdir(parents=True)
    (left / "half").write_bytes(b"...")
    assert not (cache.get(key, Maker()) / "half").exists()
    assert not left.exists()


def _get(folder: Path, model: Path, started: Path) -> None:
    def make(into: Path) -> None:
        # fails in the second process that would come here
        started.touch(exist_ok=False)
        (into / "model.engine").write_bytes(b"engine")

    ExportCache(folder).get(ExportKey.of(model, "engine", FACTS), make)


def test_processes_make_it_once(model: Path, cache: ExportCache, tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    children = [spawn.Process(target=_get, args=(cache.folder, model, tmp_path / "began")) for _ in range(3)]
    for child in children:
        child.start()
    for child in children:
        child.join(300)
    assert [child.exitcode for child in children] == [0, 0, 0]
    assert cache.find(ExportKey.of(model, "engine", FACTS)) is not None


def test_a_folder_that_cannot_be_made_is_named(model: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ModelNotReady, match="file/exported: .* writable"):
        ExportCache(tmp_path / "file" / "exported").get(ExportKey.of(model, "engine", FACTS), Maker())


def test_a_source_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelNotReady, match="gone.pt"):
        ExportKey.of(tmp_path / "gone.pt", "engine", FACTS)
