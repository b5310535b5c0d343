"""The Python of the README and of the front-end guide, run as it stands against a real worker."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from services.settings import get_settings
from services.wire.gsr import decode_response
from tasks.worker_process import WorkerProcess

pytestmark = pytest.mark.e2e
ROOT = Path(__file__).parents[2]


def python_blocks(page: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.S)


def answers_of(names: dict[str, Any], challenge_id: str, video_url: str) -> list[bytes]:
    """What an example's function gives: one that takes many addresses is given the same one twice."""
    if "challenges" in names:
        answers: list[bytes] = asyncio.run(names["challenges"]([video_url, video_url]))
        assert len(answers) == 2
        return answers
    return [asyncio.run(names["challenge"](challenge_id, video_url))]


@pytest.mark.parametrize(
    ("page", "number"),
    [
        (page, i)
        for page in ("README.md", "docs/guides/front-end.md")
        for i in range(len(python_blocks(page)))
    ],
)
def test_the_example_answers_a_challenge(
    page: str, number: int, worker: WorkerProcess, clip_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", worker.redis_url)
    get_settings.cache_clear()
    names: dict[str, Any] = {}
    try:
        exec(compile(python_blocks(page)[number], page, "exec"), names)  # noqa: S102 - our own documentation
        bodies = answers_of(names, f"{page}-{number}", clip_url)
    finally:
        get_settings.cache_clear()
    assert [len(decode_response(body).frames) for body in bodies] == [100] * len(bodies)


def test_there_are_examples() -> None:
    assert python_blocks("README.md")
    assert len(python_blocks("docs/guides/front-end.md")) == 3
