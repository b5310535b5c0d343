"""What a model on a hub is called: `hf:owner/repo/path/to/file.pt[@revision][#sha256=...]`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Self

from services.errors import ModelNotReady

PREFIX = "hf:"
FORM = "hf:owner/repo/path/to/file.pt[@revision][#sha256=...]"
SUFFIXES = (".pt", ".onnx", ".torchscript", ".engine")
"""Formats that are one file."""
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*", re.ASCII)
_REVISION = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)*", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40}")
_SHA256 = re.compile(r"sha256=([0-9a-fA-F]{64})")


@dataclass(frozen=True, slots=True)
class HubReference:
    """One file of one repository.

    Attributes:
        owner: Who owns the repository.
        repo: The repository.
        path: The file in it, with slashes.
        revision: A branch, tag or commit.
        sha256: What the file's SHA-256 must be, hexadecimal in lower case; None if it was not named.
    """

    owner: str
    repo: str
    path: str
    revision: str = "main"
    sha256: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a reference.

        Raises:
            ModelNotReady: It does not have that form.
        """
        rest, _, fragment = text.removeprefix(PREFIX).partition("#")
        rest, _, revision = rest.partition("@")
        parts = rest.split("/")
        checksum = _SHA256.fullmatch(fragment)
        if (
            not text.startswith(PREFIX)
            or len(parts) < 3
            or not all(_NAME.fullmatch(part) for part in parts)
            or ("@" in text and not _REVISION.fullmatch(revision))
            or ("#" in text and not checksum)
        ):
            raise ModelNotReady(f"{text!r} is not {FORM}, the checksum being 64 hexadecimal digits")
        if PurePosixPath(parts[-1]).suffix not in SUFFIXES:
            raise ModelNotReady(f"{text!r}: only files can be had from a hub: {', '.join(SUFFIXES)}")
        sha256 = checksum[1].lower() if checksum else None
        return cls(parts[0], parts[1], "/".join(parts[2:]), revision or "main", sha256)

    @property
    def is_commit(self) -> bool:
        """Whether the revision is a whole commit id, behind which nothing can change."""
        return bool(_COMMIT.fullmatch(self.revision))

    @property
    def is_pinned(self) -> bool:
        """Whether the content cannot be exchanged by somebody else."""
        return self.is_commit or self.sha256 is not None

    @property
    def repository(self) -> str:
        """Owner and repository, as huggingface_hub names it."""
        return f"{self.owner}/{self.repo}"

    def __str__(self) -> str:
        checksum = f"#sha256={self.sha256}" if self.sha256 else ""
        return f"{PREFIX}{self.owner}/{self.repo}/{self.path}@{self.revision}{checksum}"
