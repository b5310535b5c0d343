from __future__ import annotations

from touchline_lab.evaluation.actions import infer_match, score

KINDS = ("pass", "pass_received", "ball_out_of_play")


def test_with_true_boxes_the_rules_find_most_passes_and_invent_none() -> None:
    match = infer_match(2002, 240, 6, 384, None)
    assert len(match.truth) >= 5
    found = score(match, "truth")
    assert found.precision == 1.0
    assert found.recall > 0.7
    assert sum(score(match, "truth", [kind]).given for kind in KINDS) == found.given
