import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from services.cli.main import app
from tests.unit.lab.evaluation.clips import Knowing, tiny
from touchline_lab.cli import evaluate as command
from touchline_lab.evaluation.scene_set import SceneSet
from touchline_lab.evaluation.scenes import choose_scenes
from touchline_lab.renderer.clip import GroundTruth
from touchline_lab.renderer.conditions import SCENES
from touchline_lab.renderer.held_out import HELD_OUT


def test_numbers_are_sorted_and_counted_once() -> None:
    assert command.numbers("6, 1,3,1", "--strides", minimum=1, whole=True) == [1, 3, 6]
    assert command.numbers("0.5,2", "--budgets", minimum=0) == [0.5, 2]


@pytest.mark.parametrize("text", ["", "one", "1,-2", "0", "1.5", "nan", "inf"])
def test_what_is_no_stride_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="--strides"):
        command.numbers(text, "--strides", minimum=1, whole=True)


def test_scenes_by_name() -> None:
    assert [scene.name for scene in choose_scenes("all", None)] == [conditions.name for conditions in SCENES]
    (night,) = choose_scenes("night", 2.0)
    assert (night.name, night.seconds) == ("night", 2.0)
    with pytest.raises(ValueError, match="dawn.*night"):
        choose_scenes("night,dawn", None)


def test_the_held_out_scenes_are_another_set() -> None:
    held_out = SceneSet.HELD_OUT
    assert [scene.name for scene in choose_scenes("all", None, held_out)] == [
        conditions.name for conditions in HELD_OUT
    ]
    with pytest.raises(ValueError, match="night.*dusk"):
        choose_scenes("night", None, held_out)


def test_a_clip_without_its_truth_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"")
    result = CliRunner().invoke(app, ["evaluate", str(tmp_path / "a.mp4")])
    assert result.exit_code == 2
    assert "--truth" in result.output


def test_a_truth_that_is_none_is_refused(tmp_path: Path) -> None:
    clip, truth = tmp_path / "a.mp4", tmp_path / "a.json"
    clip.write_bytes(b"")
    truth.write_text('{"frames": 3}')
    with pytest.raises(typer.BadParameter, match="no ground truth"):
        command.own_material(clip, truth)


def test_an_own_clip_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, known = tiny(tmp_path)
    known.truth.save(tmp_path / "tiny.json")

    class Ready(Knowing):
        def warm(self, settings: object) -> float:
            return 0.0

    monkeypatch.setattr("services.inference.models.load_models", lambda _: Ready(known.truth))
    arguments = ["evaluate", str(tmp_path / "tiny.mp4"), "--truth", str(tmp_path / "tiny.json")]
    arguments += ["--strides", "1,6", "--json", "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    data = json.loads(result.stdout)
    assert [row["stride"] for row in data["rows"]] == [1, 6]
    assert data["rows"][0]["idf1"] is None  # this truth does not say who is who
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "accuracy.json",
        "accuracy.md",
        "accuracy.svg",
    ]
    assert GroundTruth.load(tmp_path / "tiny.json") == known.truth
