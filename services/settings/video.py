"""Settings of decoding."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings


class VideoSettings(BaseSettings, defer_build=True):
    """Settings of decoding."""

    max_frames: int = Field(20_000, ge=1, le=1_000_000, description="Maximum number of frames of a clip.")
    max_pixels: int = Field(
        3840 * 2160, ge=64 * 64, le=8192 * 8192, description="Maximum size of a picture, width times height."
    )
    decode_threads: int = Field(
        0, ge=0, le=64, description="Decoder threads; 0: one for each core, with a maximum of 4."
    )
