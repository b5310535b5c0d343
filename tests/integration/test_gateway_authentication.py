"""Who is answered: signed requests over real HTTP, with real key pairs."""

from __future__ import annotations

import concurrent.futures
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from bittensor_wallet import Keypair

from services.processes.embedded_valkey import EmbeddedValkey
from tests.support.gateways import (
    METAGRAPH,
    MINER,
    NO_PERMIT,
    POOR,
    body_of,
    fiber_message,
    headers_of,
    queued,
    running,
    turbovision_message,
)
from tests.support.processes import wait_for

pytestmark = pytest.mark.integration


@pytest.fixture
def metagraph(tmp_path: Path) -> Path:
    file = tmp_path / "metagraph.json"
    file.write_text(json.dumps(METAGRAPH))
    return file


@pytest.fixture
def checks(metagraph: Path) -> dict[str, Any]:
    """The settings of a gateway that checks everything; nobody works behind it."""
    return {
        "miner_hotkey": MINER,
        "metagraph_file": str(metagraph),
        "gateway_deadline_s": 1.1,
        "gateway_reserve_s": 1.0,
    }


@pytest.fixture
def guarded(valkey: EmbeddedValkey, checks: dict[str, Any]) -> Iterator[httpx.Client]:
    with running(valkey.url, **checks) as client:
        yield client


@pytest.mark.parametrize("prefix", ["", "X-", "x-"])
@pytest.mark.parametrize("message", [turbovision_message, fiber_message])
def test_both_messages_pass_with_both_spellings_of_the_headers(
    guarded: httpx.Client, message: Any, prefix: str
) -> None:
    body = body_of()
    headers = headers_of(body, message=message, prefix=prefix)
    given = guarded.post("/soccer/challenge", content=body, headers=headers)
    assert given.status_code == 504, "nobody works here: it passed, and ended at its deadline"


@pytest.mark.parametrize(
    ("change", "status", "reason"),
    [
        (lambda body: headers_of(body, key=POOR), 403, "stake"),
        (lambda body: headers_of(body, key=NO_PERMIT), 403, "permit"),
        (lambda body: headers_of(body, key=Keypair.create_from_uri("//Dave")), 403, "unknown"),
        (lambda body: headers_of(body, miner=POOR.ss58_address), 401, "miner"),
        (lambda body: headers_of(body + b" "), 401, "signature"),
        (lambda body: headers_of(body[:-1]), 401, "signature"),
        (lambda body: headers_of(body, nonce=str(time.time_ns() - 200 * 10**9)), 401, "nonce"),
        (lambda body: headers_of(body, nonce=str(time.time_ns() + 200 * 10**9)), 401, "nonce"),
        (lambda body: headers_of(body, nonce="soon"), 401, "nonce"),
        (lambda body: {}, 401, "headers"),
        (lambda body: headers_of(body) | {"X-Signature": "0x12"}, 401, "signature"),
        (lambda body: headers_of(body) | {"X-Nonce": str(time.time_ns())}, 401, "signature"),
    ],
    ids=[
        "low stake",
        "no permit",
        "unknown",
        "another miner",
        "longer body",
        "truncated body",
        "stale",
        "of the future",
        "no number",
        "unsigned",
        "short",
        "another nonce",
    ],
)
@pytest.mark.parametrize("route", ["/soccer/challenge", "/challenge", "/predict"])
def test_who_does_not_belong_is_refused_before_any_work(
    guarded: httpx.Client, valkey: EmbeddedValkey, route: str, change: Any, status: int, reason: str
) -> None:
    body = body_of()
    given = guarded.post(route, content=body, headers=change(body))
    assert (given.status_code, given.json()["error"]) == (status, reason)
    assert not queued(valkey.url)


def test_a_stranger_is_refused_before_its_body_is_read(
    valkey: EmbeddedValkey, checks: dict[str, Any]
) -> None:
    with (
        running(valkey.url, **checks, body_timeout_s=60.0) as guarded,
        socket.create_connection((guarded.base_url.host, guarded.base_url.port or 80)) as stranger,
    ):
        stranger.settimeout(30)
        stranger.sendall(b"POST /soccer/challenge HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n{")
        assert b" 401 " in stranger.recv(1000), "no byte of the rest was waited for"


