"""A running system whose parts can be killed: Valkey, workers with the faulty predictor, two origins."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import redis

from services.errors import ChallengeError, StartFailed
from services.pipeline.warm import noise_clip
from services.processes.embedded_valkey import EmbeddedValkey
from services.processes.supervised import Listener, quiet
from services.wire.reply import CLAIM_PREFIX, Answer
from tasks.client import Submission, submit
from tasks.worker_process import WorkerProcess
from touchline_lab.demo_origin.server import DemoOrigin
from touchline_lab.demo_origin.setup_delay import SetupDelays
from touchline_lab.reliability.faulty_predictor import Fault, set_fault

START_S: Final = 120.0
"""Seconds that a worker may take until it is ready."""
SLOW_SETUP: Final = SetupDelays(tls=4.0)
"""Of the origin whose connections take long to set up."""
SLOW_IDLE_S: Final = 0.5
"""Seconds after which it closes them, so that the next challenge has to set one up again."""
_CLIP: Final = "clip.mp4"


class Caller(threading.Thread):
    """Waits for the outcome of one challenge.

    Attributes:
        answer: The answer, if there was one.
        error: The typed error, if there was one.
        ended: When, by `time.monotonic`; 0 while it waits.
    """

    def __init__(self, submission: Submission) -> None:
        super().__init__(daemon=True, name=f"caller-{submission.challenge_id}")
        self.submission = submission
        self.answer: Answer | None = None
        self.error: ChallengeError | None = None
        self.ended = 0.0
        self.start()

    def run(self) -> None:
        """Wait."""
        try:
            self.answer = self.submission.wait()
        except ChallengeError as error:
            self.error = error
        self.ended = time.monotonic()

    @property
    def outcome(self) -> str:
        """In a word: `answer`, or the error's type."""
        if self.error is not None:
            return type(self.error).__name__
        return "answer" if self.answer is not None else "nothing"


class Rig:
    """The system; a context manager.

    Args:
        folder: For its files.
        workers: Number of workers, each with one child.
        keeps_data: Whether Valkey has its data again after a restart.
        env: Further settings of the workers.
        listener: Gets the workers' log lines.
        files: Further files of the origins, by name.
    """

    def __init__(
        self,
        folder: Path,
        workers: int,
        *,
        keeps_data: bool = False,
        env: Mapping[str, str] | None = None,
        listener: Listener = quiet,
        files: Mapping[str, bytes] | None = None,
    ) -> None:
        self.folder = folder
        data = folder / "valkey"
        data.mkdir(parents=True)
        self.valkey = EmbeddedValkey(folder=data if keeps_data else None)
        self.clip = noise_clip()
        served = folder / "origin"
        served.mkdir()
        for name, content in {_CLIP: self.clip, **(files or {})}.items():
            (served / name).write_bytes(content)
        self.origin = DemoOrigin(served)
        self.slow_origin = DemoOrigin(served, SLOW_SETUP, keep_alive_s=SLOW_IDLE_S)
        self.workers: list[WorkerProcess] = []
        self._count = workers
        self._env = env or {}
        self._listener = listener
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        for part in (self.valkey, self.origin, self.slow_origin):
            self._stack.enter_context(part)
        pems = [origin.ca_file.read_text() for origin in (self.origin, self.slow_origin)]
        (self.folder / "ca.pem").write_text("".join(pems))
        self.workers = [self._worker(number) for number in range(self._count)]
        for worker in self.workers:
            worker.start()
        for worker in self.workers:
            worker.wait_until_ready(START_S)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # one that was stopped cannot end
        for worker in self.workers:
            for pid in descendants(worker.pid):
                send(pid, signal.SIGCONT)
            worker.request_stop()
        for worker in self.workers:
            worker.stop()
        self._stack.close()

    def url(self, query: str = "", *, slow_setup: bool = False, file: str = _CLIP) -> str:
        """The address of the clip, or of another file."""
        origin = self.slow_origin if slow_setup else self.origin
        return origin.url(file) + (f"?{query}" if query else "")

    def submit(self, challenge_id: str, url: str, deadline_s: float) -> Caller:
        """Submit a challenge and wait for it in a thread."""
        redis_url = self.valkey.url
        return Caller(submit(url, challenge_id=challenge_id, redis_url=redis_url, deadline_s=deadline_s))

    def holder(self, challenge_id: str) -> int:
        """The child that works on a challenge; 0: none does, or Valkey is away."""
        try:
            with redis.Redis.from_url(self.valkey.url, socket_timeout=1.0) as connection:
                found = connection.get(CLAIM_PREFIX + challenge_id)
        except redis.exceptions.RedisError:
            return 0
        return int(found.decode().rpartition(" ")[2]) if isinstance(found, bytes) else 0

    def set_fault(self, fault: Fault) -> None:
        """Let the predictors of all workers fail."""
        for number in range(self._count):
            set_fault(self._state(number), fault)

    def kill_valkey(self) -> None:
        """Kill Valkey; `restart_valkey` brings it back on the same port."""
        assert self.valkey.part is not None
        for pid in descendants(self.valkey.part.pid):
            send(pid, signal.SIGKILL)
        self.valkey.part.wait()

    def restart_valkey(self) -> None:
        """Start it again where it was."""
        self.valkey.restart()

    def worker_of(self, pid: int) -> WorkerProcess:
        """The worker that a child belongs to."""
        return next(worker for worker in self.workers if pid in descendants(worker.pid))

    def replace(self, worker: WorkerProcess) -> None:
        """Start a worker again that has ended, as whatever supervises it would."""
        worker.stop()
        number = self.workers.index(worker)
        self.workers[number] = self._worker(number)
        self.workers[number].start()

    def wait_until_ready(self) -> None:
        """Wait until all workers answer a ping.

        Raises:
            StartFailed: One does not.
        """
        for worker in self.workers:
            if worker.exit_code is not None:
                raise StartFailed(f"the worker ended:\n{worker.tail()}")
            worker.wait_until_ready(START_S)

    def _state(self, number: int) -> Path:
        return self.folder / f"state-{number}"

    def _worker(self, number: int) -> WorkerProcess:
        self._state(number).mkdir(exist_ok=True)
        env = {
            "PREDICTOR": "faulty",
            "CA_FILE": str(self.folder / "ca.pem"),
            "ALLOW_PRIVATE_ADDRESSES": "1",
            # nothing but commas: no origin is kept warm
            "ORIGINS": ",",
            "STATE_DIR": str(self._state(number)),
            "SERVED_KINDS": "gsr",
            "DISABLE_TRACKING": "1",
            "SKIP_PITCH": "1",
        }
        return WorkerProcess(self.valkey.url, {**env, **self._env}, self._listener, f"touchline-rig-{number}")


def descendants(pid: int) -> list[int]:
    """All processes below one, the nearest first."""
    found: list[int] = []
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return found
    for task in tasks:
        try:
            below = [int(word) for word in (task / "children").read_text().split()]
        except OSError:
            continue
        for child in below:
            found += [child, *descendants(child)]
    return found


def parent_of(pid: int) -> int:
    """The parent of a process."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def send(pid: int, which: signal.Signals) -> None:
    """Send a signal to a process that may have ended meanwhile."""
    try:
        os.kill(pid, which)
    except ProcessLookupError:
        return
