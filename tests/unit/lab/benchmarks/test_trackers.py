from __future__ import annotations

import numpy as np

from services.pitch import BALL, PLAYER
from services.results import Detections, FrameResult
from services.video.letterbox import Letterbox
from touchline_lab.benchmarks.trackers import ours, truth_of
from touchline_lab.evaluation.identity import idf1
from touchline_lab.evaluation.run import Material
from touchline_lab.renderer.clip import FrameTruth, GroundTruth

COUNT = 4
BOX = Letterbox.fit(1280, 720, 384)


def place(person: int, frame: int) -> list[float]:
    x = 200.0 + 500 * person + 4 * frame
    return [x, 300.0, x + 30, 380.0]


def material() -> Material:
    frames = [
        FrameTruth(
            boxes=[(PLAYER, *place(0, n)), (BALL, 10.0, 10.0, 20.0, 20.0), (PLAYER, *place(1, n))],
            keypoints=[(0.0, 0.0)] * 32,
            homography=[(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)],
        )
        for n in range(COUNT)
    ]
    truth = GroundTruth(seed=0, width=1280, height=720, fps=25, frames=frames)
    return Material("two", b"", truth, [[7, 0, 8]] * COUNT)


def test_people_who_keep_their_ids_are_found_to_and_the_ball_is_left_out() -> None:
    picture = np.zeros((BOX.input_height, BOX.input_width, 3), np.uint8)
    seen = []
    for n in range(COUNT):
        boxes = np.array([place(0, n), place(1, n)], np.float32)
        found = Detections(boxes, np.full(2, 0.9, np.float32), np.full(2, PLAYER, np.int64))
        seen.append((FrameResult(n, found, None), picture))
    true = truth_of(material(), seen)
    assert [ids.tolist() for ids, _ in true] == [[7, 8]] * COUNT
    given = ours(seen, 1, BOX)
    assert idf1(given, true) == 1.0
    swapped = [(ids[::-1] if n % 2 else ids, boxes) for n, (ids, boxes) in enumerate(given)]
    assert idf1(swapped, true) < 0.8
