"""`touchline up`: the whole system on this machine until Ctrl-C."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from services.cli.console import say, waiting
from services.cli.extras import require_extra, require_tracing
from services.cli.process_tree import WATCH_S, StopSignal, run_until_stopped, show_line
from services.errors import StartFailed

if TYPE_CHECKING:
    from services.processes.embedded_valkey import EmbeddedValkey
    from services.processes.supervised import SupervisedProcess
    from services.settings import Settings


def up(
    flower: Annotated[bool, typer.Option(help="Run Flower besides.")] = True,
    redis_port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port of the embedded Valkey; 6379 by default.")
    ] = None,
) -> None:
    """Start Valkey (when REDIS_URL is unset), a worker and Flower; Ctrl-C stops them."""
    from services.settings import get_settings

    settings = get_settings()
    require_extra("worker", *(["flower"] if flower else []), *([] if settings.redis_url else ["up"]))
    require_tracing(settings)
    stop = StopSignal()
    with ExitStack() as stack:
        parts = _start(settings, stack, stop, flower, redis_port)
        # the worker first, while its Redis is up; the stack would do so too, but deaf to a second Ctrl-C
        run_until_stopped(
            parts, stop, "stopping: the worker finishes what it has begun (Ctrl-C again ends it at once)"
        )


def _start(
    settings: Settings, stack: ExitStack, stop: StopSignal, with_flower: bool, redis_port: int | None
) -> list[SupervisedProcess]:
    """Start all parts; the last one in the list is to be stopped first."""
    from services.processes.embedded_valkey import port_is_free
    from services.processes.supervised import SupervisedProcess
    from tasks.worker_process import WorkerProcess, command

    parts: list[SupervisedProcess] = []
    if with_flower and not port_is_free(settings.flower_port):
        raise StartFailed(
            f"FLOWER_PORT={settings.flower_port} is taken: choose another, or leave Flower out (--no-flower)"
        )
    url = settings.redis_url
    if url is None:
        valkey = _embedded(redis_port)
        stack.enter_context(valkey)
        assert valkey.part is not None
        parts.append(valkey.part)
        url = valkey.url
    else:
        _check_redis(url)
    worker = stack.enter_context(WorkerProcess(url, listener=show_line))
    parts.append(worker)
    with waiting("starting the worker: models are loaded and warmed, connections opened"):
        worker.wait_until_ready(settings.worker_start_timeout_s + 10.0, cancelled=lambda: stop.count > 0)
    if with_flower:
        env = {"REDIS_URL": url}
        # before the worker in the list: it is stopped after it, and so shows how its last task ended
        part = stack.enter_context(SupervisedProcess("flower", command("flower"), env, show_line))
        parts.insert(-1, part)
        with waiting("starting Flower"):
            while not stop.count and not _listening(settings.flower_port):
                part.check()
                stop.wait(WATCH_S)
    if not stop.count:
        _announce(settings, url, with_flower)
    return parts


def _listening(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _embedded(port: int | None) -> EmbeddedValkey:
    from services.processes.embedded_valkey import EmbeddedValkey
    from services.settings import DEFAULT_REDIS_URL

    return EmbeddedValkey(port or urlsplit(DEFAULT_REDIS_URL).port or 0)


def _check_redis(url: str) -> None:
    import redis

    from services.redis_connection import connect
    from services.settings.messages import shown_value

    try:
        with connect(url, socket_connect_timeout=2.0, socket_timeout=2.0) as client:
            client.ping()
    except redis.exceptions.RedisError as error:
        raise StartFailed(
            f"REDIS_URL={shown_value('REDIS_URL', url)} does not answer: {error}. "
            "Start that server, or unset REDIS_URL to have an embedded one."
        ) from error


def _announce(settings: Settings, url: str, with_flower: bool) -> None:
    from services.settings import DEFAULT_REDIS_URL
    from services.settings.messages import shown_value

    say("ready", style="bold green")
    say(f"  Redis   {shown_value('REDIS_URL', url).strip(chr(39))}")
    if with_flower:
        say(f"  Flower  http://127.0.0.1:{settings.flower_port}/tasks")
    elsewhere = "" if url in (DEFAULT_REDIS_URL, settings.redis_url) else f"REDIS_URL={url} "
    say(f"  try     {elsewhere}touchline submit https://HOST/CLIP.mp4 --answer answer.json")
    say("  Ctrl-C stops all of it")
