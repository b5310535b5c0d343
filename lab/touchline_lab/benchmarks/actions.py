"""Measures the rules of `soccer_action` on rendered play of which every pass is known.

    python -m touchline_lab.benchmarks.actions [--seeds 6] [--seconds 20]

The rules are applied to the ground truth, which measures the rules alone, and to the results of the predictor
that the setting `PREDICTOR` names. A clip takes about half a minute on two cores.
"""

from __future__ import annotations

import argparse

from services.inference.predictors import load_predictor
from services.settings import get_settings
from services.wire.private_track import FPS
from touchline_lab.evaluation.actions import InferredMatch, infer_match, score

FIRST_SEED = 2000
"""Seed of the first match; the others follow it. No training uses them."""
ACTIONS = ("pass", "pass_received", "interception", "recovery", "ball_out_of_play")
"""The actions that the rules find; recoveries do not occur in rendered play."""


def main() -> None:
    """Measure, and print one table as Markdown."""
    parser = argparse.ArgumentParser(
        prog="python -m touchline_lab.benchmarks.actions",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=20.0)
    options = parser.parse_args()
    settings = get_settings()
    predictor = load_predictor(settings.predictor_for("soccer_action"), settings)
    longer_side = settings.img_size_for("soccer_action")
    frames = round(options.seconds * FPS)
    clips = [
        infer_match(FIRST_SEED + i, frames, settings.frame_stride, longer_side, predictor)
        for i in range(options.seeds)
    ]
    print(
        "| rules applied to | action | correct | answered | true | precision | recall |\n"
        "|---|---|---|---|---|---|---|"
    )
    for source in ("truth", "models"):
        for name in ACTIONS:
            print(f"| {source} | {name} | {_row(clips, source, [name])} |")
        total = sum(score(clip, source).total for clip in clips) / len(clips)
        print(f"| {source} | all | {_row(clips, source, ACTIONS)} |\n\nscore with {source}: {total:.2f}\n")


def _row(clips: list[InferredMatch], source: str, names: list[str] | tuple[str, ...]) -> str:
    found = [score(clip, source, names) for clip in clips]
    right, given = sum(s.matched for s in found), sum(s.given for s in found)
    true = sum(s.expected for s in found)
    precision = f"{right / given:.2f}" if given else "-"
    return f"{right} | {given} | {true} | {precision} | {right / max(1, true):.2f}"


if __name__ == "__main__":
    main()
