"""Runs the demo: one clip, one worker, the same challenge twice, first cold, then warm."""

from __future__ import annotations

import tempfile
import time
import uuid
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from services.cli.console import waiting
from services.processes.embedded_valkey import EmbeddedValkey
from services.wire.gsr import GsrResponse, decode_response
from services.wire.reply import Answer
from tasks.worker_process import WorkerProcess
from touchline_lab.demo_origin.server import SEED_DELAYS, DemoOrigin, SetupDelays
from touchline_lab.evaluation.fingerprint import frames_fingerprint
from touchline_lab.renderer.clip_store import StoredClip

DELAYS = SEED_DELAYS
"""What every new connection to the demo origin costs."""


@dataclass(frozen=True, slots=True)
class Run:
    """One challenge of the demo.

    Attributes:
        answer: The answer, as the front end received it.
        seconds: Seconds from submission to answer, as the front end sees them.
        handshakes: TLS handshakes that the origin counted meanwhile.
        connections: TCP connections that the origin accepted meanwhile.
    """

    answer: Answer
    seconds: float
    handshakes: int
    connections: int

    def response(self) -> GsrResponse:
        """Decode the answer."""
        return decode_response(self.answer.body)

    def fingerprint(self) -> str:
        """The fingerprint of the frames of the answer: see `frames_fingerprint`."""
        return frames_fingerprint(self.answer.body)


@dataclass(frozen=True, slots=True)
class DemoResult:
    """Both challenges, the clip that they asked for, and the set-up delays of its origin."""

    clip: StoredClip
    cold: Run
    warm: Run
    delays: SetupDelays


def worker_settings(origin: DemoOrigin, state_dir: str) -> dict[str, str]:
    """Settings of the worker: only the demo origin is allowed, nothing is kept warm, no time budget."""
    return {
        "CA_FILE": str(origin.ca_file),
        "ALLOW_PRIVATE_ADDRESSES": "1",
        "ALLOWED_HOSTS": "127.0.0.1",
        # an empty list, but not an empty value, which counts as unset: no origin is kept warm
        "ORIGINS": ",",
        "USE_CONNECTION_POOL": "1",
        "CHUNKED_STREAMING": "1",
        "PARTIAL_DOWNLOAD": "0",
        "TIME_BUDGET_S": "0",
        "CONNECT_TIMEOUT_S": "15",
        "STALL_TIMEOUT_S": "15",
        "STATE_DIR": state_dir,
        "LOG_LEVEL": "INFO",
    }


def run_demo(clip: StoredClip, start_timeout_s: float, deadline_s: float) -> DemoResult:
    """Start everything, answer the clip cold and warm, and stop everything.

    Args:
        clip: The clip that both challenges ask for.
        start_timeout_s: Seconds that the worker may take to start.
        deadline_s: Seconds from each submission to its deadline.

    Raises:
        StartFailed: The origin, Valkey or the worker did not start.
        ChallengeError: A challenge failed.
    """
    with ExitStack() as stack:
        origin = stack.enter_context(DemoOrigin(clip.path.parent, DELAYS))
        valkey = stack.enter_context(EmbeddedValkey())
        state_dir = stack.enter_context(tempfile.TemporaryDirectory(prefix="touchline-demo-"))
        worker = stack.enter_context(WorkerProcess(valkey.url, worker_settings(origin, state_dir)))
        with waiting("starting Valkey, the origin and a worker (models are loaded and warmed)"):
            worker.wait_until_ready(start_timeout_s)
        url = origin.url(clip.path.name)
        cold = _challenge("cold challenge: the connection has to be opened", url, valkey, origin, deadline_s)
        warm = _challenge("warm challenge: the connection is there", url, valkey, origin, deadline_s)
        with waiting("stopping the worker, the origin and Valkey"):
            worker.stop()
    return DemoResult(clip, cold, warm, DELAYS)


def _challenge(text: str, url: str, valkey: EmbeddedValkey, origin: DemoOrigin, deadline_s: float) -> Run:
    from tasks.client import submit

    before = origin.stats()
    with waiting(text):
        started = time.perf_counter()
        submission = submit(
            url, challenge_id=f"demo-{uuid.uuid4().hex[:8]}", deadline_s=deadline_s, redis_url=valkey.url
        )
        answer = submission.wait()
        seconds = time.perf_counter() - started
    after = origin.stats()
    return Run(answer, seconds, after.handshakes - before.handshakes, after.connections - before.connections)


def save(result: DemoResult, folder: Path) -> list[Path]:
    """Write the warm answer and both timelines into a folder, which is made if it is missing.

    Returns:
        The files that were written.
    """
    import json

    folder.mkdir(parents=True, exist_ok=True)
    answer, timelines = folder / "answer.json", folder / "timeline.json"
    answer.write_bytes(result.warm.answer.body)
    data = {
        name: {
            "seconds": round(run.seconds, 4),
            "handshakes": run.handshakes,
            "connections": run.connections,
            "timeline": run.answer.timeline,
        }
        for name, run in (("cold", result.cold), ("warm", result.warm))
    }
    timelines.write_text(json.dumps(data, indent=2) + "\n")
    return [answer, timelines]
