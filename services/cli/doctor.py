"""`touchline doctor`: what is wrong with this installation, and what to do about it."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.console import stdout, waiting
from services.errors import SettingsError

if TYPE_CHECKING:
    from services.cli.doctor_checks import Finding


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="A JSON list on standard output.")] = False,
) -> None:
    """Check settings, Redis, workers, device, models, origins and the clock."""
    findings = _findings(as_json)
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings], indent=2))
    if not all(finding.ok for finding in findings):
        sys.exit(1)


def _findings(silent: bool) -> list[Finding]:
    from services.cli.doctor_checks import CHECKS, Finding
    from services.settings import load_settings

    try:
        settings = load_settings()
    except SettingsError as error:
        finding = Finding("settings", False, str(error), "correct the environment or the .env file")
        return _shown([finding], silent)
    findings = _shown([Finding("settings", True, "all values are allowed")], silent)
    for check in CHECKS:
        if silent:
            findings += check(settings)
            continue
        with waiting(f"checking {check.__name__}", report=False):
            found = list(check(settings))
        findings += _shown(found, silent)
    return findings


def _shown(findings: list[Finding], silent: bool) -> list[Finding]:
    if not silent:
        console = stdout()
        for finding in findings:
            mark = "[green]ok[/green]   " if finding.ok else "[red]wrong[/red]"
            console.print(f"{mark} {finding.name:<9}", end=" ")
            console.print(finding.detail, markup=False)
            if not finding.ok and finding.advice:
                console.print(f"      what to do: {finding.advice}", markup=False)
    return findings
