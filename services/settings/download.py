"""Settings of the download."""

from __future__ import annotations

from pydantic import AliasChoices, Field
from pydantic_settings import BaseSettings

from services.settings.constants import CsvList


class DownloadSettings(BaseSettings, defer_build=True):
    """Settings of the download."""

    origins: CsvList = Field(
        ("https://scoredata.me/",),
        description="URLs of origins, comma-separated, whose connections are opened at the start and kept "
        "warm; a single comma: none.",
    )
    keepwarm_interval_s: float = Field(
        20.0,
        ge=0.05,
        le=3600,
        description="Seconds between two requests that keep an idle origin warm; shorter than its idle "
        "time-out.",
    )
    connect_timeout_s: float = Field(
        5.0, gt=0, le=120, description="Maximum time to open a connection, in seconds."
    )
    stall_timeout_s: float = Field(5.0, gt=0, le=120, description="Maximum silence of an origin, in seconds.")
    range_connections: int = Field(
        64,
        ge=0,
        le=128,
        description="Maximum number of range connections to each origin, kept warm, over which a video is "
        "downloaded in parts: 24 up to a round-trip time of 100 ms, more above it. 0: none.",
    )
    range_min_rtt_ms: float = Field(
        10.0,
        ge=0,
        le=10_000,
        description="Minimum round-trip time of an origin, in milliseconds, for RANGE_CONNECTIONS; below it "
        "they save nothing.",
    )
    reuse_probe_s: float = Field(
        2.0,
        gt=0,
        le=60,
        description="Maximum wait for the first byte on a reused connection before a new one is tried, in "
        "seconds.",
    )
    allowed_hosts: CsvList = Field(
        ("*",),
        description="Hosts that may be downloaded from, comma-separated; `*.name`: its subdomains, `*`: all.",
    )
    allow_private_addresses: bool = Field(
        False,
        description="Download from loopback, private and link-local addresses (tests, a local mirror).",
    )
    allow_http: bool = Field(False, description="Accept http:// URLs as well as https://.")
    max_redirects: int = Field(
        3, ge=0, le=20, description="Maximum number of redirects; each target is checked like the URL."
    )
    max_video_mb: float = Field(256.0, gt=0, le=4096, description="Maximum size of a video, in MB.")
    ca_file: str | None = Field(
        None,
        validation_alias=AliasChoices("ca_file", "SSL_CERT_FILE"),
        description="PEM file of certificate authorities that replace the bundled ones (also SSL_CERT_FILE).",
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
