"""Benchmarks on labelled pictures, with data sets that are not the project's own."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from touchline_lab.benchmarks import lens_distortion, line_support, television_views


@pytest.fixture
def own_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data set of one picture, of a match that the project does not know."""
    (tmp_path / "images").mkdir()
    cv2.imwrite(str(tmp_path / "images" / "mine_1.png"), np.zeros((36, 64, 3), np.uint8))
    for module in (lens_distortion, line_support, television_views):
        monkeypatch.setattr(module, "load_models", lambda settings: None)
    return tmp_path


def test_views_like_television_are_made_of_ones_own_pictures_when_asked(
    own_pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    def first_clip(picture: object, random: object) -> None:
        seen.append(picture.name)  # type: ignore[attr-defined]
        raise KeyboardInterrupt

    monkeypatch.setattr(television_views, "make_clip", first_clip)
    monkeypatch.setattr(sys, "argv", ["television_views", str(own_pictures), "--matches", "all"])
    with pytest.raises(KeyboardInterrupt):
        television_views.main()
    assert seen == ["mine_1"]

    monkeypatch.setattr(sys, "argv", ["television_views", str(own_pictures)])
    with pytest.raises(ValueError, match="no picture of .* begins with 744b27 or"):
        television_views.main()


def test_a_lens_is_not_reported_without_a_single_pitch(
    own_pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lens_distortion, "infer_picture", lambda *_: None)
    monkeypatch.setattr(lens_distortion, "locate", lambda *_: (None, None))
    monkeypatch.setattr(sys, "argv", ["lens_distortion", str(own_pictures)])
    with pytest.raises(SystemExit, match="in no picture with a labelled pitch is the pitch found"):
        lens_distortion.main()


def test_the_support_of_lines_is_printed_for_pictures_of_a_single_match(
    own_pictures: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    result = type("Result", (), {"keypoints": (), "painted_lines": ()})()
    monkeypatch.setattr(line_support, "infer_picture", lambda *_: result)
    monkeypatch.setattr(line_support, "fit_homography", lambda *_: np.eye(3))
    monkeypatch.setattr(line_support, "line_support", lambda *_: 0.5)
    monkeypatch.setattr(line_support, "supported", lambda *_: None)
    monkeypatch.setattr(sys, "argv", ["line_support", str(own_pictures)])
    line_support.main()
    *_, others = capsys.readouterr().out.splitlines()
    assert others.split() == ["other", "matches", "0", "-"]
