"""`touchline bench`: measures the claims about speed again."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Annotated

import typer

from services.cli.console import say


def bench(
    links: Annotated[
        str, typer.Option(help="Emulated links, comma-separated: seed, r40, r200, r600, lo.")
    ] = "seed,r40,r200,r600",
    cc: Annotated[
        str, typer.Option(help="Congestion controls of the server, comma-separated: cubic, bbr.")
    ] = "cubic",
    rounds: Annotated[int, typer.Option(min=1, help="Counted rounds; one more comes first.")] = 3,
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:N, for all methods.")] = "cpu",
    change: Annotated[
        list[str] | None,
        typer.Option("--set", help="A setting for all methods that read it, NAME=VALUE; repeatable."),
    ] = None,
    url: Annotated[
        str, typer.Option(help="Instead: measure this clip, from where it lies, without emulated links.")
    ] = "",
    quick: Annotated[bool, typer.Option(help="A short clip, one round, one link, few methods.")] = False,
    scale: Annotated[
        bool, typer.Option(help="Instead: measure how the cost grows with length, size, stride and load.")
    ] = False,
    series: Annotated[
        str, typer.Option(help="What grows with --scale, comma-separated.")
    ] = "length,size,stride,load",
    index_last: Annotated[
        bool, typer.Option(help="Also measure the clip whose index stands at its end.")
    ] = True,
    check_plan: Annotated[
        bool, typer.Option(help="Instead: compare what `touchline plan` predicts with two real workers.")
    ] = False,
    methods: Annotated[str, typer.Option(help="Methods to measure, comma-separated; all by default.")] = "",
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("bench-out"),
) -> None:
    """Compare Touchline with baselines and floors on emulated links; leaves a table, JSON and a plot."""
    if check_plan:
        found = importlib.import_module("touchline_lab.benchmarks.plan_check").run_check(
            device, _environment(change or []), say, quick=quick
        )
        importlib.import_module("touchline_lab.benchmarks.plan_check_report").report(found, out)
        return
    if url:
        env = _environment(change or [])
        module = importlib.import_module("touchline_lab.benchmarks.one_url")
        found = module.run_url(url, device, env, 1 if quick else rounds, _words(methods), say)
        importlib.import_module("touchline_lab.benchmarks.report").report(found, out)
        return
    if scale:
        _scale(_words(series), rounds, device, _environment(change or []), quick, out)
        return
    plan = importlib.import_module("touchline_lab.benchmarks.run_plan")
    options = plan.Options(
        links=_words(links)[:1] if quick else _words(links),
        congestion=_words(cc)[:1] if quick else _words(cc),
        rounds=1 if quick else rounds,
        device=device,
        env=_environment(change or []),
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


def _environment(changes: list[str]) -> dict[str, str]:
    """Settings for the methods, by the names of their variables.

    Raises:
        SettingsError: There is no setting of that name, or no value.
    """
    from services.errors import SettingsError
    from services.settings import Settings
    from services.settings.messages import variable_name

    known = {variable_name(field) for field in Settings.model_fields}
    env: dict[str, str] = {}
    for pair in changes:
        name, equals, value = pair.partition("=")
        if not equals or name not in known:
            raise SettingsError(
                f"{pair!r} is not a setting: use NAME=VALUE with a name of docs/reference/settings.md"
            )
        env[name] = value
    return env
