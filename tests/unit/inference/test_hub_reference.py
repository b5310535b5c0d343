"""What may be called a model on a hub."""

from __future__ import annotations

import pytest

from services.errors import ModelNotReady
from services.inference.hub_reference import HubReference

COMMIT = "0123456789abcdef0123456789abcdef01234567"
SHA = "AB" * 32


def test_all_parts() -> None:
    found = HubReference.parse(f"hf:owner/my.repo/weights/best.pt@{COMMIT}#sha256={SHA}")
    assert found == HubReference("owner", "my.repo", "weights/best.pt", COMMIT, SHA.lower())
    assert found.is_commit
    assert found.is_pinned
    assert HubReference.parse(str(found)) == found


@pytest.mark.parametrize(
    ("text", "pinned"),
    [("hf:o/r/m.pt", False), ("hf:o/r/m.pt@v1.0", False), (f"hf:o/r/m.pt#sha256={SHA}", True)],
)
def test_what_can_change_behind_a_name(text: str, pinned: bool) -> None:
    assert HubReference.parse(text).is_pinned is pinned


@pytest.mark.parametrize(
    "text",
    [
        "hf:owner/file.pt",
        "hf:o/r/../../etc/m.pt",
        "hf:o/r//m.pt",
        "hf:o/r/m.pt@",
        "hf:o/r/m.pt@../x",
        "hf:o/r/m.pt#sha256=12",
        "hf:o/r/m.pt#",
        "hf:o/r/m p.pt",
        "hf:o/r/.pt",
        "o/r/m.pt",
        "hf:o/r/folder",
        "hf:o/r/m.zip",
    ],
)
def test_what_is_refused(text: str) -> None:
    with pytest.raises(ModelNotReady):
        HubReference.parse(text)
