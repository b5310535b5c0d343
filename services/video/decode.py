"""Opening a video: which reader it takes, and whether it is accepted."""

from __future__ import annotations

from services.errors import CorruptVideo, TooLarge, UnsupportedVideo
from services.video.clip import Clip, DecodeLimits, DecodeStats
from services.video.container import ContainerClip
from services.video.indexed import IndexedClip
from services.video.mp4_index import read_index
from services.video.nvdec import DecoderChoice, NvdecClip, choose_for_clip
from services.video.source import ByteSource

__all__ = ["Clip", "DecodeLimits", "DecodeStats", "open_clip", "open_clip_on"]

_CPU = DecoderChoice(None, "not asked for the GPU")


def open_clip(source: ByteSource, limits: DecodeLimits) -> Clip:
    """Open a video, for the CPU; see `open_clip_on`."""
    return open_clip_on(_CPU, source, limits)[0]


def open_clip_on(
    choice: DecoderChoice, source: ByteSource, limits: DecodeLimits
) -> tuple[Clip, DecoderChoice]:
    """Open a video as soon as its index has arrived, and say what decodes it.

    Raises:
        UnsupportedVideo, CorruptVideo, TooLarge: As their names say.
    """
    index = read_index(source)
    if index is not None and source.size is not None and index.end > source.size and not limits.allow_cut:
        raise CorruptVideo(
            f"the video is cut off: its index names {index.end} bytes, the file has {source.size}; "
            "check the file"
        )
    choice = choose_for_clip(choice, index, limits)
    clip: Clip
    if index is None:
        clip = ContainerClip(source, limits)
    elif choice.device is None:
        clip = IndexedClip(source, index, limits)
    else:
        clip = NvdecClip(source, index, choice.device)
    if clip.width * clip.height > limits.max_pixels:
        raise TooLarge(f"pictures of {clip.width}x{clip.height}; MAX_PIXELS allows {limits.max_pixels}")
    if clip.width < 16 or clip.height < 16:
        raise UnsupportedVideo(f"pictures of {clip.width}x{clip.height} are too small; check the file")
    if clip.count is not None and clip.count > limits.max_frames:
        raise TooLarge(f"{clip.count} frames; MAX_FRAMES allows {limits.max_frames}")
    return clip, choice
