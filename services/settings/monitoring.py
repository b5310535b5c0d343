"""Settings of logs, metrics, traces and Flower."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings


class MonitoringSettings(BaseSettings, defer_build=True):
    """Settings of logs, metrics, traces and Flower."""

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="Minimum level of log lines."
    )
    log_format: Literal["console", "json"] = Field(
        "console", description="Form of log lines: for a terminal, or one JSON object each."
    )
    metrics_port: int = Field(
        0,
        ge=0,
        le=65_535,
        description="Port on which a worker serves Prometheus metrics of all its processes; 0: none.",
    )
    metrics_address: str = Field(
        "127.0.0.1", min_length=1, description="Address on which METRICS_PORT is served."
    )
    otel_exporter_otlp_endpoint: str | None = Field(
        None,
        pattern=r"^https?://[^\s/]+\S*$",
        description="URL of an OpenTelemetry collector, such as http://127.0.0.1:4318, to which front end, "
        "gateway and workers send a trace of each challenge (extra [tracing]). Unset: no traces.",
    )
    otel_exporter_otlp_headers: str | None = Field(
        None,
        pattern=r"^\s*[^=,\s]+=[^,]*(,\s*[^=,\s]+=[^,]*)*$",
        description="Headers that the collector asks for, `name=value,name=value`, values percent-encoded.",
    )
    flower_port: int = Field(5555, ge=1, le=65_535, description="Port of Flower under `touchline up`.")
    flower_basic_auth: str | None = Field(
        None,
        pattern=r"^[^:]+:.+$",
        description="user:password that Flower asks for. Unset: none on a loopback address, on any other one "
        "that is made up and logged.",
    )
    flower_db: str | None = Field(
        None, description="File in which Flower keeps its history over restarts; unset: it does not."
    )
    flower_max_tasks: int = Field(
        5000, ge=10, le=1_000_000, description="Maximum number of challenges that Flower keeps."
    )
