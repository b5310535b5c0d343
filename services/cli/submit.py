"""`touchline submit`: one challenge from the command line."""

from __future__ import annotations

import json
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from services.cli.console import say, stdout, waiting
from services.errors import ChallengeError, error_to_wire

if TYPE_CHECKING:
    from services.wire.reply import Answer

ADVICE = {
    "ConnectFailed": "check the host's name and that this machine can reach it",
    "DeadlineExceeded": "give it more time with --deadline, or look at `touchline doctor`",
    "ModelNotReady": "`touchline doctor` names the model file",
    "QueueUnavailable": "start the system with `touchline up`, or set REDIS_URL",
    "SourceRejected": "open the URL in a browser: it may have expired",
    "TooLarge": "MAX_VIDEO_MB, MAX_FRAMES and MAX_PIXELS are the limits",
    "UnsupportedKind": "`touchline kinds` lists what is installed; SERVED_KINDS names what is answered",
    "UrlRefused": "ALLOWED_HOSTS, ALLOW_PRIVATE_ADDRESSES and ALLOW_HTTP say what may be fetched",
    "WorkerLost": "the worker's log has the reason; send the challenge again",
}


def submit(
    url: Annotated[str, typer.Argument(help="Where the clip lies.", metavar="URL")],
    answer: Annotated[Path | None, typer.Option(help="File for the answer, as a validator gets it.")] = None,
    timeline: Annotated[Path | None, typer.Option(help="File for the stages' times (JSON).")] = None,
    report: Annotated[Path | None, typer.Option(help="File for the stages' times as a page of HTML.")] = None,
    kind: Annotated[
        str | None, typer.Option(help="Challenge kind; the first of SERVED_KINDS by default.")
    ] = None,
    deadline: Annotated[
        float | None,
        typer.Option(min=0.001, max=3600, help="Seconds to answer in; DEFAULT_DEADLINE_S by default."),
    ] = None,
    challenge_id: Annotated[
        str | None, typer.Option("--id", help="The challenge's id; made up when not given.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
) -> None:
    """Submit a clip, wait for the answer, and show where the time went."""
    from services.settings import get_settings
    from tasks.client import submit as enqueue

    kind = kind or get_settings().served_kinds[0]
    try:
        with nullcontext() if as_json else waiting("waiting for the answer"):
            reply = enqueue(url, kind=kind, challenge_id=challenge_id, deadline_s=deadline).wait()
    except ChallengeError as error:
        _save(timeline, _pretty(error.timeline))
        _report(report, challenge_id, error.timeline)
        _fail(error, as_json)
        return
    _save(answer, reply.body)
    _save(timeline, _pretty(reply.timeline))
    _report(report, reply.challenge_id, reply.timeline)
    if as_json:
        print(json.dumps(_summary(reply, answer)))
        return
    from services.cli.timeline_table import timeline_table

    stdout().print(timeline_table({"time": reply.timeline}, title=f"challenge {reply.challenge_id}"))
    if reply.partial:
        say("partial: a time budget or the deadline cut the work short", style="yellow")
    if answer is not None:
        say(f"answer: {answer} ({len(reply.body)} bytes)")


def _summary(reply: Answer, file: Path | None) -> dict[str, Any]:
    return {
        "challenge_id": reply.challenge_id,
        "partial": reply.partial,
        "answer_bytes": len(reply.body),
        "answer_file": None if file is None else str(file),
        "timeline": reply.timeline,
    }


def _pretty(timeline: dict[str, Any]) -> bytes:
    return json.dumps(timeline, indent=2).encode() + b"\n"


def _report(file: Path | None, challenge_id: str | None, timeline: dict[str, Any]) -> None:
    if file is not None and timeline.get("stages"):
        from services.cli.report import write_report

        write_report({challenge_id or "challenge": timeline}, file)


def _save(file: Path | None, data: bytes) -> None:
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)


def _fail(error: ChallengeError, as_json: bool) -> None:
    """Say what went wrong and end with exit code 1."""
    if as_json:
        print(json.dumps({"error": error_to_wire(error), "timeline": error.timeline}))
        sys.exit(1)
    advice = ADVICE.get(type(error).__name__)
    again = " It may succeed when it is sent again." if error.retryable else ""
    say(f"{type(error).__name__} in {error.stage}: {error}.{again}", style="red")
    if advice is not None:
        say(f"What to do: {advice}.")
    sys.exit(1)
