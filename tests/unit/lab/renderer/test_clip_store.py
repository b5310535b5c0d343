"""Rendered clips are kept on disk."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from touchline_lab.renderer import clip_store
from touchline_lab.renderer.clip import FrameTruth, GroundTruth

TRUTH = GroundTruth(
    1, 25, 64, 64, [FrameTruth([(2, 1.0, 2.0, 3.0, 4.0)], [(0.0, 0.0)] * 32, [(1.0, 0.0, 0.0)] * 3)]
)


@pytest.fixture
def rendered(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, float]]:
    """Calls of a renderer that only writes a few bytes."""
    calls: list[tuple[int, float]] = []

    def render(path: Path, seed: int, seconds: float, **_: object) -> GroundTruth:
        calls.append((seed, seconds))
        path.write_bytes(b"clip")
        return TRUTH

    monkeypatch.setattr(clip_store, "render_clip", render)
    return calls


def test_a_clip_is_rendered_once(tmp_path: Path, rendered: list[tuple[int, float]]) -> None:
    first = clip_store.stored_clip(tmp_path / "new", 1, 4.0)
    second = clip_store.stored_clip(tmp_path / "new", 1, 4.0)
    assert rendered == [(1, 4.0)]
    assert first == second == clip_store.StoredClip(first.path, TRUTH)
    assert first.path.read_bytes() == b"clip"


def test_two_who_need_the_same_clip_have_it_rendered_once(
    tmp_path: Path, rendered: list[tuple[int, float]]
) -> None:
    with ThreadPoolExecutor(4) as threads:
        clips = list(threads.map(lambda _: clip_store.stored_clip(tmp_path, 1, 4.0), range(4)))

    assert rendered == [(1, 4.0)]
    assert clips == clips[:1] * 4


def test_seed_length_and_index_make_other_clips(tmp_path: Path, rendered: list[tuple[int, float]]) -> None:
    paths = {
        clip_store.stored_clip(tmp_path, 1, 4.0).path,
        clip_store.stored_clip(tmp_path, 2, 4.0).path,
        clip_store.stored_clip(tmp_path, 1, 0.5).path,
        clip_store.stored_clip(tmp_path, 1, 4.0, faststart=True).path,
    }
    assert len(paths) == len(rendered) == 4


def test_a_changed_renderer_renders_again(
    tmp_path: Path, rendered: list[tuple[int, float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    clip_store.stored_clip(tmp_path, 1, 4.0)
    before = clip_store.renderer_key()
    monkeypatch.setattr(clip_store, "RENDERER_MODULES", clip_store.RENDERER_MODULES[:-1])
    assert clip_store.renderer_key() != before
    clip_store.stored_clip(tmp_path, 1, 4.0)
    assert len(rendered) == 2


def test_a_failed_rendering_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def render(path: Path, *_: object, **__: object) -> GroundTruth:
        path.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(clip_store, "render_clip", render)
    with pytest.raises(OSError, match="disk full"):
        clip_store.stored_clip(tmp_path, 1, 4.0)
    assert {path.suffix for path in tmp_path.iterdir()} == {".lock"}
