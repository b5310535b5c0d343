"""`touchline diagnose`: where the time of one URL goes, cold and warm, and what to do about it."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from services.cli.console import say, stdout
from services.cli.extras import require_extra
from services.errors import ChallengeError, error_to_wire

if TYPE_CHECKING:
    from services.challenges.kinds import ServedKinds
    from services.diagnosis.diagnose import Diagnosis
    from services.settings import Settings

ADVICE = {
    "ConnectFailed": "nothing was reached at that name and port: check the URL, the network, and CA_FILE",
    "UrlRefused": "ALLOWED_HOSTS, ALLOW_PRIVATE_ADDRESSES and ALLOW_HTTP say what may be fetched",
    "SourceRejected": "the origin is reached but does not give this resource: open the URL in a browser",
    "StreamStalled": "the origin is reached but falls silent or breaks off: ask its operator, or try again",
    "ModelNotReady": "`touchline doctor` names the model file; --download measures without models",
}


def diagnose(
    url: Annotated[str, typer.Argument(help="Where the clip lies.", metavar="URL")],
    repeat: Annotated[int, typer.Option(min=1, max=100, help="Warm runs; the median one is shown.")] = 3,
    download: Annotated[
        bool, typer.Option("--download", help="Measure the download only: no models are loaded.")
    ] = False,
    idle: Annotated[
        float,
        typer.Option(min=0, max=3600, help="Seconds to wait for the origin to close an idle connection."),
    ] = 0.0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
) -> None:
    """Fetch and answer a clip cold and warm, show where the time goes, and say what changes it."""
    require_extra("worker")
    from services.diagnosis.diagnose import diagnose as measure
    from services.settings import get_settings

    settings = get_settings()
    note = (lambda _: None) if as_json else say
    try:
        kinds = None if download else _load(settings, note)
        found = measure(url, settings, kinds, repeat=repeat, idle_s=idle, say=note)
    except ChallengeError as error:
        _fail(error, as_json)
        return
    if as_json:
        print(json.dumps(found.to_dict()))
    else:
        _show(found)


def _load(settings: Settings, note: Any) -> ServedKinds:
    from services.challenges.kinds import serve
    from services.pipeline.warm import warm

    note("loading the models and running them once")
    kinds = serve(settings)
    warm(kinds, settings)
    return kinds


def _show(found: Diagnosis) -> None:
    from services.monitoring.waterfall import waterfall

    console = stdout()

    def line(text: str = "") -> None:
        console.print(text, markup=False, soft_wrap=True)

    what = "from the request to the answer" if found.whole else "the download alone"
    for name, timeline in (("cold: a new connection", found.cold), ("warm: open connections", found.warm)):
        line(f"{name}, {what}")
        for text in waterfall(timeline):
            line(f"  {text}")
        line()
    totals = ", ".join(f"{total * 1000:.0f}" for total in found.warm_totals_s)
    line(f"warm runs: {totals} ms (the median one is shown)")
    line()
    line("origin")
    for name, value in _origin_lines(found):
        line(f"  {name:22} {value}")
    line()
    line("verdict")
    line(f"  {found.verdict.headline}")
    for finding in found.verdict.findings:
        line(f"  - {finding.text}")
        if finding.setting:
            line(f"      what changes it: {finding.setting}")
        if finding.gives:
            line(f"      what it gives:   {finding.gives}")
    line(f"  {found.verdict.unavoidable}")


def _origin_lines(found: Diagnosis) -> list[tuple[str, str]]:
    origin = found.origin
    pipelined = {True: "answered", False: "not understood", None: "not tried: they need ranges"}
    if origin.idle_timeout_s is not None:
        idle = f"closed after {origin.idle_timeout_s:.1f} s (HTTP/1.1)"
    else:
        idle = f"still open after {origin.idle_tried_s:g} s" if origin.idle_tried_s else "not tried (--idle)"
    return [
        ("protocol", origin.protocol),
        ("server", origin.server or "does not say"),
        ("redirects", " -> ".join(origin.redirects) or "none"),
        ("size", "not told" if origin.size is None else f"{origin.size / 1e6:.2f} MB"),
        ("ranges", "yes" if origin.ranges else "no"),
        ("requests ahead", pipelined[origin.pipelined]),
        ("index", {"front": "at the front", "end": "at the end", "none": "no MP4"}[origin.index]),
        ("round trip", f"{origin.round_trip_s * 1000:.1f} ms"),
        ("idle connection", idle),
    ]


def _fail(error: ChallengeError, as_json: bool) -> None:
    """Say what went wrong, and where the time went up to then; exit code 1."""
    if as_json:
        print(json.dumps({"error": error_to_wire(error), "timeline": error.timeline}))
        sys.exit(1)
    if error.timeline.get("stages"):
        from services.monitoring.waterfall import waterfall

        say("up to the failure:")
        for text in waterfall(error.timeline):
            say(f"  {text}")
    say(f"{type(error).__name__} in {error.stage}: {error}", style="red")
    advice = ADVICE.get(type(error).__name__)
    if advice is not None:
        say(f"What to do: {advice}.")
    sys.exit(1)
