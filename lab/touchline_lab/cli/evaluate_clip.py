"""`touchline evaluate --clip`: Score's keypoint score of an answer to any clip, without labels."""

from __future__ import annotations

import json
from pathlib import Path

import typer

from services.cli.console import stdout, waiting

MEANINGS = {
    "fit": "K: one homography of the template explains the keypoints",
    "lines": "L: keypoints are near painted lines",
    "inside": "I: people are on the pitch",
    "stability": "S: distances between keypoints stay within a shot",
    "plausibility": "P: players do not jump",
    "consistency": "keypoints do not jump from one frame asked about to the next",
    "scale": "keypoints are spread like people",
    "valid": "enough frames have a homography",
    "final": "(.25 K + .4 L + .2 I + .05 S + .1 P) * consistency * (scale + valid) / 2; 0 where L is .00",
}
"""What each part of the score says."""


def evaluate_clip_command(clip: Path, answer: Path | None, frames: str, as_json: bool) -> None:
    """Score an answer to a clip, or the answer that the models of the settings give.

    Args:
        clip: The clip.
        answer: The answer, as JSON.
        frames: `START:STOP`, the frames that are asked about.
        as_json: One JSON object on standard output.

    Raises:
        typer.BadParameter: The answer is not JSON, the clip cannot be read, or no frame is asked about.
    """
    from touchline_lab.evaluation.clip_score import parse_frames, score_clip

    try:
        asked = parse_frames(frames)
    except ValueError as error:
        raise typer.BadParameter(f"--frames: {error}") from error
    body = _answered(clip) if answer is None else answer.read_bytes()
    try:
        with waiting("finding painted lines and scoring"):
            score = score_clip(clip, json.loads(body), asked)
    except ValueError as error:
        # of JSON, too; NotScorable is one
        raise typer.BadParameter(f"{answer}: {error}") from error
    found = score.to_dict()
    if as_json:
        print(json.dumps(found))
        return
    from rich.table import Table

    table = Table("part", "value", "meaning", title=f"Keypoint score of {clip.name}, {score.frames} frames")
    for name, meaning in MEANINGS.items():
        table.add_row(name, f"{found[name]:.3f}", meaning)
    console = stdout()
    console.print(table)
    if score.reason:
        console.print(f"scores 0: {score.reason}", markup=False)


def _answered(clip: Path) -> bytes:
    from services.inference.models import load_models
    from services.settings import get_settings
    from touchline_lab.evaluation.inferred_clip import answer_by_pipeline

    settings = get_settings()
    with waiting("answering the clip"):
        models = load_models(settings)
        models.warm(settings)
        return answer_by_pipeline(clip.read_bytes(), models, settings)
