"""Settings of the models."""

from __future__ import annotations

from typing import Literal

from pydantic import AliasChoices, Field
from pydantic_settings import BaseSettings

from services.settings.constants import CsvList


class ModelSettings(BaseSettings, defer_build=True):
    """Settings of the models."""

    detector_model: str = Field(
        "touchline-detect",
        min_length=1,
        description="Detector: a bundled name, the path of a model that ultralytics loads, or "
        "`hf:owner/repo/file.pt@commit` on a model hub.",
    )
    pitch_model: str = Field(
        "touchline-pitch",
        min_length=1,
        description="Pitch model, named like DETECTOR_MODEL: a pose model with 32 keypoints, or a detector "
        "with the classes kp01 to kp32.",
    )
    ball_model: str | None = Field(
        None,
        min_length=1,
        description="Ball model, named like DETECTOR_MODEL: a detector whose balls replace those of "
        "DETECTOR_MODEL.",
    )
    ball_search: Literal["auto", "on", "off"] = Field(
        "auto",
        description="Search the ball again, for the kinds gsr, tv_predict and, by rule, soccer_action: "
        "with the fine ball detector in the luma of sampled frames at full size, and in the second ball "
        "pass with a small network in frames that are decoded anyway. auto: only with a bundled detector, "
        "with touchline-detect-rendered the second ball pass alone. on: both, with any detector.",
    )
    class_map: CsvList = Field(
        (),
        description="What the detector's classes are, where their names do not say it, comma-separated: "
        "`cls0=player,staff=none` (ball, goalkeeper, player, referee or none).",
    )
    model_cache_dir: str = Field(
        "~/.cache/touchline",
        min_length=1,
        description="Folder for downloaded models and for exports made for this machine; Docker keeps it "
        "in a volume.",
    )
    hf_endpoint: str = Field(
        "https://huggingface.co", pattern=r"^https?://.+", description="The hub that `hf:` models come from."
    )
    hf_token: str | None = Field(
        None,
        min_length=1,
        max_length=400,
        description="Token for private and gated models of the hub.",
    )
    allow_unpinned_models: bool = Field(
        False,
        description="Load `hf:` models that name neither a commit nor a checksum. Others can change their "
        "content, and loading a .pt runs code that it contains.",
    )
    pitch_img_size: int = Field(
        640,
        ge=32,
        le=2048,
        description="Maximum longer side of the pitch model's input, in pixels; a larger IMG_SIZE is for the "
        "detector alone. Keypoints are found as well at 640, in half of the time that 960 takes.",
    )
    pitch_conf_threshold: float = Field(0.35, gt=0, lt=1, description="Minimum confidence of a keypoint.")
    first_batch_size: int = Field(
        1, ge=1, le=1024, description="Frames in the first batch; a small one lets inference start early."
    )
    runtime: Literal["auto", "torch", "openvino", "tensorrt"] = Field(
        "auto",
        description="Library that runs the models. auto: on a CPU OpenVINO (a .pt is exported at the "
        "first start), on CUDA a TensorRT engine if one has been made, otherwise torch. "
        "tensorrt makes the engine at the start, which takes minutes once; not run on a GPU "
        "yet.",
    )
    inference_slots: int = Field(
        0,
        ge=0,
        le=64,
        validation_alias=AliasChoices("inference_slots", "INFERENCE_LANES"),
        description="Batches that run at the same time under OpenVINO; 0: one for each core.",
    )
    torch_threads: int = Field(
        0,
        ge=0,
        le=256,
        description="CPU threads of each model; 0 shares the cores among what runs at the same time.",
    )
    half: bool = Field(True, description="Compute in half precision on CUDA.")
