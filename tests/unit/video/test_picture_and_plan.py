from __future__ import annotations

import numpy as np
import pytest

from services.frame_plan import FramePlan, batch_sizes
from services.video.letterbox import Letterbox


@pytest.mark.parametrize(
    ("source", "side", "net"),
    [
        ((1280, 720), 384, (384, 224)),
        ((1920, 1080), 384, (384, 224)),
        ((960, 540), 640, (640, 384)),
        ((720, 1280), 384, (224, 384)),
        ((333, 777), 320, (160, 320)),
    ],
)
def test_letterbox_sizes(source: tuple[int, int], side: int, net: tuple[int, int]) -> None:
    box = Letterbox.fit(*source, side)
    assert (box.input_width, box.input_height) == net
    assert box.width % 2 == box.height % 2 == 0


def test_corners_map_to_the_corners_of_the_source() -> None:
    box = Letterbox.fit(1280, 720, 384)
    corners = np.array(
        [[box.left, box.top], [box.left + box.width, box.top + box.height], [-50, 9999]], np.float32
    )
    assert box.to_source(corners).tolist() == [[0, 0], [1280, 720], [0, 720]]


@pytest.mark.parametrize("count", [1, 2, 6, 7, 12, 13, 750])
@pytest.mark.parametrize("stride", [1, 5, 6, 100])
def test_plan_covers_both_ends_and_counts_itself(count: int, stride: int) -> None:
    plan = FramePlan(stride, count)
    wanted = [i for i in range(count) if plan.is_sampled(i)]
    assert wanted[0] == 0
    assert wanted[-1] == count - 1
    assert max(np.diff(wanted), default=0) <= stride
    assert plan.sampled_count == len(wanted)


def test_plan_of_unknown_length() -> None:
    plan = FramePlan(6, None)
    assert [i for i in range(14) if plan.is_sampled(i)] == [0, 6, 12]
    assert plan.sampled_count is None


def test_batches_grow_to_full_size() -> None:
    assert batch_sizes(4, 64) == [4, 8, 16, 32, 64]
    assert batch_sizes(4, 4) == [4]
    assert batch_sizes(16, 4) == [4]
    assert batch_sizes(1, 5) == [1, 2, 4, 5]
