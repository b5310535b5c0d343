"""Settings that every operator of a miner knows: pool, streaming, sampling, device, thresholds."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings

from services.settings.constants import DEVICE_PATTERN


class OperatorSettings(BaseSettings, defer_build=True):
    """Settings whose names operators already use."""

    use_connection_pool: bool = Field(
        True,
        description="Keep one pool of warm connections per process. 0 opens a new connection for every "
        "challenge.",
    )
    chunked_streaming: bool = Field(
        True,
        description="Decode while downloading. 0 waits for the last byte before the first frame is decoded.",
    )
    partial_download: bool = Field(
        False,
        description="Download only the first PARTIAL_DOWNLOAD_MB of a clip. This costs most of the score, "
        "because later frames are extrapolated.",
    )
    partial_download_mb: float = Field(
        4.0, gt=0, le=1024, description="Megabytes that PARTIAL_DOWNLOAD downloads."
    )
    stream_min_start_bytes: int = Field(
        262_144,
        ge=0,
        le=64 << 20,
        description="Bytes that must have arrived before a file without an index is examined.",
    )
    stream_buffer_timeout_s: float = Field(
        0.1, ge=0, le=60, description="Maximum wait for STREAM_MIN_START_BYTES, in seconds."
    )
    img_size: int = Field(
        1024,
        ge=32,
        le=2048,
        description="Longer side of the models' input, in pixels. 1280 suits a GPU; 640 takes "
        "half of the time on a CPU and misses more balls and referees (docs/concepts/accuracy.md).",
    )
    action_img_size: int = Field(
        1280,
        ge=32,
        le=2048,
        description="IMG_SIZE of the kind `soccer_action` with the bundled models, if it is larger: its "
        "score does not count seconds, and more balls are found in larger pictures.",
    )
    batch_size: int = Field(
        16,
        ge=1,
        le=1024,
        description="Maximum number of frames in a batch; 64 suits a GPU, 16 keeps two CPU cores busy.",
    )
    frame_stride: int = Field(
        6,
        ge=1,
        le=250,
        description="Every n-th frame is sampled; the frames between are interpolated from tracks and camera "
        "motion.",
    )
    frame_profile: Literal["every", "snap", "keyframes"] = Field(
        "every",
        description="Which frames are sampled. every: each FRAME_STRIDE-th. snap: the nearest one to it that "
        "is not a B-frame. keyframes: key frames with a minimum distance of FRAME_STRIDE.",
    )
    pitch_stride: int = Field(
        1,
        ge=1,
        le=25,
        description="Keypoints are searched in every n-th sampled frame; the camera is interpolated between "
        "these.",
    )
    time_budget_s: float = Field(
        0.0,
        ge=0,
        le=600,
        description="Time budget in seconds: fewer frames are sampled if necessary, and when it has "
        "passed, the rest is interpolated and the answer marked `partial`. 0: none, so that "
        "the same clip always gets the same answer.",
    )
    inference_cost_ms: float = Field(
        0.0,
        ge=0,
        le=60_000,
        description="Milliseconds of inference for one sampled frame; with it a short deadline leads to "
        "fewer sampled frames. 0: measured at the start; a value makes all machines sample "
        "the same frames.",
    )
    decode_cost_ms: float = Field(
        0.0,
        ge=0,
        le=60_000,
        description="Milliseconds of decoding for one frame of 1280x720, likewise.",
    )
    device: str = Field(
        "auto",
        pattern=DEVICE_PATTERN,
        description="Where models run: auto, cpu, cuda, cuda:N or mps. auto uses CUDA if there is a CUDA "
        "device.",
    )
    gpus: str | None = Field(
        None,
        pattern=r"^(all|\d{1,2}(,\d{1,2})*)$",
        description="One child process for each of these GPUs: `all`, or numbers such as 0,1,3; "
        "WORKER_CONCURRENCY is then ignored. With DEVICE=cpu the children share the CPU. "
        "Not run on GPUs yet.",
    )
    use_nvdec: bool = Field(
        False,
        description="Decode on the GPU if the models run on CUDA and torchcodec is installed (extra nvdec); "
        "otherwise on the CPU, and the worker's log says why. The ball is then found by the detector alone "
        "(BALL_SEARCH has no effect). Not run on a GPU yet.",
    )
    conf_threshold: float = Field(0.35, gt=0, lt=1, description="Minimum confidence of a detected box.")
    max_detections: int = Field(150, ge=1, le=1000, description="Maximum number of boxes per frame.")
    disable_tracking: bool = Field(
        False,
        description="No tracks: every box has an id of its own, and frames that are not sampled repeat "
        "the nearest one that is.",
    )
    skip_pitch: bool = Field(
        False, description="Do not load or run the pitch model; all keypoints are absent."
    )
