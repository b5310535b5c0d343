from __future__ import annotations

from pathlib import Path

import pytest

from services.chain.snapshot import ChainSnapshot
from services.preflight.finding import Finding
from services.preflight.image import check_image

COMMITMENT = {"image_repo": "ghcr.io/someone/touchline", "image_tag": "1.0"}


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `docker` that knows one image of 6.3 GB, and writes down what it was asked."""
    script = tmp_path / "docker"
    script.write_text(
        f'#!/bin/sh\nfor last; do :; done\necho "$last" >{tmp_path}/asked\n'
        'case "$last" in *huge*) echo 31000000000 ;; *touchline*) echo 6300000000 ;; '
        '*) echo "No such image: $last" >&2; exit 1 ;; esac\n'
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return tmp_path


def checked(image: str | None = None, **commitment: str) -> Finding:
    return check_image(ChainSnapshot(commitment=COMMITMENT | commitment), image)


def test_the_committed_image_is_looked_at(docker: Path) -> None:
    found = checked()
    assert (found.state, "6.3 GB" in found.text) == ("ok", True)
    assert (docker / "asked").read_text().strip() == "ghcr.io/someone/touchline:1.0"


def test_a_digest_says_more_than_a_tag(docker: Path) -> None:
    checked(image_digest="sha256:" + "ab" * 32)
    assert (docker / "asked").read_text().strip() == "ghcr.io/someone/touchline@sha256:" + "ab" * 32


def test_an_image_above_the_limit_fails(docker: Path) -> None:
    found = checked(image="huge:1")
    assert (found.state, "31.0 GB" in found.text) == ("failed", True)


def test_an_image_that_is_not_here_cannot_be_checked(docker: Path) -> None:
    found = checked(image="other:1")
    assert (found.state, "No such image" in found.text) == ("unknown", True)
    assert "docker pull other:1" in found.advice


def test_without_a_name_or_docker_nothing_can_be_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_image(ChainSnapshot(), None).state == "unknown"
    monkeypatch.setenv("PATH", "/nowhere")
    assert "no docker" in checked().text
