"""Whether the committed image is small enough for spot checks."""

from __future__ import annotations

import shutil
import subprocess
from typing import Any, Final

from services.chain.snapshot import ChainSnapshot
from services.preflight.finding import Finding, failed, ok, unknown

MAX_GB: Final = 30.0
"""GB that spot checks allow an image to have. They count compressed layers, which are smaller than what is
counted here."""
TIMEOUT_S: Final = 10.0
"""Seconds that Docker gets to answer."""
_NAME: Final = "image size"
_PARTS: Final = ("image_repo", "image_tag", "image_digest")


def check_image(snapshot: ChainSnapshot, image: str | None) -> Finding:
    """Look at the image in this machine's Docker.

    Args:
        snapshot: Its commitment names the image.
        image: Another name for it.
    """
    name = image or _committed(snapshot.commitment or {})
    if not name:
        return unknown(_NAME, "no image is named", "name it with --image REPOSITORY:TAG")
    docker = shutil.which("docker")
    if docker is None:
        return unknown(
            _NAME, "there is no docker command here", f"run `docker image inspect {name}` elsewhere"
        )
    command = [docker, "image", "inspect", "--format", "{{.Size}}", name]
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        return unknown(_NAME, "Docker does not answer", "check that its daemon runs")
    if ended.returncode:
        return unknown(_NAME, ended.stderr.strip()[:200], f"run `docker pull {name}` first")
    size = int(ended.stdout) / 1e9
    if size > MAX_GB:
        return failed(
            _NAME, f"{name} has {size:.1f} GB, {MAX_GB:g} are allowed", "leave out what is not needed"
        )
    return ok(_NAME, f"{name}, {size:.1f} GB")


def _committed(commitment: dict[str, Any]) -> str:
    """The image that a commitment names, by its digest if there is one: that is what is pulled."""
    repository, tag, digest = (str(commitment.get(name) or "") for name in _PARTS)
    if not repository:
        return ""
    return f"{repository}@{digest}" if digest else f"{repository}:{tag}"
