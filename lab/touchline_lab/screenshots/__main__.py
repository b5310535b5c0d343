"""`python -m touchline_lab.screenshots FOLDER`: takes the pictures of docs/images."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from touchline_lab.screenshots.browser import take_pictures
from touchline_lab.screenshots.loaded_system import loaded_system


def main() -> int:
    """Take the pictures; 1 if something does not fit its window."""
    parser = argparse.ArgumentParser(prog="python -m touchline_lab.screenshots", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--challenges", type=int, default=50)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="touchline-screenshots-") as work,
        loaded_system(Path(work), options.challenges) as pages,
    ):
        problems = take_pictures(pages, options.folder)
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
