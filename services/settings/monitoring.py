"""Settings of logs and Flower."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings


class MonitoringSettings(BaseSettings, defer_build=True):
    """Settings of logs and Flower."""

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="Minimum level of log lines."
    )
    flower_port: int = Field(5555, ge=1, le=65_535, description="Port of Flower under `touchline up`.")
    flower_basic_auth: str | None = Field(
        None, pattern=r"^[^:]+:.+$", description="user:password that Flower asks for."
    )
