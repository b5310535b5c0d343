"""Timelines as one HTML file."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from services.monitoring.report_page import percentile, report_page


def timeline(total: float = 1.0, version: int = 2) -> dict[str, Any]:
    span = {"start": 0.1, "end": total - 0.1, "busy": 0.2}
    moment = {"start": 0.0, "end": 0.3, "busy": 0.3}
    return {
        "version": version,
        "stages": {"decode": span, "first_frame": moment},
        "facts": {"plan": "<every>"},
        "total": total,
    }


class Tags(HTMLParser):
    """Every tag is closed, and nothing is loaded from anywhere."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def parsed(page: str) -> Tags:
    tags = Tags()
    tags.feed(page)
    assert tags.open == []
    return tags


def test_one_timeline_is_a_waterfall_that_needs_no_network() -> None:
    page = report_page({"<c-1>": timeline()})
    assert parsed(page).addresses == []
    assert "&lt;c-1&gt;" in page
    assert "&lt;every&gt;" in page
    assert 'title="decode: 100.0 to 900.0 ms, busy 200.0 ms"' in page
    assert "http" not in page.replace("http-equiv", "")


def test_two_timelines_are_compared() -> None:
    page = report_page({"cold": timeline(3.0), "warm": timeline(1.0)})
    parsed(page)
    assert "<td>total</td><td>3000.0</td><td>1000.0</td><td>+2000.0</td>" in page


def test_many_timelines_have_percentile_bands() -> None:
    page = report_page({f"c-{number}": timeline(1.0 + number / 10) for number in range(11)})
    parsed(page)
    assert "total: 1100.0 / 1500.0 / 1900.0 ms of 11" in page


def test_an_older_or_empty_timeline_is_named_and_shown() -> None:
    assert "this timeline has version 1" in report_page({"old": timeline(version=1)})
    parsed(report_page({"none": {"stages": {}}, "other": {}}))


def test_the_clip_stands_beside_it(tmp_path: Path) -> None:
    clip = tmp_path / "annotated.mp4"
    clip.write_bytes(b"video")
    (address,) = parsed(report_page({"c": timeline()}, clip)).addresses
    assert re.fullmatch(r"data:video/mp4;base64,dmlkZW8=", address)


@pytest.mark.parametrize(
    ("values", "share", "wanted"), [([], 0.5, 0.0), ([3.0], 0.9, 3.0), ([0, 10], 0.5, 5)]
)
def test_percentiles_of_few_values(values: list[float], share: float, wanted: float) -> None:
    assert percentile(values, share) == pytest.approx(wanted)
