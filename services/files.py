"""Files that several processes share: locks, checksums, and writes that are complete or do not happen."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def take_lock(path: Path, *, wait: bool = True) -> int | None:
    """Lock a file for this process alone; the file is made if it is missing.

    The kernel frees the lock when the descriptor is closed or the process ends. The file stays: if it were
    removed, two processes could hold locks on two files of the same name.

    Args:
        path: The file, whose folder exists. On a network volume, `flock` has to work there.
        wait: Wait until the lock is free.

    Returns:
        The descriptor of the open file, or None when the lock is not free and `wait` is false.

    Raises:
        OSError: The file cannot be made or locked.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of a file, waiting for it if necessary; see `take_lock`."""
    descriptor = take_lock(path)
    assert descriptor is not None
    try:
        yield
    finally:
        os.close(descriptor)


@contextmanager
def complete_or_absent(path: Path) -> Iterator[Path]:
    """Write a file or folder that other processes see complete or not at all, even after a crash.

    The block writes to the path that it is given. When it ends without an error, what it wrote is flushed to
    the disk and takes the place of `path`; otherwise it is removed. Two processes must not write the same
    path at the same time: use `locked`.

    Args:
        path: What is written, in a folder that exists.

    Raises:
        OSError: It cannot be written.
    """
    unfinished = path.with_name(f".unfinished-{path.name}")
    # left by a process that was killed
    _remove(unfinished)
    try:
        yield unfinished
        _flush(unfinished)
        if path.is_dir():
            shutil.rmtree(path)
        unfinished.replace(path)
    finally:
        _remove(unfinished)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, or of the names and contents of all files in a folder; hexadecimal."""
    if path.is_dir():
        return hashlib.sha256(json.dumps(checksums(path), sort_keys=True).encode()).hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def checksums(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below a folder, by its path in the folder."""
    return {
        str(path.relative_to(folder)): sha256_of(path) for path in sorted(folder.rglob("*")) if path.is_file()
    }


def _flush(path: Path) -> None:
    """Write contents to the disk before the name, or a crash could leave a file of zeros."""
    for part in (*path.rglob("*"), path):
        descriptor = os.open(part, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
