from __future__ import annotations

import pytest

from services.errors import SettingsError
from touchline_lab.benchmarks.clips import FRONT, LAST
from touchline_lab.benchmarks.run_plan import Options, make_plan, method_and_clip
from touchline_lab.benchmarks.worker import METHODS


def test_every_row_has_a_way() -> None:
    assert {method_and_clip(row)[0] for row in Options().rows()} <= set(METHODS)


def test_rows_of_the_clip_with_its_index_last() -> None:
    assert method_and_clip("official-last") == ("official", LAST)
    assert method_and_clip("official") == ("official", FRONT)


def test_a_lab_measures_every_link_with_every_congestion_control() -> None:
    plan = make_plan(Options(links=("seed", "r40"), congestion=("cubic", "bbr")), [], ("cubic", "bbr"))
    assert plan.lab
    assert plan.conditions == (("seed", "cubic"), ("seed", "bbr"), ("r40", "cubic"), ("r40", "bbr"))
    assert plan.left_out == ()


def test_without_bbr_it_is_left_out_and_said() -> None:
    plan = make_plan(Options(links=("r40",), congestion=("cubic", "bbr")), [], ("cubic",))
    assert plan.conditions == (("r40", "cubic"),)
    assert "bbr" in plan.left_out[0]


def test_without_a_lab_the_demo_origin_is_measured_and_the_reason_said() -> None:
    plan = make_plan(Options(), ["root (network namespaces)"], ())
    assert not plan.lab
    assert plan.conditions == (("demo", "default"),)
    assert "root" in plan.left_out[0]
    assert "ours-idle" not in plan.rows
    assert "ours-warm" in plan.rows


@pytest.mark.parametrize("options", [Options(links=("moon",)), Options(congestion=("reno",))])
def test_unknown_names_are_refused(options: Options) -> None:
    with pytest.raises(SettingsError, match="moon|reno"):
        make_plan(options, [], ("cubic",))
