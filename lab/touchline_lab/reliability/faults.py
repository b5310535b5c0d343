"""What is done to a running challenge, and where it stands when it is done."""

from __future__ import annotations

import resource
import signal
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final, Literal

from services.processes.process_tree import descendants, parent_of, send_signal
from touchline_lab.reliability import faulty_predictor
from touchline_lab.reliability.caller import Caller
from touchline_lab.reliability.gateway import HttpCaller
from touchline_lab.reliability.rig import Rig

Stage = Literal["queued", "connecting", "downloading", "inferring", "encoding", "publishing"]
STAGES: Final[tuple[Stage, ...]] = (
    "queued",
    "connecting",
    "downloading",
    "inferring",
    "encoding",
    "publishing",
)
DEADLINE_S: Final = 30.0
"""Of the challenges."""
DOWNLOAD_S: Final = 4.0
"""Seconds that a slow download takes."""
STOPPED_S: Final = 6.0
"""Seconds for which a process is stopped."""
_INTO_S: Final = 0.7
"""Seconds after a child has taken the challenge when it stands in the stage for certain."""
_PAUSED_S: Final = 2.5
"""Seconds for which Valkey holds back the reply of a challenge that stands in publishing."""
_TAKEN_S: Final = 20.0
"""Seconds within which a child has to take the challenge."""


