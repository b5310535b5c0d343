"""Shards of rendered training data."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from touchline_lab.training import render_balls, render_dataset


def test_so_many_shards_are_rendered_that_there_are_enough_frames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenes: list[int] = []
    monkeypatch.setattr(render_dataset, "render_shard", lambda seeds, path, varied: scenes.append(len(seeds)))
    monkeypatch.setattr(sys, "argv", ["render_dataset", str(tmp_path), "--frames", "260"])
    render_dataset.main()
    assert sum(scenes) * render_dataset.FRAMES_A_SCENE == 500


def test_so_many_shards_are_rendered_that_there_are_enough_scenes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    luma, balls = np.zeros((2, 2), np.uint8), np.zeros((6, 3), np.float32)
    monkeypatch.setattr(render_balls, "render_clip", lambda seed: ([luma], [balls]))
    monkeypatch.setattr(sys, "argv", ["render_balls", str(tmp_path), "--scenes", "30"])
    render_balls.main()
    assert [path.name for path in sorted((tmp_path / "train").iterdir())] == ["0000.npz", "0001.npz"]
