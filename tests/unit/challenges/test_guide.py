"""The predictors of the guide, as they stand there, answer a made-up clip."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from services.challenges.kinds import serve
from services.inference.predictors import PluggedPredictor
from services.pipeline.warm import warm
from services.plugin_discovery import Plugin
from services.settings import load_settings

GUIDE = Path(__file__).parents[3] / "docs/guides/challenge-kinds.md"
BLOCKS = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.S)


@pytest.mark.parametrize(
    ("number", "kind", "name"), [(1, "gsr", "MyDetector"), (2, "soccer_action", "MySpotter")]
)
def test_a_predictor_of_the_guide_answers(number: int, kind: str, name: str) -> None:
    names: dict[str, Any] = {}
    exec(compile(BLOCKS[number], GUIDE.name, "exec"), names)  # noqa: S102 - our own documentation
    settings = load_settings(served_kinds=(kind,), predictor=("mine",))
    plugin = Plugin("mine", f"guide:{name}", "the guide")
    loaded = PluggedPredictor(plugin, names[name](settings, "cpu"), "cpu")
    assert warm(serve(settings, lambda *_: loaded), settings) > 0


def test_there_are_no_others() -> None:
    # the first is run by tests/integration/test_example_plugin.py
    assert len(BLOCKS) == 3
