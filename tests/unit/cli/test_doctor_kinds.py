from __future__ import annotations

from pathlib import Path

import pytest

from services.cli.doctor_checks import kinds, models
from services.settings import load_settings
from tests.support.plugins import make_distribution


def test_what_is_installed_is_said_with_its_source() -> None:
    (finding,) = kinds(load_settings())
    assert finding.ok
    assert finding.detail == "SERVED_KINDS: gsr (built in), PREDICTOR: bundled (built in)"


def test_what_is_not_installed_is_found_without_loading_anything() -> None:
    settings = load_settings(served_kinds=("gsr", "chess"), predictor=("gsr=crystal-ball",))
    first, second = kinds(settings)
    assert (first.ok, second.ok) == (False, False)
    assert "crystal-ball (not installed)" in first.detail
    assert "chess (not installed)" in second.detail
    assert "touchline kinds" in first.advice


def test_model_files_are_not_looked_for_where_nothing_uses_them() -> None:
    nowhere = {"detector_model": "/no/such/model.pt"}
    assert not all(finding.ok for finding in models(load_settings(**nowhere)))
    assert list(models(load_settings(predictor=("mine",), **nowhere))) == []


def test_a_name_taken_twice_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    make_distribution(tmp_path, "my-gsr", {"touchline.challenges": {"gsr": "no_module:Kind"}}, {})
    (finding,) = kinds(load_settings())
    assert not finding.ok
    assert "my-gsr 1.2" in finding.detail
