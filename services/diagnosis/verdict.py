"""The verdict in words: what dominates, which setting changes it, what that gives, what nothing removes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from services.diagnosis.origin_facts import OriginFacts
from services.diagnosis.phases import Phases
from services.settings import Settings

WORTH_S: Final = 0.02
"""Seconds below which a phase is not worth a sentence: links vary by as much."""
NAMES: Final[dict[str, str]] = {
    "redirects": "following redirects",
    "connect": "opening the connection",
    "first_byte": "waiting for the origin's first byte",
    "transfer": "the transfer of the bytes",
    "decode": "decoding",
    "inference": "inference",
    "rest": "tracking, filling and encoding",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found.

    Attributes:
        code: A short name that does not change, for programs.
        text: What was found.
        setting: What changes it; empty when nothing here does.
        gives: What that would give; empty when there is nothing to gain.
    """

    code: str
    text: str
    setting: str = ""
    gives: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found, the most important first.

    Attributes:
        dominates_cold: The longest phase of a challenge that finds the pool cold, by its name in `Phases`.
        dominates_warm: The same with the pool warm.
        headline: Both in one or two sentences.
        findings: In order of importance.
        unavoidable: What no pool can remove.
    """

    dominates_cold: str
    dominates_warm: str
    headline: str
    findings: tuple[Finding, ...]
    unavoidable: str


def judge(
    cold: Phases, warm: Phases, origin: OriginFacts, settings: Settings, facts: dict[str, object]
) -> Verdict:
    """Put measurements into words.

    Args:
        cold: The phases with a new connection.
        warm: The phases over open connections, of the median run.
        origin: What the origin is like.
        settings: The settings, for their present values.
        facts: The facts of the warm run's timeline.
    """
    cold = _without_late_set_up(cold, warm)
    longest_cold, longest_warm = cold.longest, warm.longest
    headline = (
        f"Cold, {NAMES[longest_cold]} dominates: {getattr(cold, longest_cold):.2f} s of {cold.total:.2f} s. "
        f"Warm, {NAMES[longest_warm]} does: {getattr(warm, longest_warm):.2f} s of {warm.total:.2f} s."
    )
    findings = [
        *_connecting(cold, warm, settings),
        *_redirecting(warm, origin),
        *_first_byte(warm, origin),
        *_computing(warm),
        *_transfer(warm, origin, facts),
        *_protocol(origin, settings),
    ]
    own_s = max(0.0, warm.first_byte - origin.round_trip_s)
    unavoidable = (
        f"No pool removes the round trip ({origin.round_trip_s * 1000:.0f} ms), the origin's own time to its "
        f"first byte ({own_s * 1000:.0f} ms) or the transfer at the link's rate ({warm.transfer:.2f} s)"
        + (
            f"; decoding and inference remain ({warm.decode + warm.inference:.2f} s after the last byte)."
            if warm.decode or warm.inference
            else "."
        )
    )
    return Verdict(longest_cold, longest_warm, headline, tuple(findings), unavoidable)


def _without_late_set_up(cold: Phases, warm: Phases) -> Phases:
    """What a first byte comes later on a new connection than on an open one belongs to its set-up."""
    late = max(0.0, cold.first_byte - warm.first_byte)
    return Phases(
        redirects=cold.redirects,
        connect=cold.connect + late,
        first_byte=cold.first_byte - late,
        transfer=cold.transfer,
        decode=cold.decode,
        inference=cold.inference,
        rest=cold.rest,
    )


def _connecting(cold: Phases, warm: Phases, settings: Settings) -> list[Finding]:
    found = []
    saved = cold.connect - warm.connect
    if saved > WORTH_S:
        setting = f"ORIGINS with this origin and KEEPWARM_INTERVAL_S={settings.keepwarm_interval_s:g}"
        if not settings.use_connection_pool:
            setting = "USE_CONNECTION_POOL=1 (it is 0, so every challenge is cold), " + setting
        found.append(
            Finding(
                "connect",
                f"Opening a connection takes {cold.connect:.2f} s (name, TCP, TLS, the first answer on it).",
                setting,
                f"{saved:.2f} s of every challenge that comes after a pause",
            )
        )
    elif not settings.use_connection_pool:
        found.append(
            Finding("pool-off", "USE_CONNECTION_POOL=0: every challenge is cold.", "USE_CONNECTION_POOL=1")
        )
    return found


def _redirecting(warm: Phases, origin: OriginFacts) -> list[Finding]:
    if not origin.redirects:
        return []
    return [
        Finding(
            "redirect",
            f"{len(origin.redirects)} redirect(s) to {origin.final_url}: {warm.redirects:.2f} s each time.",
            "the URL that they lead to, and its origin in ORIGINS",
            f"{warm.redirects:.2f} s",
        )
    ]


def _first_byte(warm: Phases, origin: OriginFacts) -> list[Finding]:
    own_s = warm.first_byte - origin.round_trip_s
    if own_s < WORTH_S or warm.longest != "first_byte":
        return []
    return [
        Finding(
            "slow-origin",
            f"The origin itself takes {own_s:.2f} s until its first byte, also over an open connection.",
        )
    ]


def _transfer(warm: Phases, origin: OriginFacts, facts: dict[str, object]) -> list[Finding]:
    found = []
    size = facts.get("bytes")
    broken = [f"{facts[name]} {name}" for name in ("resumes", "takeovers", "refusals") if facts.get(name)]
    if broken:
        found.append(
            Finding("broken-transfer", f"The origin did not bring the clip in one go: {', '.join(broken)}.")
        )
    lasted, _, used = str(facts.get("range_connections", "")).partition("/")
    if lasted.isdigit() and used.isdigit() and int(lasted) < int(used):
        found.append(
            Finding(
                "few-connections",
                f"Only {lasted} of {used} range connections lasted: the origin limits their number.",
                f"RANGE_CONNECTIONS={lasted}",
                "no requests that are refused",
            )
        )
    if warm.longest == "transfer" and isinstance(size, int) and warm.transfer > 0:
        sparse = "FRAME_PROFILE=keyframes downloads only what key frames need" if origin.ranges else ""
        found.append(
            Finding(
                "slow-link",
                f"The bytes arrive at {size * 8 / 1e6 / warm.transfer:.1f} Mbit/s "
                f"({size / 1e6:.1f} MB in {warm.transfer:.2f} s).",
                sparse,
                f"at most {warm.transfer:.2f} s" if sparse else "",
            )
        )
    if not origin.ranges:
        text = "The origin does not answer Range requests: one connection brings the file from its beginning."
        if origin.index == "end":
            text += (
                " Its index stands at the end, so that nothing is decoded before the last byte has arrived."
            )
        found.append(Finding("no-ranges", text))
    elif origin.index == "end":
        found.append(
            Finding(
                "index-at-end",
                "The index stands at the end of the file and is fetched by a request of its own.",
            )
        )
    if origin.index == "none":
        found.append(
            Finding(
                "no-mp4",
                "The file is no MP4: its frames are found while it arrives, and nothing is left out.",
            )
        )
    return found


def _protocol(origin: OriginFacts, settings: Settings) -> list[Finding]:
    found = []
    if origin.protocol != "HTTP/2":
        found.append(Finding("http1", f"The origin speaks {origin.protocol}; there is no HTTP/2."))
    if origin.pipelined is False:
        found.append(
            Finding(
                "no-pipelining",
                "Requests ahead of their answers are not understood: range connections will be given up.",
                "RANGE_CONNECTIONS=0",
                "three challenges that would each find that out",
            )
        )
    idle = origin.idle_timeout_s
    if idle is not None and idle <= settings.keepwarm_interval_s:
        found.append(
            Finding(
                "short-idle",
                f"Idle connections are closed after {idle:.0f} s, before KEEPWARM_INTERVAL_S="
                f"{settings.keepwarm_interval_s:g} touches them.",
                f"KEEPWARM_INTERVAL_S below {idle:.0f}",
                "a pool that stays warm",
            )
        )
    return found


def _computing(warm: Phases) -> list[Finding]:
    ways = {
        "decode": "DECODE_THREADS, USE_NVDEC=1 with a GPU, or a longer FRAME_STRIDE",
        "inference": "DEVICE, RUNTIME, IMG_SIZE or a longer FRAME_STRIDE",
    }
    name = warm.longest
    if name not in ways:
        return []
    seconds = getattr(warm, name)
    text = f"{NAMES[name].capitalize()} goes on for {seconds:.2f} s after the last byte has arrived."
    return [Finding(name, text, ways[name], f"at most {seconds:.2f} s")]
