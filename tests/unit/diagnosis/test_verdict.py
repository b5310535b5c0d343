"""The verdict on measurements, in words."""

from __future__ import annotations

import dataclasses

from services.diagnosis.origin_facts import OriginFacts
from services.diagnosis.phases import Phases
from services.diagnosis.verdict import Verdict, judge
from services.settings import load_settings

ORIGIN = OriginFacts(
    final_url="https://clips.test/a.mp4",
    redirects=(),
    protocol="HTTP/2",
    server="nginx",
    size=4_000_000,
    ranges=True,
    pipelined=True,
    index="front",
    round_trip_s=0.04,
)
WARM = Phases(first_byte=0.05, transfer=0.4, decode=0.1, inference=0.2, rest=0.05)


def verdict(
    cold: Phases = WARM, warm: Phases = WARM, facts: dict[str, object] | None = None, **changes: object
) -> Verdict:
    settings = {name: changes.pop(name) for name in list(changes) if name in ("use_connection_pool",)}
    origin = dataclasses.replace(ORIGIN, **changes)  # type: ignore[arg-type]
    return judge(cold, warm, origin, load_settings(**settings), facts or {"bytes": 4_000_000})


def codes(found: Verdict) -> list[str]:
    return [finding.code for finding in found.findings]


def test_connecting_dominates_a_cold_challenge_and_a_warm_pool_saves_exactly_that() -> None:
    found = verdict(cold=dataclasses.replace(WARM, connect=2.4))
    assert (found.dominates_cold, found.dominates_warm) == ("connect", "transfer")
    first = found.findings[0]
    assert first.code == "connect"
    assert "ORIGINS" in first.setting
    assert first.gives.startswith("2.40 s")


def test_a_first_byte_that_is_late_only_on_a_new_connection_belongs_to_its_set_up() -> None:
    found = verdict(cold=dataclasses.replace(WARM, connect=0.3, first_byte=1.25))
    assert found.dominates_cold == "connect"
    assert found.findings[0].gives.startswith("1.50 s")


def test_a_pool_that_is_switched_off_is_named() -> None:
    found = verdict(cold=dataclasses.replace(WARM, connect=2.4), use_connection_pool=False)
    assert found.findings[0].setting.startswith("USE_CONNECTION_POOL=1")
    assert "pool-off" in codes(verdict(use_connection_pool=False))


def test_a_slow_origin_has_no_setting() -> None:
    slow = dataclasses.replace(WARM, first_byte=1.5)
    found = verdict(slow, slow)
    assert found.dominates_warm == "first_byte"
    (finding,) = [finding for finding in found.findings if finding.code == "slow-origin"]
    assert (finding.setting, finding.gives) == ("", "")
    assert "1460 ms" in found.unavoidable


def test_computing_that_outlasts_the_transfer_names_its_settings() -> None:
    found = verdict(warm=dataclasses.replace(WARM, inference=3.0))
    assert found.dominates_warm == "inference"
    assert "DEVICE" in next(finding for finding in found.findings if finding.code == "inference").setting


def test_what_the_origin_lacks_is_found() -> None:
    assert codes(verdict(ranges=False, index="end", pipelined=None)) == ["slow-link", "no-ranges"]
    assert "index-at-end" in codes(verdict(index="end"))
    assert "no-mp4" in codes(verdict(index="none"))
    assert "http1" in codes(verdict(protocol="HTTP/1.1"))
    assert "no-pipelining" in codes(verdict(pipelined=False))
    assert "short-idle" in codes(verdict(idle_timeout_s=5.0))
    assert "short-idle" not in codes(verdict(idle_timeout_s=60.0))
    assert "redirect" in codes(verdict(redirects=("302 https://clips.test/b",)))


def test_a_transfer_that_broke_off_is_found_though_it_ended_well() -> None:
    found = verdict(facts={"bytes": 1, "resumes": 2})
    assert "2 resumes" in next(f for f in found.findings if f.code == "broken-transfer").text
    assert "few-connections" in codes(verdict(facts={"range_connections": "3/24"}))


def test_nothing_is_made_up_where_all_is_well() -> None:
    assert codes(verdict()) == ["slow-link"]
