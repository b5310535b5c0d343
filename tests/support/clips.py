"""Rendered clips for tests; rendered once and kept under .cache/ until the renderer changes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from touchline_lab.demo_origin.server import DemoOrigin
from touchline_lab.renderer.clip_store import StoredClip, stored_clip
from touchline_lab.renderer.seeds import TEST_SEED

CACHE = Path(__file__).parents[2] / ".cache" / "clips"


@pytest.fixture(scope="session")
def clip_4s() -> StoredClip:
    """The test clip, 100 frames with its index at the end: `clip_4s.path`, `clip_4s.truth`."""
    return stored_clip(CACHE, TEST_SEED, 4.0)


@pytest.fixture(scope="session")
def clip_4s_faststart() -> StoredClip:
    """The same pictures with the index at the front of the file."""
    return stored_clip(CACHE, TEST_SEED, 4.0, faststart=True)


@pytest.fixture(scope="session")
def clip_url(origin: DemoOrigin, origin_folder: Path, clip_4s: StoredClip) -> str:
    """The test clip's URL on `origin`; a fault can be added to it as a query."""
    shutil.copyfile(clip_4s.path, origin_folder / "clip_4s.mp4")
    return origin.url("clip_4s.mp4")
