"""Settings of the models."""

from __future__ import annotations

from typing import Literal

from pydantic import AliasChoices, Field
from pydantic_settings import BaseSettings

from services.settings.constants import CsvList


class ModelSettings(BaseSettings):
    """Settings of the models."""

    detector_model: str = Field(
        "touchline-detect",
        min_length=1,
        description="Detector: a bundled name, the path of any model that ultralytics loads, or "
        "`hf:owner/repo/file.pt@commit` on a model hub.",
    )
    pitch_model: str = Field(
        "touchline-pitch",
        min_length=1,
        description="32-keypoint pitch model, named like DETECTOR_MODEL: a pose model with 32 keypoints, "
        "or a detector with the classes kp01 to kp32.",
    )
    ball_model: str | None = Field(
        None,
        min_length=1,
        description="A detector, named like DETECTOR_MODEL, whose balls replace those of DETECTOR_MODEL.",
    )
    ball_search: Literal["auto", "on", "off"] = Field(
        "auto",
        description="Kinds gsr, tv_predict and, by rule, soccer_action: look for the ball once more with a "
        "small network, in inferred frames and in those between that are decoded in any case. auto: with the "
        "bundled detector only, since the network has seen rendered pictures alone.",
    )
    class_map: CsvList = Field(
        (),
        description="What the detector's classes are, where their names do not say it: "
        "`cls0=player,staff=none` (ball, goalkeeper, player, referee, none), comma-separated.",
    )
    model_cache_dir: str = Field(
        "~/.cache/touchline",
        min_length=1,
        description="Folder of downloaded models and of those exported for this machine; "
        "Docker keeps it in a volume.",
    )
    hf_endpoint: str = Field(
        "https://huggingface.co", pattern=r"^https?://.+", description="The hub that `hf:` models come from."
    )
    hf_token: str | None = Field(
        None, min_length=1, max_length=400, description="Token for models that the hub gives to you alone."
    )
    allow_unpinned_models: bool = Field(
        False,
        description="Load `hf:` models that name neither a commit nor a checksum. Their content may be "
        "exchanged by others, and loading a .pt runs what it contains.",
    )
    pitch_conf_threshold: float = Field(0.35, gt=0, lt=1, description="Least confidence of a pitch keypoint.")
    first_batch_size: int = Field(
        1, ge=1, le=1024, description="Frames of the first batch, so that inference starts early."
    )
    runtime: Literal["auto", "torch", "openvino", "tensorrt"] = Field(
        "auto",
        description="What models run in. auto: on a CPU OpenVINO (a .pt is exported at the first start), on "
        "CUDA a TensorRT engine that was made before; else torch. tensorrt makes the engine at the start, "
        "which takes minutes once; not run on a GPU yet.",
    )
    inference_slots: int = Field(
        0,
        ge=0,
        le=64,
        validation_alias=AliasChoices("inference_slots", "INFERENCE_LANES"),
        description="Batches that run at once under OpenVINO; 0: one for each core.",
    )
    torch_threads: int = Field(
        0, ge=0, le=256, description="CPU threads of each model; 0 shares the cores among what runs at once."
    )
    half: bool = Field(
        True, description="Half precision on CUDA; the CPU always computes in single precision."
    )
