"""Flower and the status page in a real browser, with mixed challenges behind them."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest

from touchline_lab.screenshots.browser import DESKTOP, FLOWER, PHONE, STATUS, browser_command, take_pictures
from touchline_lab.screenshots.loaded_system import loaded_system

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(browser_command() is None, reason="Debian's package chromium is not installed"),
]


def test_every_page_shows_the_challenges_and_fits_its_window(tmp_path: Path) -> None:
    with loaded_system(tmp_path / "system", challenges=20) as pages:
        assert take_pictures(pages, tmp_path) == []

    widths = {view.file: cv2.imread(str(tmp_path / view.file)).shape[1] for view in (*FLOWER, *STATUS)}
    assert widths.pop("status-phone.png") == PHONE
    assert set(widths.values()) == {DESKTOP}
    light, dark = (cv2.imread(str(tmp_path / f"status-{name}.png")).mean() for name in ("light", "dark"))
    assert light > 200 > 60 > dark
