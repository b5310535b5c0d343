"""`touchline bench`: the speed claims, measured again."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Annotated

import typer

from services.cli.console import say


def bench(
    links: Annotated[
        str, typer.Option(help="Comma-separated: seed, r40, r200, r600, lo.")
    ] = "seed,r40,r200,r600",
    cc: Annotated[
        str, typer.Option(help="The server's congestion controls, comma-separated: cubic, bbr.")
    ] = "cubic",
    rounds: Annotated[int, typer.Option(min=1, help="Rounds that count; one more comes before.")] = 3,
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:N, for all ways.")] = "cpu",
    profile: Annotated[str | None, typer.Option(help="A profile, where the settings have them.")] = None,
    change: Annotated[
        list[str] | None, typer.Option("--set", help="A setting for our ways, NAME=VALUE; repeatable.")
    ] = None,
    quick: Annotated[bool, typer.Option(help="A short clip, one round, one link, few rows.")] = False,
    scale: Annotated[
        bool, typer.Option(help="Instead: how cost grows with length, size, stride, workers and queue.")
    ] = False,
    series: Annotated[
        str, typer.Option(help="What grows under --scale, comma-separated.")
    ] = "length,size,stride,load",
    index_last: Annotated[bool, typer.Option(help="Also the clip whose index is at its end.")] = True,
    check_plan: Annotated[
        bool, typer.Option(help="Instead: what `touchline plan` foretells beside what two workers do.")
    ] = False,
    methods: Annotated[str, typer.Option(help="Rows to measure, comma-separated; all when not given.")] = "",
    out: Annotated[Path, typer.Option(help="Folder of the results.")] = Path("bench-out"),
) -> None:
    """Ours beside the usual ways and the floors, on emulated links; leaves table, JSON and plot."""
    # a console script has its own folder in front of the path, not the one that it is called in
    if check_plan:
        found = importlib.import_module("touchline_lab.benchmarks.plan_check").run_check(
            device, _environment(change or [], profile), say, quick=quick
        )
        importlib.import_module("touchline_lab.benchmarks.plan_check_report").report(found, out)
        return
    if scale:
        _scale(_words(series), rounds, device, _environment(change or [], profile), quick, out)
        return
    plan = importlib.import_module("touchline_lab.benchmarks.run_plan")
    options = plan.Options(
        links=_words(links)[:1] if quick else _words(links),
        congestion=_words(cc)[:1] if quick else _words(cc),
        rounds=1 if quick else rounds,
        device=device,
        env=_environment(change or [], profile),
        quick=quick,
        index_last=index_last,
        methods=_words(methods),
        out=out,
    )
    results = importlib.import_module("touchline_lab.benchmarks.bench").run_bench(options, say)
    importlib.import_module("touchline_lab.benchmarks.report").report(results, out)


def _scale(
    series: tuple[str, ...], rounds: int, device: str, env: dict[str, str], quick: bool, out: Path
) -> None:
    from services.errors import SettingsError

    module = importlib.import_module("touchline_lab.benchmarks.scale")
    unknown = [name for name in series if name not in module.SERIES]
    if unknown:
        raise SettingsError(f"--series: no {unknown[0]!r}; {', '.join(module.SERIES)}")
    if quick:
        options = module.ScaleOptions.quick(device, env, series)
    else:
        options = module.ScaleOptions(series=series, rounds=rounds, device=device, env=env)
    importlib.import_module("touchline_lab.benchmarks.scale_report").report(
        module.run_scale(options, say), out
    )


def _words(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))


def _environment(changes: list[str], profile: str | None) -> dict[str, str]:
    """Settings for the ways, by the names of their variables.

    Raises:
        SettingsError: A name is no setting's, or there is no value.
    """
    from services.errors import SettingsError
    from services.settings import Settings
    from services.settings.messages import variable_name

    known = {variable_name(field) for field in Settings.model_fields}
    pairs = [*changes, *([f"PROFILE={profile}"] if profile else [])]
    env: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or name not in known:
            raise SettingsError(
                f"{pair!r} is no setting; NAME=VALUE with a name of docs/reference/settings.md"
            )
        env[name] = value
    return env
