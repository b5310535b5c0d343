from __future__ import annotations

import pytest

from services.errors import SettingsError
from touchline_lab.benchmarks.clips import FRONT, LAST
from touchline_lab.benchmarks.run_plan import Options, make_plan, method_and_clip
from touchline_lab.benchmarks.worker import METHODS


def test_every_row_has_a_method() -> None:
    assert {method_and_clip(row)[0] for row in Options().rows()} <= set(METHODS)


def test_the_suffix_of_a_row_chooses_the_clip() -> None:
    assert method_and_clip("reference-miner-index-last") == ("reference-miner", LAST)
    assert method_and_clip("reference-miner") == ("reference-miner", FRONT)


def test_a_lab_measures_every_link_with_every_congestion_control() -> None:
    plan = make_plan(Options(links=("seed", "r40"), congestion=("cubic", "bbr")), [], ("cubic", "bbr"))
    assert plan.lab
    assert plan.conditions == (("seed", "cubic"), ("seed", "bbr"), ("r40", "cubic"), ("r40", "bbr"))
    assert plan.left_out == ()


def test_a_congestion_control_that_the_kernel_lacks_is_left_out_with_a_note() -> None:
    plan = make_plan(Options(links=("r40",), congestion=("cubic", "bbr")), [], ("cubic",))
    assert plan.conditions == (("r40", "cubic"),)
    assert "bbr" in plan.left_out[0]


def test_without_the_link_lab_the_demo_origin_is_used_and_the_reason_given() -> None:
    plan = make_plan(Options(), ["root (network namespaces)"], ())
    assert not plan.lab
    assert plan.conditions == (("demo", "default"),)
    assert "root" in plan.left_out[0]
    assert "touchline-idle" not in plan.rows
    assert "touchline-warm" in plan.rows


@pytest.mark.parametrize("options", [Options(links=("moon",)), Options(congestion=("reno",))])
def test_unknown_names_are_refused(options: Options) -> None:
    with pytest.raises(SettingsError, match="moon|reno"):
        make_plan(options, [], ("cubic",))


def test_what_was_not_asked_for_is_not_reported_as_left_out() -> None:
    plan = make_plan(Options(quick=True), ["nginx (package nginx)"], ())
    assert [sentence.partition(" ")[0] for sentence in plan.left_out] == ["Links"]
