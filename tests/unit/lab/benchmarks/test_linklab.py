"""Benchmarks that only the link lab can run."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from touchline_lab.benchmarks import bad_links, transfer
from touchline_lab.benchmarks.linklab import lab


@pytest.mark.parametrize("benchmark", [bad_links, transfer])
def test_a_machine_without_a_lab_is_told_so_before_a_clip_is_rendered(
    benchmark: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lab, "missing", lambda: ["nginx (package nginx)", "/dev/net/tun"])
    monkeypatch.setattr(benchmark, "prepare", lambda *_, **__: pytest.fail("rendered for nothing"))
    monkeypatch.setattr(sys, "argv", ["benchmark"])
    with pytest.raises(SystemExit, match=r"the link lab needs nginx \(package nginx\), /dev/net/tun"):
        benchmark.main()
