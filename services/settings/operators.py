"""Settings whose names operators already use."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings

from services.settings.constants import DEVICE_PATTERN


class OperatorSettings(BaseSettings):
    """Settings whose names operators already use."""

    use_connection_pool: bool = Field(
        True, description="Keep one warmed HTTP/2 pool per process. 0 opens a fresh connection per challenge."
    )
    chunked_streaming: bool = Field(
        True, description="Decode while downloading. 0 waits for the last byte before the first frame."
    )
    partial_download: bool = Field(
        False,
        description="Download only the first PARTIAL_DOWNLOAD_MB of the clip. Costs most of the score: "
        "frames behind that are extrapolated.",
    )
    partial_download_mb: float = Field(4.0, gt=0, le=1024, description="Megabytes used by PARTIAL_DOWNLOAD.")
    stream_min_start_bytes: int = Field(
        262_144,
        ge=0,
        le=64 << 20,
        description="Bytes that must have arrived before a file without an index is probed.",
    )
    stream_buffer_timeout_s: float = Field(
        0.1, ge=0, le=60, description="Maximum wait for STREAM_MIN_START_BYTES, in seconds."
    )
    img_size: int = Field(384, ge=32, le=2048, description="Longer side of the models' input, in pixels.")
    batch_size: int = Field(
        16,
        ge=1,
        le=1024,
        description="Maximum frames per batch; 64 suits a GPU, 16 keeps two CPU cores busy.",
    )
    frame_stride: int = Field(
        6,
        ge=1,
        le=250,
        description="Every n-th frame is decoded and inferred; "
        "the frames between are interpolated from tracks and camera motion.",
    )
    frame_profile: Literal["every", "snap", "keyframes"] = Field(
        "every",
        description="Which frames are sampled. every: each FRAME_STRIDE-th. snap: the nearest to it that "
        "is not a B-frame. keyframes: key frames of the file that are at least FRAME_STRIDE apart.",
    )
    pitch_stride: int = Field(
        1,
        ge=1,
        le=25,
        description="Every n-th inferred frame is looked at for keypoints; "
        "the camera is interpolated between them.",
    )
    time_budget_s: float = Field(
        0.0,
        ge=0,
        le=600,
        description="Plan for this many seconds, and stop inferring after them and fill the rest "
        " (marked `partial`). "
        "0 leaves the cut to the deadline alone: the whole clip, the same answer every time.",
    )
    inference_cost_ms: float = Field(
        0.0,
        ge=0,
        le=60_000,
        description="Milliseconds per inferred frame, by which a deadline may bring a coarser plan; "
        "0: measured at the start; set it to plan the same on every machine.",
    )
    decode_cost_ms: float = Field(
        0.0,
        ge=0,
        le=60_000,
        description="The same per decoded frame of 1280x720.",
    )
    device: str = Field(
        "auto",
        pattern=DEVICE_PATTERN,
        description="auto, cpu, cuda, cuda:N or mps. auto takes CUDA where there is one.",
    )
    gpus: str | None = Field(
        None,
        pattern=r"^(all|\d{1,2}(,\d{1,2})*)$",
        description="One child process for each of these GPUs: `all`, or numbers as 0,1,3; "
        "WORKER_CONCURRENCY is not looked at then. With DEVICE=cpu the children share the CPU. "
        "Not run on GPUs yet.",
    )
    use_nvdec: bool = Field(
        False,
        description="Decode on the GPU, where the models run on CUDA and torchcodec is installed (the extra "
        "nvdec); else on the CPU, and the worker's log says why. Not run on a GPU yet.",
    )
    conf_threshold: float = Field(0.35, gt=0, lt=1, description="Least confidence of a detected box.")
    max_detections: int = Field(150, ge=1, le=1000, description="Most boxes kept per frame.")
    disable_tracking: bool = Field(
        False,
        description="No tracks: every box keeps its own id and frames between samples repeat the nearest.",
    )
    skip_pitch: bool = Field(
        False, description="Do not load or run the keypoint model; all keypoints are absent."
    )
