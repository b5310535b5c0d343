"""`touchline evaluate --clip`: Score's keypoint score of an answer to any clip, without labels."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from services.cli.console import stdout, waiting

if TYPE_CHECKING:
    from touchline_lab.evaluation.painted_lines import Segments

MEANINGS = {
    "fit": "K: one homography of the template explains the keypoints",
    "lines": "L: keypoints are near painted lines",
    "inside": "I: people are on the pitch",
    "stability": "S: distances between keypoints stay within a shot",
    "plausibility": "P: players do not jump",
    "consistency": "keypoints do not jump from frame to frame",
    "scale": "keypoints are spread like people",
    "valid": "enough frames have a homography",
    "final": "(.25 K + .4 L + .2 I + .05 S + .1 P) * consistency * (scale + valid) / 2",
}
"""What each part of the score says."""


def evaluate_clip_command(clip: Path, answer: Path | None, as_json: bool) -> None:
    """Score an answer to a clip, or the answer that the models of the settings give.

    Raises:
        typer.BadParameter: The answer cannot be read, or has no frames.
    """
    from touchline_lab.evaluation.keypoint_score import keypoint_score

    body = _answered(clip) if answer is None else answer.read_bytes()
    try:
        frames = json.loads(body)["frames"]
    except (ValueError, KeyError, TypeError) as error:
        raise typer.BadParameter(f"{answer} is no answer of the kind gsr: {error}") from error
    if not frames:
        raise typer.BadParameter(f"{answer} has no frames")
    size, lines = _lines(clip, [frame["frame_number"] for frame in frames])
    with waiting("finding painted lines and scoring"):
        found = keypoint_score(frames, lines, size).to_dict()
    if as_json:
        print(json.dumps(found))
        return
    from rich.table import Table

    table = Table("part", "value", "meaning", title=f"Keypoint score of {clip.name}, {len(frames)} frames")
    for name, meaning in MEANINGS.items():
        table.add_row(name, f"{found[name]:.3f}", meaning)
    stdout().print(table)


def _answered(clip: Path) -> bytes:
    from services.inference.models import load_models
    from services.settings import get_settings
    from touchline_lab.evaluation.inferred_clip import answer_by_pipeline

    settings = get_settings()
    with waiting("answering the clip"):
        models = load_models(settings)
        models.warm(settings)
        return answer_by_pipeline(clip.read_bytes(), models, settings)


def _lines(clip: Path, numbers: list[int]) -> tuple[tuple[int, int], Iterator[Segments]]:
    """The picture's size, and the painted lines of the frames with these rising numbers."""
    import av

    from touchline_lab.evaluation.painted_lines import painted_lines

    with av.open(str(clip)) as container:
        stream = container.streams.video[0]
        size = stream.width, stream.height

    def found() -> Iterator[Segments]:
        wanted = iter(numbers)
        number = next(wanted, None)
        with av.open(str(clip)) as container:
            for index, picture in enumerate(container.decode(video=0)):
                if index == number:
                    image: Any = picture.to_ndarray(format="bgr24")
                    yield painted_lines(image)
                    number = next(wanted, None)

    return size, found()
