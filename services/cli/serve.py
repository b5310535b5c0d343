"""`touchline serve`: everything that answers validators in one process tree, as one container needs it."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Final

import typer

from services.cli.console import say
from services.cli.extras import require_chain, require_extra, require_tracing
from services.cli.process_tree import WATCH_S, StopSignal, run_until_stopped, show_line

if TYPE_CHECKING:
    from services.processes.supervised import SupervisedProcess
    from services.settings import Settings

GRACE_S: Final = 10.0
"""Seconds behind the latest deadline that the gateway gets to answer those who wait."""
QUEUE_MB: Final = 512
"""Memory for waiting challenges and stored answers, as in docker-compose.yml."""
KINDS: Final = ("soccer_action", "gsr", "tv_predict")
"""One for each track: a spot check runs the image without saying which one it asks."""
COSTS_MS: Final = {"inference_cost_ms": 32.0, "decode_cost_ms": 2.0}
"""With what plans are made, instead of what this machine was measured to take: the answer of a spot check
must not depend on the machine. A clip of 30 s fits into a deadline of 30 s."""


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on; GATEWAY_HOST by default.")] = None,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port to listen on; GATEWAY_PORT by default.")
    ] = None,
) -> None:
    """Run Valkey, a worker and the gateway; GET /docs answers 200 once the models are warm.

    All three tracks are answered unless SERVED_KINDS says otherwise.
    """
    require_extra("worker", "gateway", "up")
    from services.gateway.app import check_settings
    from services.processes.embedded_valkey import EmbeddedValkey
    from services.processes.supervised import SupervisedProcess
    from services.settings import get_settings
    from tasks.worker_process import WorkerProcess, command

    settings = get_settings()
    require_tracing(settings)
    require_chain(settings)
    check_settings(settings)
    stop = StopSignal()
    address = host or settings.gateway_host, port or settings.gateway_port
    with ExitStack() as stack:
        # nobody outside needs this server, so that it gets a port that nobody knows
        valkey = stack.enter_context(EmbeddedValkey(max_memory_mb=QUEUE_MB))
        state = Path(stack.enter_context(TemporaryDirectory(prefix="touchline-serve-")))
        env = {"REDIS_URL": valkey.url, "STATE_DIR": str(state), **_defaults(settings)}
        worker = stack.enter_context(WorkerProcess(valkey.url, env, show_line))
        grace_s = settings.answer_within_s + GRACE_S
        options = ("--host", address[0], "--port", str(address[1]))
        gateway = SupervisedProcess("gateway", command("gateway", *options), env, show_line, grace_s)
        stack.enter_context(gateway)
        assert valkey.part is not None
        parts: list[SupervisedProcess] = [valkey.part, worker, gateway]
        say(f"the gateway listens on {address[0]}:{address[1]}; GET /docs is 200 once the models are warm")
        worker.wait_until_ready(
            settings.worker_start_timeout_s + 10.0, cancelled=lambda: stop.wait(0) or _ended(gateway)
        )
        if not stop.wait(WATCH_S) and not _ended(gateway):
            say("ready", style="bold green")
        run_until_stopped(parts, stop, "stopping: those who wait get their answers first")


def _defaults(settings: Settings) -> dict[str, str]:
    """Values of one container's own for settings that the operator has not set."""
    wanted = {"served_kinds": ",".join(KINDS), **{name: f"{cost:g}" for name, cost in COSTS_MS.items()}}
    return {name.upper(): value for name, value in wanted.items() if name not in settings.model_fields_set}


def _ended(part: SupervisedProcess) -> bool:
    return part.exit_code is not None
