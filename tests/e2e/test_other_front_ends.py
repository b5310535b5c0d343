"""The examples of front ends that are not Python, run as they stand against a real worker."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from services.wire.gsr import decode_response
from tasks.worker_process import WorkerProcess

pytestmark = pytest.mark.e2e
EXAMPLES = Path(__file__).parents[2] / "docs" / "examples" / "front-ends"


def command(name: str) -> list[str]:
    """How an example is run here; the test is skipped where its only requirement is missing."""
    if name.endswith(".mjs"):
        needed, words = "node", ["node", str(EXAMPLES / name)]
    else:
        needed = "redis-cli" if shutil.which("redis-cli") else "valkey-cli"
        words = ["env", f"CLI={needed}", "sh", str(EXAMPLES / name)]
    if shutil.which(needed) is None:
        pytest.skip(f"{needed} is not installed")
    return words


@pytest.mark.parametrize("name", ["submit.mjs", "submit.sh"])
def test_an_example_gets_the_answer_and_the_reason_of_a_failure(
    name: str, worker: WorkerProcess, clip_url: str
) -> None:
    words = [*command(name), worker.redis_url]
    done = subprocess.run([*words, clip_url], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(decode_response(done.stdout).frames) == 100
    failed = subprocess.run([*words, clip_url.replace("clip", "missing")], capture_output=True, check=False)
    assert failed.returncode == 1
    assert b"SourceRejected" in failed.stderr
