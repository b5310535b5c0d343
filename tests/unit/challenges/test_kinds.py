from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from services.challenges.gsr_kind import GsrKind
from services.challenges.kinds import find_kinds, get_kind, serve
from services.errors import BrokenPlugin, InferenceError, UnsupportedKind
from services.inference.predictors import load_predictor
from services.pipeline.warm import warm
from services.results import Detections, FrameResult
from services.settings import load_settings
from services.video.letterbox import Frame, Letterbox
from tests.support.plugins import make_distribution

KIND = """
class Kind:
    name = "{name}"
    def plan(self, clip, settings): ...
    def predictor(self, loaded): return loaded
    def assemble(self, challenge, clip, plan, settings, predictor): ...
"""
PREDICTOR = """
from services.plugin import Detections, FrameResult

class Blind:
    slots = 2
    def __init__(self, settings, device):
        self.seen = (settings.frame_stride, device)
    def predict(self, frames, box):
        return [FrameResult(frame.index, Detections.empty(), None) for frame in frames]

class Short(Blind):
    def predict(self, frames, box):
        return []

class Angry(Blind):
    def predict(self, frames, box):
        raise KeyError("no such layer")

class Useless:
    def __init__(self, settings, device): pass

def failing(settings, device):
    raise OSError("no licence")
"""
BOX = Letterbox.fit(64, 64, 64)
FRAME = Frame(0, np.zeros((64, 64, 3), np.uint8))


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def add_kind(site: Path, distribution: str, name: str, module: str, text: str, target: str = "Kind") -> None:
    make_distribution(
        site, distribution, {"touchline.challenges": {name: f"{module}:{target}"}}, {module: text}
    )


def add_predictors(site: Path, module: str) -> None:
    names = {"blind": "Blind", "short": "Short", "angry": "Angry", "useless": "Useless", "failing": "failing"}
    targets = {name: f"{module}:{target}" for name, target in names.items()}
    make_distribution(site, "looking-glass", {"touchline.predictors": targets}, {module: PREDICTOR})


def test_gsr_is_built_in() -> None:
    assert find_kinds()["gsr"].source == "built in"
    assert isinstance(get_kind("gsr"), GsrKind)


def test_a_kind_of_another_distribution_is_found_and_loaded(site: Path) -> None:
    add_kind(site, "chess-kind", "chess", "plugged_chess", KIND.format(name="chess"))
    assert find_kinds()["chess"].source == "chess-kind 1.2"
    assert get_kind("chess").name == "chess"


@pytest.mark.parametrize(
    ("text", "target", "says"),
    [
        ("import no_such_module_at_all", "Kind", "ModuleNotFoundError"),
        ("x = 1", "Kind", "AttributeError"),
        ("class Kind: name = 'chess'", "Kind", "plan, predictor, assemble"),
        (KIND.format(name="draughts"), "Kind", "name = 'chess'"),
        ("class Kind:\n    def __init__(self): raise ValueError('no board')", "Kind", "no board"),
    ],
)
def test_a_broken_kind_says_whose_it_is(site: Path, text: str, target: str, says: str) -> None:
    module = f"broken_{sum(text.encode())}"
    add_kind(site, "chess-kind", "chess", module, text, target)
    with pytest.raises(BrokenPlugin, match="chess-kind 1.2") as caught:
        get_kind("chess")
    assert says in str(caught.value)


def test_a_broken_kind_that_is_not_served_does_no_harm(site: Path) -> None:
    add_kind(site, "chess-kind", "chess", "broken_unserved", "import no_such_module_at_all")
    serve(load_settings(), lambda name, settings: Blindfold())


def test_a_name_taken_twice_is_refused(site: Path) -> None:
    add_kind(site, "my-gsr", "gsr", "plugged_gsr", KIND.format(name="gsr"))
    with pytest.raises(BrokenPlugin, match="taken twice: by built in and by my-gsr 1.2"):
        find_kinds()


def test_the_same_distribution_twice_on_the_path_is_one(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add_kind(site, "chess-kind", "chess", "plugged_chess_two", KIND.format(name="chess"))
    again = site / "again"
    add_kind(again, "chess-kind", "chess", "plugged_chess_two", KIND.format(name="chess"))
    monkeypatch.syspath_prepend(str(again))
    assert find_kinds()["chess"].source == "chess-kind 1.2"


def test_unknown_names_in_the_settings_list_what_is_installed() -> None:
    with pytest.raises(BrokenPlugin, match=r"'chess'; installed: .*gsr"):
        serve(load_settings(served_kinds=("chess",)), lambda name, settings: Blindfold())
    with pytest.raises(BrokenPlugin, match=r"PREDICTOR names 'crystal-ball'; installed: bundled"):
        serve(load_settings(predictor=("crystal-ball",)))


class Blindfold:
    device = "cpu"
    slots = 3

    def predict(self, frames: Any, letterbox: Letterbox) -> list[FrameResult]:
        return [FrameResult(frame.index, Detections.empty(), None) for frame in frames]

    def warm(self, settings: object) -> None: ...

    def touch(self, settings: object) -> None: ...


def test_served_kinds_share_a_predictor_and_refuse_the_rest(site: Path) -> None:
    add_kind(site, "chess-kind", "chess", "plugged_chess_three", KIND.format(name="chess"))
    settings = load_settings(served_kinds=("gsr", "chess"), predictor=("chess=other", "bundled"))
    loaded: list[str] = []

    def load(name: str, _: object) -> Blindfold:
        loaded.append(name)
        return Blindfold()

    kinds = serve(settings, load)
    assert loaded == ["bundled", "other"]
    assert kinds.get("gsr").slots == 3
    assert kinds.devices == ("cpu",)
    with pytest.raises(UnsupportedKind, match="served: chess, gsr"):
        kinds.get("checkers")
    with pytest.raises(UnsupportedKind, match="trading cards"):
        kinds.get("tcg_grading")
    assert len(serve(load_settings(), load).predictors) == 1


def test_a_plugged_predictor_answers_gsr_from_the_first_byte_to_the_last(site: Path) -> None:
    add_predictors(site, "glass_one")
    settings = load_settings(predictor=("blind",), device="cpu", frame_stride=3)
    kinds = serve(settings)
    assert warm(kinds, settings) > 0
    predictor = load_predictor("blind", settings)
    assert predictor.predict([FRAME], BOX)[0].index == 0
    assert (predictor.device, predictor.slots) == ("cpu", 2)


@pytest.mark.parametrize(
    ("name", "error", "says"),
    [
        ("useless", BrokenPlugin, "cannot predict"),
        ("failing", BrokenPlugin, "OSError: no licence"),
        ("short", InferenceError, "0 results for"),
        ("angry", InferenceError, "KeyError"),
    ],
)
def test_a_bad_predictor_stops_the_start_and_is_named(
    site: Path, name: str, error: type[Exception], says: str
) -> None:
    add_predictors(site, f"glass_{name}")
    settings = load_settings(predictor=(name,), device="cpu")
    with pytest.raises(error, match=f"'{name}' .looking-glass 1.2") as caught:
        warm(serve(settings), settings)
    assert says in str(caught.value)


def test_a_kind_that_cannot_answer_stops_the_start(site: Path) -> None:
    add_kind(site, "chess-kind", "chess", "plugged_chess_four", KIND.format(name="chess"))
    settings = load_settings(served_kinds=("chess",))
    with pytest.raises(
        BrokenPlugin, match="kind 'chess' cannot answer a made-up clip with PREDICTOR=bundled"
    ):
        warm(serve(settings, lambda name, settings: Blindfold()), settings)
