"""Workers, Flower and the gateway with a number of mixed challenges behind them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from services.errors import ChallengeError, StartFailed
from services.pipeline.warm import noise_clip
from services.processes.embedded_valkey import free_port
from services.processes.supervised import SupervisedProcess
from tasks.client import submit
from tasks.worker_process import command
from touchline_lab.reliability.rig import Rig
from touchline_lab.reliability.traffic import Request, hostile_files, mixed
from touchline_lab.screenshots.flower_table import task_rows

START_S: Final = 240.0
"""Seconds that Flower or the gateway may take until they answer."""
CALLERS: Final = 4
"""Challenges at a time."""
GOOD_SHARE: Final = 0.7
"""Share of the challenges that can be answered."""


@dataclass(frozen=True, slots=True)
class Pages:
    """Where the pages are.

    Attributes:
        flower: Address of Flower.
        status: Address of the gateway, whose first page is the status page.
        answered: Task ids of the challenges that were answered.
    """

    flower: str
    status: str
    answered: tuple[str, ...]


@contextmanager
def loaded_system(folder: Path, challenges: int) -> Iterator[Pages]:
    """Start everything, send the challenges, and keep it running.

    Args:
        folder: For its files.
        challenges: Number of challenges.
    """
    files = hostile_files(noise_clip())
    with Rig(folder, 2, env={"PREDICTOR": "bundled"}, files=files) as rig, ExitStack() as stack:

        def serve(name: str, health: str, **env: str) -> str:
            port = free_port()
            words = command(name, "--port", str(port))
            part = stack.enter_context(SupervisedProcess(name, words, {"REDIS_URL": rig.valkey.url, **env}))
            _wait_for(f"http://127.0.0.1:{port}{health}", part)
            return f"http://127.0.0.1:{port}"

        flower = serve("flower", "/healthcheck")
        # only its first page is looked at: nobody sends it challenges
        gateway = {"GATEWAY_HOST": "127.0.0.1", "VERIFY_ENABLED": "0", "BLACKLIST_ENABLED": "0"}
        status = serve("gateway", "/healthz", **gateway)
        _wait_until_listening(flower, rig)
        with ThreadPoolExecutor(CALLERS) as callers:
            requests = mixed(rig, challenges, seed=1, good_share=GOOD_SHARE)
            tokens = list(callers.map(lambda request: _ask(rig, request), requests))
        yield Pages(flower, status, tuple(token for token in tokens if token))


def _ask(rig: Rig, request: Request) -> str:
    """Submit a challenge and wait; the task's id if it was answered."""
    submission = submit(
        request.url,
        challenge_id=request.challenge_id,
        redis_url=rig.valkey.url,
        deadline_s=request.deadline_s,
    )
    try:
        submission.wait()
    except ChallengeError:
        return ""
    return submission.token


def _wait_for(url: str, part: SupervisedProcess) -> None:
    end = time.monotonic() + START_S
    while True:
        part.check()
        try:
            if httpx.get(url, trust_env=False).status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass
        if time.monotonic() > end:
            raise StartFailed(f"{url} did not answer within {START_S:.0f} s:\n{part.tail()}")
        time.sleep(0.1)


def _wait_until_listening(flower: str, rig: Rig) -> None:
    """Send challenges until Flower shows one: it answers before it listens to events."""
    end = time.monotonic() + START_S
    number = 0
    with httpx.Client(base_url=flower, trust_env=False) as client:
        while time.monotonic() < end:
            number += 1
            submit(rig.url(), challenge_id=f"first-{number}", redis_url=rig.valkey.url, deadline_s=60).wait()
            if task_rows(client):
                return
            time.sleep(0.2)
    raise StartFailed(f"Flower saw no challenge within {START_S:.0f} s")
