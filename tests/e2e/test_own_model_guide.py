"""The guide to models of one's own: its Python makes a model, and its commands are run in a shell."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.hub import hub_file
from touchline_lab.demo_origin.server import DemoOrigin
from touchline_lab.renderer.clip_store import StoredClip

pytestmark = pytest.mark.e2e
ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/guides/bring-your-own-model.md").read_text()
COMMANDS = re.findall(r"^ {4}(\S.*)$", PAGE, re.M)
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, clip_4s: StoredClip) -> Path:
    """A folder with the guide's model, a hub that has it too, a clip, and the commands of the environment."""
    folder = tmp_path_factory.mktemp("guide")
    (block,) = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    subprocess.run([sys.executable, "-c", block], cwd=folder, check=True, capture_output=True)
    hub = folder / "hub" / "owner/repo/resolve" / COMMIT
    hub.mkdir(parents=True)
    shutil.copyfile(folder / "mine.pt", hub / "mine.pt")
    (folder / "bin").mkdir()
    weights = ROOT / "services" / "inference" / "weights" / "touchline-detect-rendered.pt"
    shutil.copyfile(weights, folder / "COCO_MODEL.pt")
    shutil.copyfile(clip_4s.path, folder / "CLIP")
    for name, words in (("touchline", "-m services.cli.main "), ("python", "")):
        script = folder / "bin" / name
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" {words}"$@"\n')
        script.chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def said(folder: Path) -> dict[str, str]:
    """What each command printed."""
    found = {}
    with DemoOrigin(folder / "hub") as hub:
        model = (folder / "mine.pt").read_bytes()
        hub.set_fault(f"owner/repo/resolve/{COMMIT}/mine.pt", hub_file(model, COMMIT))
        env = os.environ | {
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "MODEL_CACHE_DIR": str(folder / "cache"),
            "HF_ENDPOINT": hub.base_url,
            "CA_FILE": str(hub.ca_file),
            "DEVICE": "cpu",
            "COLUMNS": "160",  # the table of models is wider than a narrow terminal
        }
        for command in COMMANDS:
            done = subprocess.run(
                ["sh", "-c", command], cwd=folder, env=env, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"{command}\n{done.stderr}"
            found[command] = done.stdout
    return found


def test_there_are_commands() -> None:
    assert [
        command.split("touchline ")[-1].split()[:2] for command in COMMANDS if "touchline " in command
    ] == [
        ["models", "check"],
        ["models"],
        ["models", "fetch"],
        ["models", "check"],
    ]


def test_the_commands_do_what_the_guide_says(said: dict[str, str], folder: Path) -> None:
    summed, checked, listed, fetched, in_torch, compared = (said[command] for command in COMMANDS)
    checksum = summed.split()[0]
    assert "classes  ball (32), player (0)" in checked
    assert "runtime  openvino: exported from it" in checked
    assert checksum in checked
    assert "set      DETECTOR_MODEL=mine.pt" in checked
    assert "touchline" in listed
    (kept,) = (folder / "cache" / "hub").rglob(f"snapshots/{COMMIT}/mine.pt")
    assert str(kept) in fetched.replace("\n", "")
    assert kept.read_bytes() == (folder / "mine.pt").read_bytes()
    assert "recall" in compared
    assert "runtime  torch: RUNTIME=torch" in in_torch
