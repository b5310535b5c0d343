"""What `touchline doctor` looks at; a check gives findings and does not raise for what it searches."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from services.errors import BrokenPlugin, ModelNotReady, SettingsError, TransportError
from services.settings import Settings
from services.settings.messages import shown_value

PACKAGES = (
    "touchline",
    "torch",
    "torchvision",
    "ultralytics-opencv-headless",
    "av",
    "celery",
    "redis",
    "httpx",
    "flower",
)
CLOCK_LIMIT_S = 1.0
"""Seconds. Deadlines count by Redis's clock, so that more does no harm to them; but log lines of two machines
cannot be put side by side then, and certificates are judged by the wrong time."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report.

    Attributes:
        name: What was looked at.
        ok: Whether it is as it should be.
        detail: What was found.
        advice: What to do when it is not.
    """

    name: str
    ok: bool
    detail: str
    advice: str = ""


Check = Callable[[Settings], Iterator[Finding]]


def packages(settings: Settings) -> Iterator[Finding]:
    """Versions of what the answer depends on."""
    found, missing = [], []
    for name in PACKAGES:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            missing.append(name)
    yield Finding(
        "packages",
        not missing,
        ", ".join(found) + (f"; missing: {', '.join(missing)}" if missing else ""),
        "run `make install`",
    )


def broker(settings: Settings) -> Iterator[Finding]:
    """Redis: whether it answers, its version, its clock against ours, and what waits in it."""
    import redis

    from services.redis_connection import connect

    url = settings.broker_url
    shown = shown_value("REDIS_URL", url).strip("'")
    try:
        with connect(url, socket_connect_timeout=2.0, socket_timeout=2.0) as client:
            info: dict[str, Any] = dict(client.info("server"))
            before = time.time()
            seconds, micros = client.time()
            after = time.time()
            waiting = int(client.llen(settings.queue_name))
    except redis.exceptions.RedisError as error:
        yield Finding(
            "redis", False, f"{shown}: {error}", "start it with `touchline up`, or correct REDIS_URL"
        )
        return
    server = (
        f"Valkey {info['valkey_version']}" if "valkey_version" in info else f"Redis {info['redis_version']}"
    )
    yield Finding("redis", True, f"{shown}: {server}, answers in {(after - before) * 1000:.1f} ms")
    offset = seconds + micros / 1e6 - (before + after) / 2
    yield Finding(
        "clock",
        abs(offset) <= CLOCK_LIMIT_S,
        f"Redis's clock is {offset * 1000:+.1f} ms ahead of this machine's",
        "synchronise both machines (NTP): deadlines count by Redis's clock, certificates do not",
    )
    yield Finding(
        "queue",
        waiting < settings.max_queue,
        f"{waiting} of at most {settings.max_queue} challenges wait",
        "start more workers, or raise MAX_QUEUE",
    )
    yield from _workers(settings)


def _workers(settings: Settings) -> Iterator[Finding]:
    from tasks.celery_app import make_app
    from tasks.ready import read_state

    with make_app(settings) as app:
        nodes = sorted(name for reply in app.control.ping(timeout=1.5) for name in reply)
    children = []
    for marker in sorted(Path(settings.state_dir).glob("child-*")):
        pid = int(marker.name.removeprefix("child-"))
        if Path(f"/proc/{pid}").exists():
            state, detail = read_state(pid)
            children.append(f"child {pid} {state} {detail}".strip())
    seen = ", ".join(nodes) or "none answers"
    here = f"; on this machine: {', '.join(children)}" if children else ""
    yield Finding("workers", bool(nodes), seen + here, "start one with `touchline up` or `touchline worker`")


def device(settings: Settings) -> Iterator[Finding]:
    """What inference would run on, and every GPU that there is."""
    import torch

    from services.inference.cuda_devices import describe_cuda_devices, gpu_indices
    from services.inference.devices import choose_device, on_device, slot_name

    advice = "set DEVICE=auto, or install the CUDA build and its driver"
    chosen = []
    try:
        slots = [slot_name(settings, index) for index in gpu_indices(settings, torch.cuda.device_count)]
        for name in slots or [settings.device]:
            found = choose_device(on_device(settings, name).device)
            chosen.append(name if slots else found)
    except (ModelNotReady, SettingsError) as error:
        yield Finding("device", False, str(error), advice)
        return
    asked = f"GPUS={settings.gpus}, one child each" if slots else f"DEVICE={settings.device}"
    yield Finding("device", True, f"{asked}: {', '.join(chosen)}; {torch.get_num_threads()} CPU threads")
    for text in describe_cuda_devices():
        yield Finding("device", True, text)


def kinds(settings: Settings) -> Iterator[Finding]:
    """Whether the kinds and predictors that are named are installed; none is loaded."""
    from services.challenges.kinds import find_kinds
    from services.inference.predictors import find_predictors

    advice = "`touchline kinds` lists what is installed; correct SERVED_KINDS or PREDICTOR"
    try:
        found, predictors = find_kinds(), find_predictors()
    except BrokenPlugin as error:
        yield Finding("kind", False, str(error), "remove one of the two distributions")
        return
    for name in settings.served_kinds:
        wanted = settings.predictor_for(name)
        sources = [
            f"{what} {it} ({plugins[it].source if it in plugins else 'not installed'})"
            for what, it, plugins in (("SERVED_KINDS:", name, found), ("PREDICTOR:", wanted, predictors))
        ]
        yield Finding("kind", name in found and wanted in predictors, ", ".join(sources), advice)


def models(settings: Settings) -> Iterator[Finding]:
    """Whether the model files are there; nothing where every kind has a predictor that is plugged in."""
    from services.inference.model_files import resolve_model, wanted_models

    if not settings.uses_bundled:
        return
    for variable, name in wanted_models(settings).items():
        try:
            path = resolve_model(name, variable, settings, fetch=False)
        except ModelNotReady as error:
            yield Finding("model", False, str(error), f"correct {variable}, or `touchline models fetch`")
            continue
        size = f"{path.stat().st_size / 1e6:.1f} MB" if path.is_file() else "folder"
        yield Finding("model", True, f"{variable}={name}: {path} ({size})")


def origins(settings: Settings) -> Iterator[Finding]:
    """How long the first and the second request to each origin take, and what is spoken there."""
    from services.download.pool import ConnectionPool

    if settings.https_proxy:
        shown = shown_value("HTTPS_PROXY", settings.https_proxy).strip("'")
        use = "is used" if settings.use_proxy else "is not used: USE_PROXY=1 uses it"
        yield Finding("proxy", True, f"{shown} {use}")
    pool = ConnectionPool(settings)
    try:
        for url in settings.origins:
            try:
                cold, warm = pool.warmup(url), pool.warmup(url)
            except TransportError as error:
                yield Finding("origin", False, f"{url}: {error}", "check the network, or set ORIGINS")
                continue
            spoken = {c.protocol for c in pool.health().connections}
            yield Finding(
                "origin",
                True,
                f"{url}: {', '.join(sorted(spoken))}, cold {cold * 1000:.0f} ms, warm {warm * 1000:.0f} ms",
            )
    finally:
        pool.close()


CHECKS: tuple[Check, ...] = (packages, broker, device, kinds, models, origins)