def test_a_nonce_is_used_once_in_all_gateways_together(
    valkey: EmbeddedValkey, checks: dict[str, Any]
) -> None:
    body = body_of()
    headers = headers_of(body)
    with running(valkey.url, **checks) as one, running(valkey.url, **checks) as other:
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            given = list(
                pool.map(
                    lambda client: client.post("/soccer/challenge", content=body, headers=headers),
                    [one, other] * 3,
                )
            )
        assert sorted(response.status_code for response in given) == [401] * 5 + [504]
        assert {one.json()["error"] for one in given if one.status_code == 401} == {"nonce"}
        elsewhere = other.post("/challenge", content=body, headers=headers)
        assert elsewhere.json()["error"] == "nonce", "another route does not help"


def test_one_validator_cannot_take_all_places(valkey: EmbeddedValkey, checks: dict[str, Any]) -> None:
    settings = checks | {"gateway_deadline_s": 10.0, "max_requests_per_hotkey": 1}
    with running(valkey.url, **settings) as client:

        def ask(name: str) -> httpx.Response:
            body = body_of(name=name)
            return client.post("/soccer/challenge", content=body, headers=headers_of(body))

        first = threading.Thread(target=ask, args=["first"])
        first.start()
        assert wait_for(lambda: bool(queued(valkey.url)))
        second = ask("second")
        first.join()
    assert (second.status_code, second.json()["error"]) == (429, "limit")


def test_a_new_snapshot_counts_while_the_gateway_runs(
    valkey: EmbeddedValkey, checks: dict[str, Any], metagraph: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.gateway.metagraph.LOOK_EVERY_S", 0.05)
    os.utime(metagraph, (1000, 1000))
    with running(valkey.url, **checks) as client:

        def error() -> str:
            body = body_of()
            given = client.post("/soccer/challenge", content=body, headers=headers_of(body, key=POOR))
            return str(given.json()["error"])

        assert error() == "stake"
        assert client.get("/readyz").json()["metagraph_age_s"] > 1_000_000
        neurons = [neuron | {"stake": 5000} for neuron in METAGRAPH["neurons"]]  # type: ignore[attr-defined]
        metagraph.write_text(json.dumps({"block": 2, "neurons": neurons}))
        assert wait_for(lambda: error() == "DeadlineExceeded")
        assert client.get("/readyz").json()["metagraph_age_s"] < 1000


def test_until_the_chain_has_been_read_nobody_is_answered(valkey: EmbeddedValkey) -> None:
    body = body_of()
    with running(valkey.url, miner_hotkey=MINER, metagraph_network="ws://127.0.0.1:9") as client:
        given = client.post("/soccer/challenge", content=body, headers=headers_of(body))
        assert (given.status_code, given.json()["error"]) == (503, "metagraph")
        ready = client.get("/readyz")
        assert (ready.status_code, ready.json()["metagraph_age_s"]) == (503, None)
        assert "touchline_gateway_metagraph_age_seconds -1.0" in client.get("/metrics").text


@pytest.mark.parametrize(
    ("settings", "warnings"),
    [
        ({"verify_enabled": False}, ["signatures are NOT checked", "stake and permit are NOT checked"]),
        ({"spotcheck_mode": True}, ["signatures are NOT checked", "stake and permit are NOT checked"]),
        ({"blacklist_enabled": False, "miner_hotkey": MINER}, ["stake and permit are NOT checked"]),
    ],
    ids=["VERIFY_ENABLED=0", "SPOTCHECK_MODE=1", "BLACKLIST_ENABLED=0"],
)
def test_what_is_not_checked_is_said_loudly(
    valkey: EmbeddedValkey,
    caplog: pytest.LogCaptureFixture,
    settings: dict[str, Any],
    warnings: list[str],
) -> None:
    with running(valkey.url, **settings):
        said = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    for warning in warnings:
        assert any(warning in text for text in said), said
