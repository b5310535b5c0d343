"""Real servers for tests: Valkey, the TLS + HTTP/2 origin, and Celery workers between them."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import redis

from services.processes.embedded_valkey import EmbeddedValkey
from services.processes.supervised import Listener, quiet
from tasks.worker_process import WorkerProcess
from touchline_lab.demo_origin.server import DemoOrigin

WORKER_START_S = 300.0
MakeWorker = Callable[..., WorkerProcess]


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[EmbeddedValkey]:
    """One Valkey for all tests that use `valkey`; ends with the test process, however that ends."""
    with EmbeddedValkey() as server:
        yield server


@pytest.fixture
def valkey(valkey_server: EmbeddedValkey) -> EmbeddedValkey:
    """A real, empty Valkey: `valkey.url`."""
    with redis.Redis.from_url(valkey_server.url) as client:
        client.flushall()
    return valkey_server


@pytest.fixture(scope="session")
def origin_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `origin` serves; tests may put files into it."""
    return tmp_path_factory.mktemp("origin")


@pytest.fixture(scope="session")
def origin(origin_folder: Path) -> Iterator[DemoOrigin]:
    """A TLS + HTTP/2 origin without set-up delays; its counts go on over all tests."""
    with DemoOrigin(origin_folder) as server:
        yield server


@pytest.fixture
def forgotten_connections() -> Iterator[None]:
    """Cancelled at some moments of its connecting, redis-py leaves a connection to the garbage collector."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@contextmanager
def warm_worker(
    redis_url: str, env: dict[str, str], name: str, listener: Listener = quiet
) -> Iterator[WorkerProcess]:
    """A real Celery worker that is ready to answer; its log lines go to `listener`."""
    with WorkerProcess(redis_url, env, listener, name) as worker:
        worker.wait_until_ready(WORKER_START_S)
        yield worker


def worker_env(origin: DemoOrigin, state_dir: Path) -> dict[str, str]:
    """The settings under which a worker takes clips from the origin and from nowhere else."""
    return {
        "CA_FILE": str(origin.ca_file),
        "ALLOW_PRIVATE_ADDRESSES": "1",
        # nothing but commas: no origin is kept warm
        "ORIGINS": ",",
        # a loaded machine answers late; further connections, which are tested apart, would be opened then
        "RANGE_MIN_RTT_MS": "10000",
        "REUSE_PROBE_S": "20",
        "STATE_DIR": str(state_dir),
        "LOG_LEVEL": "INFO",
    }


@pytest.fixture(scope="session")
def worker_valkey() -> Iterator[EmbeddedValkey]:
    """The Valkey of `worker`: never emptied, for that would take the worker's queues away."""
    with EmbeddedValkey() as server:
        yield server


@pytest.fixture(scope="session")
def worker(
    worker_valkey: EmbeddedValkey, origin: DemoOrigin, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WorkerProcess]:
    """A real Celery worker with warm models that fetches from `origin`; `worker.redis_url` is its Redis."""
    env = worker_env(origin, tmp_path_factory.mktemp("state"))
    with warm_worker(worker_valkey.url, env, "touchline-tests") as part:
        yield part


@pytest.fixture
def make_worker(valkey: EmbeddedValkey, origin: DemoOrigin, tmp_path: Path) -> Iterator[MakeWorker]:
    """Start further workers, on `valkey`, with settings of their own: `make_worker(TIME_BUDGET_S="1")`."""
    with ExitStack() as stack:

        def make(ready: bool = True, name: str = "touchline-own", **env: str) -> WorkerProcess:
            settings = worker_env(origin, tmp_path / f"state-{name}") | env
            part = stack.enter_context(WorkerProcess(valkey.url, settings, name=name))
            if ready:
                part.wait_until_ready(WORKER_START_S)
            return part

        yield make
