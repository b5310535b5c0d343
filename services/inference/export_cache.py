"""Exported models, made once and kept: an entry is a folder named after everything that it depends on.

    cache = ExportCache(folder)
    key = ExportKey.of(Path("best.pt"), "openvino", {"precision": "int8", "openvino": "2025.4"})
    entry = cache.get(key, lambda into: export(Path("best.pt"), into))

Several processes, also of several machines on one network volume, may ask for the same entry: one makes it
and the others wait. An entry is complete or absent, whatever ends the process that makes it.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from services.errors import ModelNotReady
from services.files import checksums, complete_or_absent, locked, sha256_of

log = logging.getLogger(__name__)

MANIFEST: Final = "entry.json"
"""In every entry: the facts of its key and the checksum of each of its files."""


@dataclass(frozen=True, slots=True)
class ExportKey:
    """What an exported model depends on.

    Attributes:
        stem: The source's name without its suffix, for people who look into the folder.
        facts: (name, value) of everything that requires another export when it changes, sorted by name.
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
        """The name of the entry's folder."""
        digest = hashlib.sha256(json.dumps(self.facts).encode()).hexdigest()
        return f"{re.sub(r'[^A-Za-z0-9_-]', '_', self.stem)[:40]}-{digest[:20]}"


class ExportCache:
    """Entries below one folder.

    Args:
        folder: Where they are kept; it is made when the first one is.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find(self, key: ExportKey) -> Path | None:
        """The entry's folder, if it is there and unchanged; nothing is written."""
        entry = self.folder / key.name
        try:
            manifest = json.loads((entry / MANIFEST).read_text())
            intact = manifest == _manifest(key, entry)
        except (OSError, ValueError):  # it is not there, or another process is replacing it
            return None
        if not intact:
            log.warning("%s: files have changed since the export; it is made again when needed", entry)
            return None
        return entry

    def get(self, key: ExportKey, make: Callable[[Path], None]) -> Path:
        """The entry's folder, made if it is not there.

        Args:
            key: What is wanted.
            make: Writes the files into an empty folder. What it raises leaves no entry and is passed on;
                an OSError is taken to mean that the folder cannot be written.

        Raises:
            ModelNotReady: The cache's folder cannot be written.
        """
        found = self.find(key)
        if found is not None:
            return found
        with self._writable():
            self.folder.mkdir(parents=True, exist_ok=True)
            with locked(self.folder / f".lock-{key.name}"):
                # another process may have made it meanwhile
                return self.find(key) or self._make(key, make)

    def _make(self, key: ExportKey, make: Callable[[Path], None]) -> Path:
        entry = self.folder / key.name
        with complete_or_absent(entry) as unfinished:
            unfinished.mkdir()
            make(unfinished)
            text = json.dumps(_manifest(key, unfinished), indent=1, sort_keys=True)
            (unfinished / MANIFEST).write_text(text + "\n")
        return entry

    @contextmanager
    def _writable(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ModelNotReady(
                f"{self.folder}: exported models cannot be kept there: {error}; make the folder writable"
            ) from error


def _manifest(key: ExportKey, entry: Path) -> dict[str, Any]:
    files = checksums(entry)
    files.pop(MANIFEST, None)
    return {"facts": dict(key.facts), "files": files}
