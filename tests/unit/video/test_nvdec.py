"""Up to the call of the device: what decodes is a stand-in that reads the file as torchcodec would."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest
import torch

from services.errors import CorruptVideo, StreamStalled, TooLarge
from services.frame_plan import FramePlan
from services.video.decode import DecodeLimits, open_clip, open_clip_on
from services.video.letterbox import PAD, Letterbox
from services.video.nvdec import DecoderChoice, choose_decoder, letterboxed
from services.video.source import MemorySource
from tests.support.videos import make_video, numbered_picture, read_number

LIMITS = DecodeLimits(1000, 1 << 22)
GPU = DecoderChoice("cuda:0")


class Decoder:
    """Decodes on the CPU what it is asked for; keeps how it was made."""

    made: list[dict[str, Any]] = []

    def __init__(self, file: Any, **options: Any) -> None:
        self.made.append(options)
        with av.open(file) as container:
            self._pictures = [picture.to_ndarray(format="rgb24") for picture in container.decode(video=0)]

    def get_frame_at(self, number: int) -> Any:
        return SimpleNamespace(data=torch.from_numpy(self._pictures[number]).permute(2, 0, 1))


@pytest.fixture
def torchcodec(monkeypatch: pytest.MonkeyPatch) -> type[Decoder]:
    package, module = ModuleType("torchcodec"), ModuleType("torchcodec.decoders")
    module.VideoDecoder = Decoder  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torchcodec", package)
    monkeypatch.setitem(sys.modules, "torchcodec.decoders", module)
    Decoder.made = []
    return Decoder


def test_the_cpu_decodes_where_models_run_there() -> None:
    assert str(choose_decoder("cpu")) == "cpu (the models run on cpu, not on CUDA)"


def test_the_cpu_decodes_where_torchcodec_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchcodec.decoders", None)
    choice = choose_decoder("cuda:1")
    assert choice.device is None
    assert "torchcodec cannot be loaded" in choice.why
    assert "touchline[nvdec]" in choice.why


def test_a_torchcodec_without_its_libraries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "torchcodec"
    (package / "decoders").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "decoders" / "__init__.py").write_text("raise RuntimeError('Could not load it\\nmore text')")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "Could not load it; pip" in choose_decoder("cuda").why


@pytest.mark.usefixtures("torchcodec")
def test_the_gpu_decodes_where_it_can() -> None:
    assert str(choose_decoder("cuda:1")) == "cuda:1 (torchcodec)"


def test_frames_come_by_their_numbers_from_the_device(torchcodec: type[Decoder]) -> None:
    clip, choice = open_clip_on(GPU, MemorySource(make_video(frames=40)), LIMITS)
    assert (clip.reader, choice, clip.count) == ("nvdec", GPU, 40)
    box = Letterbox.fit(clip.width, clip.height, 320)
    found = list(clip.frames(FramePlan(6, clip.count), box))
    assert [frame.index for frame in found] == [0, 6, 12, 18, 24, 30, 36, 39]
    assert [read_number(frame.image) for frame in found] == [frame.index for frame in found]
    assert torchcodec.made == [{"device": "cuda:0", "seek_mode": "approximate"}]
    assert clip.stats.packets == clip.stats.decoded == 8
    assert clip.stats.busy_s > 0


@pytest.mark.parametrize(
    ("video", "limits", "why"),
    [
        ({"container": "mpegts"}, LIMITS, "no plain index"),
        ({"times": [i * 40 + (i % 3) * 9 for i in range(30)]}, LIMITS, "frame rate varies"),
        ({}, DecodeLimits(1000, 1 << 22, allow_cut=True), "PARTIAL_DOWNLOAD"),
    ],
    ids=["no index", "rate", "cut"],
)
@pytest.mark.usefixtures("torchcodec")
def test_what_torchcodec_would_number_otherwise_is_left_to_the_cpu(
    video: dict[str, Any], limits: DecodeLimits, why: str
) -> None:
    clip, choice = open_clip_on(GPU, MemorySource(make_video(**video)), limits)
    assert clip.reader != "nvdec"
    assert choice.device is None
    assert why in str(choice)


@pytest.mark.usefixtures("torchcodec")
def test_limits_hold_there_too() -> None:
    with pytest.raises(TooLarge, match="MAX_FRAMES"):
        open_clip_on(GPU, MemorySource(make_video()), DecodeLimits(29, 1 << 22))


@pytest.mark.parametrize("stalled", [False, True])
def test_its_errors_are_ours(
    monkeypatch: pytest.MonkeyPatch, torchcodec: type[Decoder], stalled: bool
) -> None:
    error = StreamStalled("no bytes", stage="download")
    source = MemorySource(make_video())
    clip, _ = open_clip_on(GPU, source, LIMITS)

    def read_some(offset: int, maximum: int) -> bytes:
        raise error

    def fail(self: Decoder, file: Any, **options: Any) -> None:
        if stalled:
            with pytest.raises(StreamStalled):
                file.read(10)
        raise RuntimeError("no such decoder")

    monkeypatch.setattr(source, "read_some", read_some)
    monkeypatch.setattr(torchcodec, "__init__", fail)
    frames = clip.frames(FramePlan(1, 30), Letterbox.fit(320, 192, 320))
    with pytest.raises(StreamStalled if stalled else CorruptVideo) as raised:
        next(frames)
    assert not stalled or raised.value is error


def test_shrinking_there_is_close_to_shrinking_here() -> None:
    picture = numbered_picture(77, 1280, 720)
    box = Letterbox.fit(1280, 720, 384)
    found = letterboxed(torch.from_numpy(picture).permute(2, 0, 1), box)
    assert found.shape == (box.input_height, box.input_width, 3)
    assert (found[: box.top] == PAD).all()
    data = make_video(frames=1, size=(1280, 720))
    here = next(open_clip(MemorySource(data), LIMITS).frames(FramePlan(1, 1), box)).image
    with av.open(io.BytesIO(data)) as container:
        whole = next(container.decode(video=0)).to_ndarray(format="rgb24")
    there = letterboxed(torch.from_numpy(whole).permute(2, 0, 1), box)
    assert np.abs(there.astype(int) - here).mean() < 6
