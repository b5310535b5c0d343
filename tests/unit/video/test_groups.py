"""Whatever is left out, with however many threads: the frames are those of a plain decoder, to the bit."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import av
import numpy as np
import pytest

from services.errors import CorruptVideo, StreamStalled
from services.video import groups, indexed
from services.video.clip import DecodeLimits
from services.video.indexed import IndexedClip
from services.video.letterbox import Frame, Image, Letterbox, letterboxed
from services.video.mp4_index import Mp4Index, read_index
from services.video.source import MemorySource
from tests.support.videos import make_video

COUNT = 60
SIZE = (320, 192)
BOX = Letterbox.fit(*SIZE, 160)

CLIPS: dict[str, dict[str, Any]] = {
    "B pyramid": {"codec_options": {"x264-params": "bframes=5:b-pyramid=normal:b-adapt=0"}},
    "no B": {"codec_options": {"x264-params": "bframes=0"}},
    "several slices": {"codec_options": {"x264-params": "slices=3:bframes=2"}},
    "open groups": {"codec_options": {"x264-params": "open-gop=1:bframes=3:b-adapt=0:scenecut=0"}},
    "rolling refresh": {"codec_options": {"x264-params": "intra-refresh=1:bframes=0"}},
    "one group": {"gop": 1000},
    "two groups": {"gop": 30},
    "groups of one": {"gop": 1},
    "groups of two": {"gop": 2},
    "uneven groups": {"gop": 17},
    "hevc, closed": {"codec": "libx265", "codec_options": {"x265-params": "log-level=none:open-gop=0"}},
    "hevc, open": {
        "codec": "libx265",
        "codec_options": {"x265-params": "log-level=none:open-gop=1:bframes=4"},
    },
    "hevc, layers": {
        "codec": "libx265",
        "codec_options": {"x265-params": "log-level=none:open-gop=0:temporal-layers=3:bframes=4:b-adapt=0"},
    },
}


@dataclass(frozen=True)
class Picked:
    """A plan of any frames."""

    numbers: frozenset[int]
    second_ball_pass: bool = False
    full_luma: bool = False
    stride: int = 6

    def is_sampled(self, index: int) -> bool:
        return index in self.numbers

    def needs_keypoints(self, index: int) -> bool:
        return index % 2 == 0


PLANS: dict[str, frozenset[int]] = {
    "all": frozenset(range(COUNT)),
    "every sixth": frozenset([*range(0, COUNT, 6), COUNT - 1]),
    "every fifth": frozenset(range(0, COUNT, 5)),
    "first": frozenset([0]),
    "last": frozenset([COUNT - 1]),
    "few": frozenset([13, 14, 41]),
}

_made: dict[str, tuple[bytes, list[Image]]] = {}


def clip_and_truth(kind: str) -> tuple[bytes, list[Image]]:
    """A clip and all its frames, by a decoder of one thread that is given every packet."""
    if kind not in _made:
        data = make_video(**({"frames": COUNT, "size": SIZE} | CLIPS[kind]))
        with av.open(io.BytesIO(data)) as container:
            container.streams.video[0].codec_context.thread_count = 1
            truth = [letterboxed(picture, BOX) for picture in container.decode(video=0)]
        assert len(truth) == COUNT
        _made[kind] = data, truth
    return _made[kind]


def index_of(data: bytes) -> Mp4Index:
    index = read_index(MemorySource(data))
    assert index is not None
    return index


def decode(data: bytes, numbers: frozenset[int], threads: int) -> tuple[IndexedClip, list[Frame]]:
    clip = IndexedClip(MemorySource(data), index_of(data), DecodeLimits(1000, 1 << 22, threads))
    return clip, list(clip.frames(Picked(numbers), BOX))  # type: ignore[arg-type]


def same(found: list[Frame], numbers: frozenset[int], truth: list[Image]) -> bool:
    assert [frame.index for frame in found] == sorted(numbers)
    assert all(frame.keypoints == (frame.index % 2 == 0) for frame in found)
    return all(np.array_equal(frame.image, truth[frame.index]) for frame in found)


@pytest.mark.parametrize("kind", CLIPS)
@pytest.mark.parametrize("threads", [1, 3])
def test_the_frames_are_those_of_a_plain_decoder(kind: str, threads: int) -> None:
    data, truth = clip_and_truth(kind)
    for name, numbers in PLANS.items():
        assert same(decode(data, numbers, threads)[1], numbers, truth), name


@pytest.mark.parametrize("seed", range(6))
def test_any_set_of_frames(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for kind in ("B pyramid", "open groups", "hevc, layers"):
        data, truth = clip_and_truth(kind)
        chosen = rng.choice(COUNT, int(rng.integers(1, 20)), replace=False)
        numbers = frozenset(int(number) for number in chosen)
        assert same(decode(data, numbers, 2)[1], numbers, truth), (kind, numbers)


def keyframes(data: bytes) -> frozenset[int]:
    index = index_of(data)
    return frozenset(int(index.display[position]) for position in index.sync)


@pytest.mark.parametrize("kind", ["B pyramid", "no B", "groups of one", "hevc, closed"])
@pytest.mark.parametrize("threads", [1, 2])
def test_of_key_frames_alone_nothing_else_is_decoded(kind: str, threads: int) -> None:
    data, truth = clip_and_truth(kind)
    wanted = keyframes(data)
    clip, found = decode(data, wanted, threads)
    assert same(found, wanted, truth)
    assert clip.stats.packets == clip.stats.decoded == len(wanted)
    assert clip.stats.dropped == COUNT - len(wanted)


@pytest.mark.parametrize("threads", [1, 2])
def test_groups_without_a_wanted_frame_are_left_out(threads: int) -> None:
    data, truth = clip_and_truth("no B")
    wanted = frozenset([14, 50])
    begins = index_of(data).sync
    clip, found = decode(data, wanted, threads)
    assert same(found, wanted, truth)
    assert clip.stats.packets == sum(number - begins[begins <= number].max() + 1 for number in wanted)


def test_an_open_group_is_decoded_from_where_it_can_be() -> None:
    data, truth = clip_and_truth("open groups")
    clip, found = decode(data, frozenset([50]), 2)
    assert same(found, frozenset([50]), truth)
    assert clip.stats.packets > 20


def test_only_the_highest_layer_of_hevc_is_dropped() -> None:
    data, truth = clip_and_truth("hevc, layers")
    numbers = PLANS["every sixth"]
    clip, found = decode(data, numbers, 2)
    assert same(found, numbers, truth)
    assert 0 < clip.stats.dropped < COUNT - len(numbers)


@pytest.mark.parametrize("kind", ["B pyramid", "two groups", "open groups", "hevc, closed"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_damage_costs_the_same_frames_whatever_the_threads(kind: str, seed: int) -> None:
    data, _ = clip_and_truth(kind)
    index, rng = index_of(data), np.random.default_rng(seed)
    broken = bytearray(data)
    for position in rng.choice(COUNT, 4, replace=False):
        start, size = int(index.offsets[position]), int(index.sizes[position])
        broken[start + size // 3 : start + size] = rng.bytes(size - size // 3)
    numbers = PLANS["all"]
    runs = [decode(bytes(broken), numbers, threads)[1] for threads in (1, 2, 2, 4)]
    first = [frame.index for frame in runs[0]]
    assert len(first) > COUNT // 2
    assert all([frame.index for frame in run] == first for run in runs)
    if kind == "B pyramid":  # side by side, each group by a thread of its own: the pixels are the same, too
        for run in runs[1:]:
            assert all(np.array_equal(a.image, b.image) for a, b in zip(run, runs[0], strict=True))


class Arriving:
    """A source whose bytes are let go one after the other, and that may break off."""

    def __init__(self, data: bytes, there: int, error: Exception | None = None) -> None:
        self._data = data
        self._there = there
        self._error = error
        self._changed = threading.Condition()
        self.released = 0

    @property
    def size(self) -> int | None:
        return len(self._data)

    def read_at(self, offset: int, length: int) -> bytes:
        with self._changed:
            assert offset >= self.released
            while min(offset + length, len(self._data)) > self._there:
                if self._error is not None:
                    raise self._error
                assert self._changed.wait(10)
            return self._data[offset : offset + length]

    def wait_for(self, offset: int, length: int, timeout: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._there >= offset + length or self._error, min(timeout, 10))

    def fetches(self, offset: int, length: int) -> bool:
        return True

    def release(self, before: int) -> None:
        with self._changed:
            self.released = max(self.released, before)

    def let(self, there: int) -> None:
        with self._changed:
            self._there = there
            self._changed.notify_all()


def end_of(index: Mp4Index, position: int) -> int:
    return int(index.offsets[position] + index.sizes[position])


def open_arriving(source: Arriving, data: bytes, threads: int) -> IndexedClip:
    return IndexedClip(source, index_of(data), DecodeLimits(1000, 1 << 22, threads))  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", CLIPS)
@pytest.mark.parametrize("threads", [1, 3])
def test_bytes_of_groups_that_are_done_are_let_go(
    kind: str, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(groups, "KEPT_BYTES", 0)
    data, truth = clip_and_truth(kind)
    for name, numbers in PLANS.items():
        source = Arriving(data, len(data))
        clip = open_arriving(source, data, threads)
        assert same(list(clip.frames(Picked(numbers), BOX)), numbers, truth), name  # type: ignore[arg-type]
        if kind in ("no B", "B pyramid", "hevc, closed") and name == "all":
            index = index_of(data)
            assert source.released == int(index.offsets[index.sync[-1]])


@pytest.mark.parametrize("kind", ["B pyramid", "one group", "hevc, closed", "no B"])
@pytest.mark.parametrize("threads", [1, 2, 4])
def test_the_first_frame_comes_out_as_soon_as_its_own_bytes_are_there(kind: str, threads: int) -> None:
    data, truth = clip_and_truth(kind)
    source = Arriving(data, end_of(index_of(data), 0))
    found = open_arriving(source, data, threads).frames(Picked(PLANS["all"]), BOX)  # type: ignore[arg-type]
    frame = next(found)
    source.let(len(data))
    assert same([frame, *found], PLANS["all"], truth)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_group_is_handed_on_while_later_ones_have_not_arrived(threads: int) -> None:
    data, truth = clip_and_truth("no B")
    index = index_of(data)
    second = int(index.sync[1])
    source = Arriving(data, end_of(index, second))
    found = open_arriving(source, data, threads).frames(Picked(PLANS["all"]), BOX)  # type: ignore[arg-type]
    frames = [next(found) for _ in range(second)]
    source.let(len(data))
    assert same([*frames, *found], PLANS["all"], truth)


@pytest.mark.parametrize("kind", ["B pyramid", "one group"])
@pytest.mark.parametrize("threads", [1, 2, 4])
def test_an_error_of_the_source_comes_out_unchanged(kind: str, threads: int) -> None:
    data, truth = clip_and_truth(kind)
    error = StreamStalled("no bytes for 5 s", stage="download")
    source = Arriving(data, end_of(index_of(data), 30), error)
    frames = []
    with pytest.raises(StreamStalled) as raised:
        frames.extend(
            open_arriving(source, data, threads).frames(Picked(PLANS["all"]), BOX)  # type: ignore[arg-type]
        )
    assert raised.value is error
    assert all(np.array_equal(frame.image, truth[frame.index]) for frame in frames)
    assert not leftover()


def test_giving_up_a_decoder_with_threads_does_not_hang() -> None:
    data, _ = clip_and_truth("one group")
    for there in range(8, 40, 4):
        source = Arriving(data, end_of(index_of(data), there), StreamStalled("no bytes", stage="download"))
        with pytest.raises(StreamStalled):
            list(open_arriving(source, data, 4).frames(Picked(PLANS["all"]), BOX))  # type: ignore[arg-type]


def leftover() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("touchline-group")]


@pytest.mark.parametrize("taken", [1, 7])
def test_closing_early_leaves_no_thread(taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexed, "MAX_WAITING_BYTES", 0)  # no thread is done before its frames are taken
    data, _ = clip_and_truth("B pyramid")
    clip = IndexedClip(MemorySource(data), index_of(data), DecodeLimits(1000, 1 << 22, 4))
    found: Any = clip.frames(Picked(PLANS["all"]), BOX)  # type: ignore[arg-type]
    for _ in range(taken):
        next(found)
    assert leftover()
    found.close()
    assert not leftover()


@pytest.mark.parametrize("threads", [1, 2])
def test_cut_off_on_purpose(threads: int) -> None:
    data, truth = clip_and_truth("B pyramid")
    cut = data[: end_of(index_of(data), 40)]
    limits = DecodeLimits(1000, 1 << 22, threads, allow_cut=True)
    found = list(IndexedClip(MemorySource(cut), index_of(data), limits).frames(Picked(PLANS["all"]), BOX))  # type: ignore[arg-type]
    assert 36 <= len(found) < COUNT
    assert all(np.array_equal(frame.image, truth[frame.index]) for frame in found)
    strict = DecodeLimits(1000, 1 << 22, threads)
    with pytest.raises(CorruptVideo, match="cut off"):
        list(IndexedClip(MemorySource(cut), index_of(data), strict).frames(Picked(PLANS["all"]), BOX))  # type: ignore[arg-type]


def without(data: bytes, box: bytes) -> bytes:
    return data.replace(box, b"free")


@pytest.mark.parametrize("change", [lambda data: without(data, b"stss")], ids=["no table of sync samples"])
@pytest.mark.parametrize("kind", ["B pyramid", "open groups", "hevc, open"])
def test_the_table_of_sync_samples_is_not_trusted(kind: str, change: Callable[[bytes], bytes]) -> None:
    data, truth = clip_and_truth(kind)
    numbers = PLANS["every fifth"]
    assert same(decode(change(data), numbers, 2)[1], numbers, truth)
