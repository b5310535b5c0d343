"""Settings of the HTTP gateway and of its authentication."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings

SPOT_CHECK_S = 120.0
"""Seconds that a spot check waits for an answer (docs/reference/wire.md)."""


class GatewaySettings(BaseSettings, defer_build=True):
    """Settings of the HTTP gateway and of its authentication."""

    gateway_host: str = Field(
        "127.0.0.1", min_length=1, description="Address on which `touchline gateway` listens."
    )
    gateway_port: int = Field(8000, ge=1, le=65_535, description="Its port.")
    status_page: Literal["local", "all", "off"] = Field(
        "local",
        description="Who gets the gateway's status page at `/`: clients with a loopback or private address, "
        "everybody, nobody.",
    )
    flower_url: str = Field("http://127.0.0.1:5555/", description="Where the status page links to Flower.")
    grafana_url: str = Field("http://127.0.0.1:3000/", description="Where it links to Grafana.")
    gateway_deadline_s: float = Field(
        30.0,
        gt=0,
        le=3600,
        description="Seconds that a validator waits for an answer, from the arrival of its request.",
    )
    gateway_reserve_s: float = Field(
        1.0,
        ge=0,
        le=60,
        description="Seconds of these that are kept for the way back: the challenge's deadline is that much "
        "earlier.",
    )
    max_body_mb: float = Field(
        48.0, gt=0, le=1024, description="Maximum size of a request's body, in megabytes."
    )
    body_timeout_s: float = Field(
        5.0, gt=0, le=60, description="Seconds within which a request's body has to arrive."
    )
    max_requests: int = Field(
        200, ge=1, le=10_000, description="Requests of all validators that may wait for an answer together."
    )
    max_requests_per_hotkey: int = Field(
        10, ge=1, le=10_000, description="Requests of one validator that may wait together."
    )
    record_dir: str | None = Field(
        None,
        min_length=1,
        description="Folder in which the gateway keeps answered challenges for `touchline replay`.",
    )
    record_max_mb: float = Field(
        500.0, gt=0, le=1_000_000, description="Megabytes that RECORD_DIR may take; the oldest are removed."
    )
    verify_enabled: bool = Field(
        True,
        description="Check the signature of every request. 0 answers anybody who can reach the port.",
    )
    blacklist_enabled: bool = Field(
        True,
        description="Answer only validators that the metagraph lists with MIN_STAKE_THRESHOLD and a permit.",
    )
    spotcheck_mode: bool = Field(
        False,
        description="Set by spot checks, which rerun the image with neither signature nor metagraph: "
        "turns VERIFY_ENABLED and BLACKLIST_ENABLED off, allows an answer 120 seconds, and has the clip "
        "fetched from the spot check's own proxy.",
    )
    min_stake_threshold: float = Field(
        1000.0, ge=0, description="Minimum stake of a validator, in the metagraph's unit."
    )
    miner_hotkey: str | None = Field(
        None,
        pattern=r"^[1-9A-HJ-NP-Za-km-z]{46,50}$",
        description="SS58 address of this miner's hotkey; requests for another one are refused.",
    )
    metagraph_network: str | None = Field(
        None,
        pattern=r"^(finney|test|local|wss?://\S+)$",
        description="Where the gateway reads the subnet's validators: `finney`, `test`, `local`, or the "
        "address of a node, `wss://...`. It needs the extra [chain].",
    )
    netuid: int = Field(44, ge=0, le=65_535, description="The number of the subnet.")
    metagraph_refresh_s: float = Field(
        600.0, ge=12, le=86_400, description="Seconds between two reads of METAGRAPH_NETWORK."
    )
    metagraph_file: str | None = Field(
        None,
        min_length=1,
        description="JSON file with the subnet's validators (docs/guides/gateway.md). Without "
        "METAGRAPH_NETWORK a job of yours writes it, and it is read again when it changes; with it, the "
        "gateway keeps its latest snapshot there for its next start.",
    )

    @property
    def answer_within_s(self) -> float:
        """Seconds from the arrival of a request until its challenge's deadline."""
        waited_s = max(self.gateway_deadline_s, SPOT_CHECK_S if self.spotcheck_mode else 0.0)
        return max(0.0, waited_s - self.gateway_reserve_s)

    @property
    def verifies(self) -> bool:
        """Whether signatures are checked."""
        return self.verify_enabled and not self.spotcheck_mode

    @property
    def checks_stake(self) -> bool:
        """Whether validators are looked up in the metagraph."""
        return self.blacklist_enabled and not self.spotcheck_mode
