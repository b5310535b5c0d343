"""What a worker child makes once, before it takes work, and what it does when it ends."""

from __future__ import annotations

import gc
import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from celery.signals import (
    celeryd_init,
    setup_logging,
    task_postrun,
    worker_process_init,
    worker_process_shutdown,
)

from services.download.keep_warm import KeepWarm
from services.download.pool import close_pool, get_pool
from services.errors import TouchlineError
from services.monitoring import tracing
from services.monitoring.logs import set_up_logging
from services.monitoring.metrics import begin, count_restart, use_folder
from services.pipeline.runner import ProcessState
from services.processes.memory_limit import limit_memory
from services.processes.parent_death import die_with_parent
from services.settings import get_settings
from services.settings.cautions import cautions
from tasks import ready
from tasks.child_report import remove_report, write_report
from tasks.device_slot import DeviceSlot, take_slot

log = logging.getLogger(__name__)

SMOOTHING = 0.3
"""Weight of the latest challenge in the running mean of what challenges take."""


class _Child:
    """What this process holds; empty in the worker's parent and in clients."""

    state: ProcessState | None = None
    slot: DeviceSlot | None = None
    keep_warm: KeepWarm | None = None
    busy = threading.Event()
    answered = 0
    failed = 0
    seconds: float | None = None


def load_process_state() -> ProcessState:
    """Load the models and open the pool of this process, once; later calls return what the first one made."""
    if _Child.state is None:
        _Child.state = _make_process_state()
    return _Child.state


def set_busy(busy: bool) -> None:
    """Tell the keep-warm thread and the health checks whether a challenge is being worked on."""
    if busy:
        _Child.busy.set()
    else:
        _Child.busy.clear()
    with _not_vital():
        ready.write_state(ready.BUSY if busy else ready.READY, _device_name())


def note_outcome(*, answered: bool, seconds: float) -> None:
    """Count a challenge that took so many seconds, and let the report of this process say so."""
    _Child.answered += answered
    _Child.failed += not answered
    if answered:
        before = seconds if _Child.seconds is None else _Child.seconds
        _Child.seconds = before + SMOOTHING * (seconds - before)
    write_own_report()


def write_own_report() -> None:
    """Write what this process holds now to its report."""
    made = _Child.state
    health = made.pool.health() if made is not None and made.settings.use_connection_pool else None
    with _not_vital():
        write_report(health, _Child.answered, _Child.failed, _Child.seconds)


@contextmanager
def _not_vital() -> Iterator[None]:
    """For what is written down for others to see: a full disk is to cost no challenge."""
    try:
        yield
    except OSError as error:
        log.warning("STATE_DIR=%s cannot be written: %s", get_settings().state_dir, error)


def replace_process() -> None:
    """End this process shortly, after the current task was reported; Celery starts a clean one."""
    threading.Timer(0.5, os._exit, [70]).start()


def _device_name() -> str:
    """Where this child's models are, for health checks and `touchline doctor`."""
    if _Child.slot is not None:
        return _Child.slot.name
    return ", ".join(_Child.state.kinds.devices) if _Child.state is not None else ""


def _make_process_state() -> ProcessState:
    import torch

    from services.challenges.kinds import serve
    from services.inference.cuda_devices import gpu_indices
    from services.inference.devices import choose_device, on_device, slot_name
    from services.pipeline.measure_costs import measure_costs
    from services.pipeline.warm import warm
    from services.video.nvdec import choose_decoder

    settings = get_settings()
    names = [slot_name(settings, index) for index in gpu_indices(settings, torch.cuda.device_count)]
    if names:
        _Child.slot = take_slot(names, Path(settings.state_dir))
        settings = on_device(settings, _Child.slot.name)
    for caution in cautions(settings):
        log.warning("%s", caution)
    if settings.use_nvdec:
        log.info("frames are decoded on %s", choose_decoder(choose_device(settings.device)))
    kinds = serve(settings)
    seconds = warm(kinds, settings)
    costs = measure_costs(kinds, settings)
    for name, cost in costs.items():
        log.info(
            "%s: a frame is planned with %.3g ms of inference, %.3g ms of decoding",
            name,
            cost.inference_s * 1000,
            cost.decode_s * 1000,
        )
    log.info(
        "%s warm on %s after %.1f s",
        ", ".join(kinds.kinds),
        _Child.slot.name if _Child.slot else ", ".join(kinds.devices),
        seconds,
    )
    return ProcessState(get_pool(), kinds, settings, costs)


@celeryd_init.connect
def _count(**_: Any) -> None:
    """In the worker's parent, before it forks and before anything else imports prometheus_client."""
    settings = get_settings()
    if settings.metrics_port:
        use_folder(Path(settings.state_dir) / "metrics")


@setup_logging.connect
def _logging(loglevel: int | str | None = None, **_: Any) -> None:
    settings = get_settings()
    set_up_logging(loglevel or settings.log_level, settings.log_format)


@worker_process_init.connect
def _start(**_: Any) -> None:
    # at once: while it lives it keeps its challenge from others
    die_with_parent(signal.SIGKILL)
    if ready.is_replacement():
        count_restart()
    ready.write_state(ready.WARMING)
    try:
        # its thread would not survive the fork, so that each child has its own
        tracing.begin(get_settings(), tracing.WORKER)
        made = load_process_state()
    except TouchlineError as error:
        log.error("cannot start: %s", error)
        ready.write_state(ready.FAILED, str(error))
        os._exit(78)
    settings = made.settings
    begin(made.kinds.kinds)

    def after_round() -> None:
        if made.kinds.devices != ("cpu",):
            made.kinds.touch(settings)
        write_own_report()

    if settings.use_connection_pool:
        _Child.keep_warm = KeepWarm(
            made.pool, settings.origins, settings.keepwarm_interval_s, _Child.busy.is_set, after_round
        )
        # the first round is part of being warm; an origin that is down does not stop the worker
        _Child.keep_warm.touch_all()
        _Child.keep_warm.start()
    # collecting garbage of millions of imported objects costs a 45 ms pause in the middle of an answer
    gc.collect()
    gc.freeze()
    # and an answer is a hundred thousand objects; what a challenge leaves is collected behind it
    gc.set_threshold(1_000_000, 50, 50)
    limit_memory(settings.memory_headroom_mb)
    write_own_report()
    ready.write_state(ready.READY, _device_name())


@task_postrun.connect
def _tidy(**_: Any) -> None:
    """Between challenges: what a cycle of references holds would otherwise wait for thousands of them.

    The collector is set to come rarely, and a challenge's objects are old by the time it does.
    """
    if _Child.state is not None:
        gc.collect()


@worker_process_shutdown.connect
def _stop(**_: Any) -> None:
    if _Child.keep_warm is not None:
        _Child.keep_warm.stop()
    close_pool()
    tracing.end()
    ready.marker_path(os.getpid()).unlink(missing_ok=True)
    remove_report(os.getpid())
