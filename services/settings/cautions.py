"""Settings that are allowed but probably not meant."""

from __future__ import annotations

from services.settings import Settings

ENGINE_START_S = 1800
"""A start that makes TensorRT engines ends within this."""


def cautions(settings: Settings) -> list[str]:
    """What is allowed but probably not meant, for the log at the start; one sentence each."""
    found = []
    if settings.use_nvdec:
        found.append("USE_NVDEC=1: decoding on the GPU was not run on one yet; pictures differ a little")
    if settings.runtime == "tensorrt" and settings.worker_start_timeout_s < ENGINE_START_S:
        found.append(
            f"RUNTIME=tensorrt, WORKER_START_TIMEOUT_S={settings.worker_start_timeout_s}: the first start "
            f"makes engines, may take longer and would then begin anew; {ENGINE_START_S} is enough"
        )
    if settings.partial_download:
        found.append(
            f"PARTIAL_DOWNLOAD=1: only the first {settings.partial_download_mb} MB are looked at; a clip "
            "that is answered in part scores next to nothing"
        )
    if not settings.chunked_streaming:
        found.append("CHUNKED_STREAMING=0: no frame is decoded before the last byte has arrived")
    if settings.time_budget_s:
        found.append(
            f"TIME_BUDGET_S={settings.time_budget_s}: a cut by the clock makes answers to one clip differ"
        )
    return found
