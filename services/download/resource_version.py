"""Which version of a resource a response belongs to, so that parts of two versions are never put together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from services.errors import SourceChanged


@dataclass(frozen=True, slots=True)
class ResourceVersion:
    """What the head of a response tells about the version that it belongs to.

    Attributes:
        size: Length of the whole resource in bytes, where it is told.
        etag: The entity tag, as it was sent; empty when there is none.
        last_modified: The time of the last change, as it was sent; empty when there is none.
    """

    size: int | None
    etag: str = ""
    last_modified: str = ""

    @classmethod
    def from_headers(cls, size: int | None, headers: Mapping[str, str]) -> ResourceVersion:
        """Read the validators of a response; the names in `headers` are in lower case."""
        return cls(size, headers.get("etag", ""), headers.get("last-modified", ""))

    @property
    def validator(self) -> str:
        """Value for `If-Range`: the strong entity tag, else the date; empty when there is neither.

        Nor is a tag sent back that is not ASCII: it is only compared.
        """
        if self.etag:
            return self.etag if self.etag.isascii() and not self.etag.startswith("W/") else ""
        return self.last_modified

    def joined_with(self, other: ResourceVersion) -> ResourceVersion:
        """What this response and a later one tell together.

        Raises:
            SourceChanged: The two belong to different versions.
        """
        if None not in (self.size, other.size) and self.size != other.size:
            raise SourceChanged(f"the video had {self.size} bytes, then {other.size}: it changed meanwhile")
        if self.etag and other.etag:
            # servers mark a tag as weak when they compress; the opaque part stays
            if self.etag.removeprefix("W/") != other.etag.removeprefix("W/"):
                raise SourceChanged(
                    f"the video had the entity tag {self.etag}, then {other.etag}: it changed meanwhile"
                )
        elif self.last_modified and other.last_modified and self.last_modified != other.last_modified:
            raise SourceChanged(
                f"the video was of {self.last_modified}, then of {other.last_modified}: it changed meanwhile"
            )
        size = other.size if self.size is None else self.size
        return ResourceVersion(size, self.etag or other.etag, self.last_modified or other.last_modified)