@dataclass(frozen=True, slots=True)
class Running:
    """A challenge that stands in a stage.

    Attributes:
        rig: The system.
        caller: Waits for it.
        child: The process that works on it, or on the one before it in the queue.
    """

    rig: Rig
    caller: Caller | HttpCaller
    child: int


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is done to a system.

    Attributes:
        name: What is done, in words.
        workers: Number of workers that it is done to.
        do: Does it; what it leaves behind for later (bringing a part back) it does by itself.
        stages: Where a challenge may stand meanwhile.
        keeps_data: Whether Valkey has its data again after a restart.
        before: A fault of the predictors that is set before the challenge is submitted.
        spare_children: Warm children of each worker beyond the one that works.
        through_gateway: Whether the challenge is submitted through a gateway.
        quick: Whether it belongs to the quick half.
    """

    name: str
    workers: int
    do: Callable[[Running], None]
    stages: tuple[Stage, ...] = STAGES
    keeps_data: bool = False
    before: faulty_predictor.Fault = ""
    spare_children: int = 0
    through_gateway: bool = False
    quick: bool = False


def reach(rig: Rig, stage: Stage, challenge_id: str, before: faulty_predictor.Fault) -> Running:
    """Submit a challenge and wait until it stands in a stage."""
    slow_download = f"no_range=1&rate={len(rig.clip) / DOWNLOAD_S:.0f}&of={challenge_id}"
    holder = challenge_id
    rig.set_fault(before)
    if stage == "queued":
        # every worker has one that takes long, and the challenge waits behind them
        ahead = [
            rig.submit(f"{challenge_id}-ahead-{n}", rig.url(f"{slow_download}-{n}"), DEADLINE_S)
            for n in range(len(rig.workers))
        ]
        for caller in ahead:
            _taken(rig, caller.challenge_id)
        holder = ahead[0].challenge_id
        caller = rig.submit(challenge_id, rig.url(), DEADLINE_S)
    elif stage == "connecting":
        caller = rig.submit(challenge_id, rig.url(slow_setup=True), DEADLINE_S)
    elif stage == "downloading":
        caller = rig.submit(challenge_id, rig.url(slow_download), DEADLINE_S)
    else:
        rig.set_fault(before or ("slow" if stage == "inferring" else "slow encoding"))
        caller = rig.submit(challenge_id, rig.url(), DEADLINE_S)
    child = _taken(rig, holder)
    time.sleep(_INTO_S)
    if stage == "publishing":
        # it is encoding until Valkey holds back what it publishes
        rig.pause_writes(faulty_predictor.SLOW_S + _PAUSED_S)
        time.sleep(faulty_predictor.SLOW_S)
        rig.set_fault("")
    return Running(rig, caller, child)


def _taken(rig: Rig, challenge_id: str) -> int:
    end = time.monotonic() + _TAKEN_S
    while not (child := rig.holder(challenge_id)) and time.monotonic() < end:
        time.sleep(0.02)
    return child


def _kill_child(at: Running) -> None:
    send_signal(at.child, signal.SIGKILL)


def _kill_parent(at: Running) -> None:
    worker = at.rig.worker_of(at.child)
    send_signal(parent_of(at.child), signal.SIGKILL)
    at.rig.later(lambda: at.rig.replace(worker))


def _stop(rig: Rig, pids: Collection[int]) -> None:
    for pid in pids:
        send_signal(pid, signal.SIGSTOP)

    def resume() -> None:
        time.sleep(STOPPED_S)
        for pid in pids:
            send_signal(pid, signal.SIGCONT)

    rig.later(resume)


def _stop_child(at: Running) -> None:
    _stop(at.rig, [at.child])


def _stop_parent(at: Running) -> None:
    _stop(at.rig, [parent_of(at.child)])


def _stop_valkey(at: Running) -> None:
    assert at.rig.valkey.part is not None
    _stop(at.rig, descendants(at.rig.valkey.part.pid))


def _kill_valkey(seconds: float) -> Callable[[Running], None]:
    def kill(at: Running) -> None:
        at.rig.kill_valkey()

        def bring_back() -> None:
            time.sleep(seconds)
            at.rig.restart_valkey()

        at.rig.later(bring_back)

    return kill


def _no_files(at: Running) -> None:
    """As if the disk were full: nothing can be written to a file any more; the child is replaced later."""
    for pid in (at.child, parent_of(at.child)):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, 0))


def _terminate(at: Running) -> None:
    worker = at.rig.worker_of(at.child)
    worker.request_stop()
    at.rig.later(lambda: at.rig.replace(worker))


def _restart_one_after_the_other(at: Running) -> None:
    def restart() -> None:
        for worker in tuple(at.rig.workers):
            at.rig.replace(worker)
            at.rig.wait_until_ready()

    at.rig.later(restart)


def _kill_gateway(at: Running) -> None:
    gateway = at.rig.gateway
    assert gateway is not None
    gateway.kill()
    at.rig.later(gateway.restart)


def _nothing(_: Running) -> None:
    """The predictor does it."""


ALL: Final[tuple[Fault, ...]] = (
    Fault("child killed, another worker idle", 2, _kill_child, quick=True),
    Fault("child of the only worker killed", 1, _kill_child, ("downloading", "inferring")),
    Fault(
        "child of the only worker killed, a spare one is warm",
        1,
        _kill_child,
        ("downloading", "inferring"),
        spare_children=1,
    ),
    Fault("worker's parent killed, another worker idle", 2, _kill_parent, quick=True),
    Fault("child stopped for 6 s, another worker idle", 2, _stop_child, ("downloading", "inferring")),
    Fault("worker's parent stopped for 6 s", 1, _stop_parent, ("queued", "downloading", "inferring")),
    Fault("Valkey killed, back after 1 s without its data", 1, _kill_valkey(1.0)),
    Fault("Valkey killed, back after 1 s with its data", 1, _kill_valkey(1.0), keeps_data=True),
    Fault("Valkey killed, back after 15 s with its data", 1, _kill_valkey(15.0), keeps_data=True),
    Fault("Valkey stopped for 6 s", 1, _stop_valkey, ("queued", "downloading", "inferring")),
    Fault("device lost", 1, _nothing, ("inferring",), before="device lost", quick=True),
    Fault("out of device memory", 1, _nothing, ("inferring",), before="out of device memory"),
    Fault("more memory than MEMORY_HEADROOM_MB", 1, _nothing, ("inferring",), before="takes memory"),
    Fault("predictor hangs", 1, _nothing, ("inferring",), before="hangs"),
    Fault("clock of the worker set 60 s forward", 1, _nothing, ("inferring",), before="clock set forward"),
    Fault("clock of the worker set 60 s back", 1, _nothing, ("inferring",), before="clock set back"),
    Fault("no file can be written (disk full)", 1, _no_files, ("downloading", "inferring")),
    Fault("SIGTERM to the only worker, which is started again", 1, _terminate),
    Fault("rolling restart of two workers", 2, _restart_one_after_the_other),
    Fault(
        "gateway killed, started again; the client asks again",
        1,
        _kill_gateway,
        ("downloading", "inferring", "encoding", "publishing"),
        through_gateway=True,
    ),
)
