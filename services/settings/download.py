"""Settings of the download."""

from __future__ import annotations

from pydantic import AliasChoices, Field
from pydantic_settings import BaseSettings

from services.settings.constants import CsvList


class DownloadSettings(BaseSettings):
    """Settings of the download."""

    origins: CsvList = Field(
        ("https://scoredata.me/",),
        description="URLs, comma-separated, whose connections are opened at the start and kept warm; "
        "a lone comma means none.",
    )
    keepwarm_interval_s: float = Field(
        20.0,
        ge=0.05,
        le=3600,
        description="Seconds between two touches of an idle origin; below its idle time-out.",
    )
    connect_timeout_s: float = Field(
        5.0, gt=0, le=120, description="Longest set-up of a connection, in seconds."
    )
    stall_timeout_s: float = Field(5.0, gt=0, le=120, description="Longest silence of an origin, in seconds.")
    range_connections: int = Field(
        64,
        ge=0,
        le=128,
        description="Most extra connections, kept warm to each origin, over which a video comes in ranges: "
        "24 on an ordinary way, more from a round trip of 100 ms on. 0: none.",
    )
    range_min_rtt_ms: float = Field(
        10.0,
        ge=0,
        le=10_000,
        description="Least round trip to an origin at which RANGE_CONNECTIONS are opened; "
        "close by they save nothing.",
    )
    reuse_probe_s: float = Field(
        2.0,
        gt=0,
        le=60,
        description="Longest wait for the first byte on a reused connection before a fresh one is tried.",
    )
    allowed_hosts: CsvList = Field(
        ("*",),
        description="Hosts that may be fetched from, comma-separated; `*.name`: its subdomains, `*`: all.",
    )
    allow_private_addresses: bool = Field(
        False,
        description="Fetch from loopback, private and link-local addresses (tests, a mirror close by).",
    )
    allow_http: bool = Field(False, description="Accept http:// URLs besides https://.")
    max_redirects: int = Field(
        3, ge=0, le=20, description="Redirects followed; each target is checked like the URL."
    )
    max_video_mb: float = Field(256.0, gt=0, le=4096, description="Largest body accepted, in MB.")
    ca_file: str | None = Field(
        None,
        validation_alias=AliasChoices("ca_file", "SSL_CERT_FILE"),
        description="PEM file of the authorities trusted instead of the bundled ones (also SSL_CERT_FILE).",
    )
    use_proxy: bool = Field(
        False, description="Connect through the proxy HTTPS_PROXY, except to the hosts of NO_PROXY."
    )
    https_proxy: str | None = Field(
        None, description="URL of an HTTP proxy, `http://[user:password@]host:port`; see USE_PROXY."
    )
    no_proxy: CsvList = Field(
        (),
        description="Hosts reached without the proxy, comma-separated: names with their subdomains, "
        "addresses, networks; `*`: all.",
    )
    user_agent: str = Field(
        "touchline/0.1", min_length=1, max_length=200, description="User-Agent of all requests."
    )
