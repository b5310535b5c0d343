"""Settings that are allowed but have a consequence that an operator may not expect."""

from __future__ import annotations

from services.settings import Settings

ENGINE_START_S = 1800
"""Seconds in which a start that makes TensorRT engines is expected to end."""


def cautions(settings: Settings) -> list[str]:
    """The consequences of unusual settings, one sentence each, for the log at the start."""
    found = []
    if settings.use_nvdec:
        found.append("USE_NVDEC=1: decoding on the GPU has not been run on one yet; pictures differ slightly")
    if settings.runtime == "tensorrt" and settings.worker_start_timeout_s < ENGINE_START_S:
        found.append(
            f"RUNTIME=tensorrt, WORKER_START_TIMEOUT_S={settings.worker_start_timeout_s}: the first start "
            f"makes engines; if it takes longer, it begins again without end; {ENGINE_START_S} is enough"
        )
    if settings.partial_download:
        found.append(
            f"PARTIAL_DOWNLOAD=1: only the first {settings.partial_download_mb} MB are used; a clip "
            "that is answered in part scores almost nothing"
        )
    if not settings.chunked_streaming:
        found.append("CHUNKED_STREAMING=0: no frame is decoded before the last byte has arrived")
    if settings.time_budget_s:
        found.append(
            f"TIME_BUDGET_S={settings.time_budget_s}: stopping by the clock makes answers to one clip differ"
        )
    return found
