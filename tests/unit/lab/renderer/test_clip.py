from pathlib import Path

import av
import numpy as np
import pytest

from touchline_lab.renderer.clip import TEST_SEED, GroundTruth, render_clip

SIZE = (640, 352)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, GroundTruth]:
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    return path, render_clip(path, TEST_SEED, 0.8, size=SIZE, processes=1)


def top_level_boxes(path: Path) -> list[str]:
    data, offset, names = path.read_bytes(), 0, []
    while offset < len(data):
        names.append(data[offset + 4 : offset + 8].decode())
        offset += int.from_bytes(data[offset : offset + 4], "big")
    return names


def test_it_is_h264_with_b_frames_at_its_frame_rate(clip: tuple[Path, GroundTruth]) -> None:
    with av.open(str(clip[0])) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert (stream.width, stream.height, stream.average_rate) == (*SIZE, 25)
        frames = list(container.decode(stream))
    assert len(frames) == 20
    assert [frame.pts for frame in frames] == sorted(frame.pts for frame in frames)
    assert av.video.frame.PictureType.B in {frame.pict_type for frame in frames}


def test_the_index_stands_at_the_end_unless_asked_for_in_front(
    clip: tuple[Path, GroundTruth], tmp_path: Path
) -> None:
    boxes = top_level_boxes(clip[0])
    assert boxes.index("mdat") < boxes.index("moov")
    render_clip(tmp_path / "front.mp4", TEST_SEED, 0.2, size=SIZE, faststart=True)
    boxes = top_level_boxes(tmp_path / "front.mp4")
    assert boxes.index("moov") < boxes.index("mdat")


def test_several_processes_write_the_same_bytes(clip: tuple[Path, GroundTruth], tmp_path: Path) -> None:
    path = tmp_path / "parallel.mp4"
    truth = render_clip(path, TEST_SEED, 0.8, size=SIZE, processes=2)
    assert path.read_bytes() == clip[0].read_bytes()
    assert truth == clip[1]


def test_progress_is_told_after_every_frame(tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    render_clip(
        tmp_path / "a.mp4",
        TEST_SEED,
        0.2,
        size=SIZE,
        progress=lambda done, total: calls.append((done, total)),
    )
    assert calls == [(done, 5) for done in range(1, 6)]


def test_the_truth_is_small_and_survives_a_file(clip: tuple[Path, GroundTruth], tmp_path: Path) -> None:
    path = tmp_path / "truth.json"
    clip[1].save(path)
    assert GroundTruth.load(path) == clip[1]
    assert path.stat().st_size / len(clip[1].frames) * 750 < 4e6


def test_every_frame_is_described(clip: tuple[Path, GroundTruth]) -> None:
    truth = clip[1]
    assert (truth.seed, truth.fps, truth.width, truth.height) == (TEST_SEED, 25, *SIZE)
    assert len(truth.frames) == 20
    for frame in truth.frames:
        assert len(frame.keypoints) == 32
        assert np.array(frame.homography).shape == (3, 3)
