"""Accuracy of the bundled models by scene, stride and budget, into bench-out/accuracy.

    python -m touchline_lab.benchmarks.accuracy [--scenes day,night ...]

Takes the options of `touchline evaluate`, which is what it runs; about two minutes on two cores once the
scenes are rendered.
"""

import sys

import typer

from touchline_lab.cli.evaluate import evaluate

OUT = "bench-out/accuracy"


def main() -> None:
    """Run `touchline evaluate` with a folder of the touchline_lab.benchmarks."""
    app = typer.Typer(add_completion=False)
    app.command()(evaluate)
    given = sys.argv[1:]
    app(given if "--out" in given else ["--out", OUT, *given])


if __name__ == "__main__":
    main()
