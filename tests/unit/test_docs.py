"""What README and docs name exists: errors, links, targets, commands, settings; their Python compiles."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer.main

from services.cli.main import app
from services.download.download import State
from services.errors import ERROR_TYPES
from services.settings import Settings
from services.settings.messages import variable_name

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        *(ROOT / "docs").rglob("*.md"),
        *ROOT.glob("[a-z]*/README.md"),
    ]
)
DOCKERS_OWN = {
    "ACCEL",
    "COMPOSE_PROFILES",
    "MODELS_DIR",
    "METAGRAPH_DIR",
    "GATEWAY_ADDRESS",
    "CERTS_DIR",
    "REDIS_PASSWORD",
    "REDIS_PORT",
    "TORCH_INDEX",
    "TORCH",
    "ALERT_WEBHOOK_URL",
    "ALERT_DISCORD_URL",
    "ALERT_TELEGRAM_TOKEN",
    "ALERT_TELEGRAM_CHAT",
    "GRAFANA_PASSWORD",
    "GRAFANA_PORT",
    "PROMETHEUS_PORT",
}
LAB = ROOT / "lab"
COMMAND = re.compile(r"(?:`|^ *)(?:[A-Z_]+=\S+ )*(?:\.venv/bin/)?(touchline|python -m) ([^`#\n]+)", re.M)
"""A command in the text or at the beginning of a line, after settings: the program, and its words."""
OTHERS = {
    "HTTP",
    "MP4",
    "URL",
    "JSON",
    "TLS",
    "GPU",
    "CPU",
    "AGPL",
    "RST_STREAM",
    "CUDA",
    "HEVC",
    "SSL_CERT_FILE",
    "OTEL_RESOURCE_ATTRIBUTES",
    "OTEL_TRACES_SAMPLER",
}


def page_id(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_every_error_is_documented() -> None:
    text = (ROOT / "docs/reference/errors.md").read_text()
    documented = set(re.findall(r"`(?:services\.errors\.)?(\w+)`", text))
    assert set(ERROR_TYPES) <= documented


@pytest.mark.parametrize("path", PAGES, ids=page_id)
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", path.read_text()):
        if not target.startswith(("http://", "https://")):
            assert (path.parent / target).exists(), target


@pytest.mark.parametrize("path", PAGES, ids=page_id)
def test_named_files_exist(path: Path) -> None:
    roots = (
        "services/",
        "tasks/",
        "tests/",
        "lab/",
        "compose/",
        "docs/",
        "requirements/",
    )
    for name in re.findall(r"`([\w./-]+\.(?:py|md|yml|yaml|conf|pt|sh))`", path.read_text()):
        if name.startswith(roots):
            assert (ROOT / name).exists(), name


@pytest.mark.parametrize("path", PAGES, ids=page_id)
def test_commands_exist(path: Path) -> None:
    text = path.read_text()
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    for target in re.findall(r"(?:`|^ {4})make ([a-z]+)\b", text, re.M):
        assert target in targets, f"make {target}"
    for command in re.findall(r"(?:`|^ {4})(?:\.venv/bin/)?touchline ([a-z]+)\b", text, re.M):
        assert command in commands().commands, f"touchline {command}"


@pytest.mark.parametrize("path", [*PAGES, *sorted(LAB.rglob("*.py"))], ids=page_id)
def test_options_and_modules_exist(path: Path) -> None:
    for program, words in COMMAND.findall(path.read_text()):
        named = re.findall(r"(?<!\S)\[?(--[a-z][a-z-]*)", words)
        if program == "touchline":
            known = set(options_of(commands(), words.split()))
        else:
            known = set(re.findall(r'"(--[a-z-]+)"', source_of(words.split()[0])))
        assert set(named) <= known, f"{program} {words}"


@cache
def commands() -> Any:
    """The group of all commands of `touchline`."""
    return typer.main.get_command(app)


def options_of(command: Any, words: list[str]) -> Iterator[str]:
    """The options of a command of `touchline`; of a group's command those of both."""
    for parameter in command.params:
        yield from (*parameter.opts, *parameter.secondary_opts)
    inner = getattr(command, "commands", {}).get(words[0] if words else "")
    if inner is not None:
        yield from options_of(inner, words[1:])


@cache
def source_of(module: str) -> str:
    """The source of a module that is run with `python -m`."""
    path = (LAB if module.startswith("touchline_lab") else ROOT) / module.replace(".", "/")
    found = path.with_suffix(".py")
    return (found if found.is_file() else path / "__main__.py").read_text()


@pytest.mark.parametrize("path", PAGES, ids=page_id)
def test_settings_exist(path: Path) -> None:
    known = {variable_name(field) for field in Settings.model_fields} | DOCKERS_OWN | OTHERS
    known |= {state.name for state in State}  # of a download
    named = set(re.findall(r"`([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)(?:=[^`]*)?`", path.read_text()))
    assert named <= known, named - known


@pytest.mark.parametrize("path", PAGES, ids=page_id)
def test_python_compiles(path: Path) -> None:
    for block in re.findall(r"```python\n(.*?)```", path.read_text(), re.S):
        compile(block, page_id(path), "exec")
