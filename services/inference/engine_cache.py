"""Exported models, made once and kept: an entry of the cache is a folder named after all that it depends on.

    cache = EngineCache(folder)
    key = EngineKey.of(Path("best.pt"), "openvino", {"precision": "int8", "openvino": "2025.4"})
    entry = cache.get(key, lambda into: export(Path("best.pt"), into))

Several processes, also of several machines on one volume that knows `flock`, may ask for the same entry: one
makes it, the others wait. An entry is complete or absent, whatever ends the process that makes it.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from services.errors import ModelNotReady

log = logging.getLogger(__name__)

SEAL = "entry.json"
"""In every entry: the facts of its key and the checksum of each of its files."""


@dataclass(frozen=True, slots=True)
class EngineKey:
    """What an exported model depends on.

    Attributes:
        stem: The source's name without its suffix, for people who look into the folder.
        facts: (name, value) of everything that asks for another export when it changes, by name.
    """

    stem: str
    facts: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, source: Path, form: str, facts: Mapping[str, object]) -> Self:
        """The key of an export.

        Args:
            source: The model that is exported; its checksum is one of the facts, its name is not.
            form: The format that it is exported to.
            facts: The rest: picture size, precision, versions, device, ...

        Raises:
            ModelNotReady: The source cannot be read.
        """
        try:
            found = {"format": form, "source_sha256": sha256_of(source)}
        except OSError as error:
            raise ModelNotReady(f"{source}: cannot be read: {error}") from error
        found |= {name: str(value) for name, value in facts.items()}
        return cls(source.stem, tuple(sorted(found.items())))

    @property
    def name(self) -> str:
        """The entry's folder."""
        digest = hashlib.sha256(json.dumps(self.facts).encode()).hexdigest()
        return f"{re.sub(r'[^A-Za-z0-9_-]', '_', self.stem)[:40]}-{digest[:20]}"


class EngineCache:
    """Entries below one folder.

    Args:
        folder: Where they are kept; it is made when the first one is.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find(self, key: EngineKey) -> Path | None:
        """The entry's folder, if it is there and as it was made; nothing is written."""
        entry = self.folder / key.name
        seal = _read_seal(entry)
        if seal is None:
            return None
        try:
            whole = seal == {"facts": dict(key.facts), "files": _checksums(entry)}
        except FileNotFoundError:  # somebody is replacing it
            return None
        if not whole:
            log.warning("%s: its files are not those that were made; it is made anew when wanted", entry)
            return None
        return entry

    def get(self, key: EngineKey, make: Callable[[Path], None]) -> Path:
        """The entry's folder, made if it is not there.

        Args:
            key: What is wanted.
            make: Writes the files into an empty folder; what it raises is passed on and leaves no entry.

        Raises:
            ModelNotReady: The cache's folder cannot be written.
        """
        found = self.find(key)
        if found is not None:
            return found
        with self._locked(key):
            # somebody else may have made it meanwhile
            return self.find(key) or self._made(key, make)

    def _made(self, key: EngineKey, make: Callable[[Path], None]) -> Path:
        entry, fresh = self.folder / key.name, self.folder / f".making-{key.name}"
        # left by a process that was killed; the lock is ours
        shutil.rmtree(fresh, ignore_errors=True)
        try:
            with self._writable():
                fresh.mkdir()
            make(fresh)
            with self._writable():
                seal = {"facts": dict(key.facts), "files": _checksums(fresh)}
                (fresh / SEAL).write_text(json.dumps(seal, indent=1, sort_keys=True) + "\n")
                _sync(fresh)
                if entry.exists():
                    shutil.rmtree(entry)
                fresh.rename(entry)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
        return entry

    @contextmanager
    def _locked(self, key: EngineKey) -> Iterator[None]:
        with self._writable():
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = os.open(self.folder / f".lock-{key.name}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            # the kernel frees it when its process ends; the file stays, or two could hold two of one name
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    @contextmanager
    def _writable(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ModelNotReady(
                f"{self.folder}: exported models cannot be kept there: {error}; make the folder writable"
            ) from error


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, or of the names and contents of all files in a folder; hexadecimal."""
    if path.is_dir():
        return hashlib.sha256(json.dumps(_checksums(path), sort_keys=True).encode()).hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _checksums(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): sha256_of(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path != folder / SEAL
    }


def _read_seal(entry: Path) -> Any:
    try:
        return json.loads((entry / SEAL).read_text())
    except (OSError, ValueError):
        return None


def _sync(folder: Path) -> None:
    """Have the contents on the disk before the name is, or a crash could leave an entry of zeros."""
    for path in (*(p for p in folder.rglob("*") if p.is_file()), folder):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
