from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.videos import make_video
from touchline_lab.benchmarks import decode_methods


def test_ways_that_skip_give_the_same_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(make_video(frames=60, size=(640, 384)))
    decode_methods.report(decode_methods.load(path, 6), rounds=1)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("11 of 60 frames")
    digests = {line[:48].strip(): line.split()[-1] for line in lines[2:9]}
    assert set(digests) == set(decode_methods.METHODS)
    given = [digests[name] for name in digests if "every frame" not in name and "key frames" not in name]
    assert len(given) == 4
    assert len(set(given)) == 1


def test_only_plain_files_are_measured(tmp_path: Path) -> None:
    path = tmp_path / "clip.ts"
    path.write_bytes(make_video(container="mpegts"))
    with pytest.raises(SystemExit, match="no plain MP4"):
        decode_methods.load(path, 6)
