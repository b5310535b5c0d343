"""The quick half of `make chaos` and `make soak`: the commands themselves, on real processes."""

from __future__ import annotations

from pathlib import Path

import pytest

from touchline_lab.reliability import chaos, soak

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]


def test_a_lost_device_costs_its_challenge_a_typed_error_and_the_next_one_is_answered(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = tmp_path / "page.md"
    document.write_text(f"before\n{chaos.BEGIN}\nold\n{chaos.END}\nafter\n")

    assert chaos.main(["--only", "device lost", "--document", str(document)]) == 0

    assert "| device lost | inferring | `DeviceLost` |" in document.read_text()
    assert "old" not in document.read_text()
    assert "the promise was broken by 0" in capsys.readouterr().out


def test_a_hundred_challenges_of_every_sort_leave_nothing_behind(capsys: pytest.CaptureFixture[str]) -> None:
    # a promise of half a second is none of a machine that runs other tests as well
    patient = ["--deadline", "80", "--late", "20"]
    assert soak.main(["--challenges", "100", "--fault-every", "6", *patient]) == 0

    assert "0 problems" in capsys.readouterr().out
