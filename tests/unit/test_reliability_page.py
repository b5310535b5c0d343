"""Each line of the reliability page names a test that exists."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "concepts" / "reliability.md"


def test_every_line_of_the_promise_names_a_test() -> None:
    text = PAGE.read_text().split("## How a lost challenge is found")[0]
    named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", text)
    rows = [line for line in text.splitlines() if line.startswith("| ") and "What happens" not in line]
    assert len(rows) >= 20
    assert all("`tests/" in row or row.endswith("| the same |") for row in rows)
    for file, name in named:
        assert f"def {name}(" in (ROOT / file).read_text(), f"{file}::{name}"
