from __future__ import annotations

import random

from services.download.segments import Segments


def test_parts_in_any_order_with_overlaps_become_the_whole() -> None:
    whole = bytes(random.Random(1).randbytes(1000))
    for seed in range(8):
        draw = random.Random(seed)
        segments = Segments()
        known = [False] * len(whole)
        while not all(known):
            start = draw.randrange(len(whole))
            stop = min(len(whole), start + draw.randrange(1, 200))
            segments.add(start, whole[start:stop])
            known[start:stop] = [True] * (stop - start)
            probe = draw.randrange(len(whole))
            end = next((i for i in range(probe, len(whole)) if not known[i]), len(whole))
            assert segments.end_at(probe) == end
            assert segments.get(probe, len(whole)) == whole[probe:end]
            later = next((i for i in range(probe + 1, len(whole)) if known[i] and not known[i - 1]), None)
            assert segments.next_start(probe) == later
        assert segments.get(0, len(whole) + 5) == whole
