"""A running system whose parts can be killed: Valkey, workers with the faulty predictor, two origins."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import redis

from services.errors import StartFailed
from services.pipeline.warm import noise_clip
from services.processes.embedded_valkey import EmbeddedValkey
from services.processes.process_tree import descendants, send_signal
from services.processes.supervised import Listener, quiet
from services.settings import load_settings
from services.wire.reply import CLAIM_PREFIX
from tasks.child_report import ChildReport
from tasks.worker_process import WorkerProcess
from tasks.worker_reports import worker_reports
from touchline_lab.demo_origin.server import DemoOrigin
from touchline_lab.demo_origin.setup_delay import SetupDelays
from touchline_lab.reliability.caller import Caller, submit_in_thread
from touchline_lab.reliability.faulty_predictor import Fault, set_fault
from touchline_lab.reliability.gateway import GatewayProcess, HttpCaller

START_S: Final = 240.0
"""Seconds that a worker may take until it is ready."""
SLOW_SETUP: Final = SetupDelays(tls=4.0)
"""Of the origin whose connections take long to set up."""
SLOW_IDLE_S: Final = 0.5
"""Seconds after which it closes them, so that the next challenge has to set one up again."""
_CLIP: Final = "clip.mp4"


class Rig:
    """The system; a context manager.

    Args:
        folder: For its files.
        workers: Number of workers, each with one child.
        keeps_data: Whether Valkey has its data again after a restart.
        env: Further settings of the workers.
        listener: Gets the workers' log lines.
        files: Further files of the origins, by name.
        through_gateway: Whether challenges are submitted through a gateway, over HTTP.
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
        through_gateway: bool = False,
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
        self.gateway: GatewayProcess | None = None
        self._through_gateway = through_gateway
        self._count = workers
        self._env = env or {}
        self._listener = listener
        self._stack = ExitStack()
        self._under_way: list[threading.Thread] = []

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
        if self._through_gateway:
            self.gateway = self._stack.enter_context(GatewayProcess(self.valkey.url, self._listener))
            self.gateway.wait_until_ready()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for thread in self._under_way:
            thread.join()
        # one that was stopped cannot end
        for worker in self.workers:
            for pid in descendants(worker.pid):
                send_signal(pid, signal.SIGCONT)
            worker.request_stop()
        for worker in self.workers:
            worker.stop()
        self._stack.close()

    def url(self, query: str = "", *, slow_setup: bool = False, file: str = _CLIP) -> str:
        """The address of the clip, or of another file."""
        origin = self.slow_origin if slow_setup else self.origin
        return origin.url(file) + (f"?{query}" if query else "")

    def submit(self, challenge_id: str, url: str, deadline_s: float) -> Caller | HttpCaller:
        """Submit a challenge and wait for it in a thread."""
        if self.gateway is not None:
            return HttpCaller(self.gateway.url, challenge_id, url, deadline_s)
        return submit_in_thread(url, self.valkey.url, challenge_id, deadline_s)

    def holder(self, challenge_id: str) -> int:
        """The child that works on a challenge; 0: none does, or Valkey is away."""
        try:
            with redis.Redis.from_url(self.valkey.url, socket_timeout=1.0) as connection:
                found = connection.get(CLAIM_PREFIX + challenge_id)
        except redis.exceptions.RedisError:
            return 0
        return int(found.decode().rpartition(" ")[2]) if isinstance(found, bytes) else 0

    def pause_writes(self, seconds: float) -> None:
        """Let Valkey hold back every command that writes."""
        with redis.Redis.from_url(self.valkey.url) as connection:
            connection.client_pause(int(seconds * 1000), all=False)

    def set_fault(self, fault: Fault) -> None:
        """Let the predictors of all workers fail."""
        for number in range(self._count):
            set_fault(self._state(number), fault)

    def kill_valkey(self) -> None:
        """Kill Valkey; `restart_valkey` brings it back on the same port."""
        assert self.valkey.part is not None
        self.valkey.part.kill()

    def restart_valkey(self) -> None:
        """Start it again where it was."""
        self.valkey.restart()

    def later(self, what: Callable[[], None]) -> None:
        """Do something in a thread, which the end of the system waits for."""
        thread = threading.Thread(target=what, daemon=True)
        self._under_way.append(thread)
        thread.start()

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
        """Wait until the child of every worker is ready: a parent answers a ping before.

        Raises:
            StartFailed: One is not in time.
        """
        settings = load_settings(redis_url=self.valkey.url)
        end = time.monotonic() + START_S
        while True:
            for worker in self.workers:
                worker.check()
            reports = worker_reports(settings)
            late = [worker.node for worker in self.workers if not _is_ready(reports.get(worker.node, []))]
            if not late:
                return
            if time.monotonic() > end:
                raise StartFailed(f"not ready within {START_S:.0f} s: {', '.join(late)}")

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


def _is_ready(children: list[ChildReport]) -> bool:
    return bool(children) and all(child.state == "ready" for child in children)
