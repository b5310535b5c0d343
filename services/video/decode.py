"""Opening a video: which reader it takes, and whether it is accepted."""

from __future__ import annotations

from services.errors import CorruptVideo, TooLarge, UnsupportedVideo
from services.video.clip import Clip, DecodeLimits, DecodeStats
from services.video.container import ContainerClip
from services.video.first_picture import decode_first_picture
from services.video.indexed import IndexedClip
from services.video.mp4_index import read_index
from services.video.nvdec import DecoderChoice, NvdecClip, choose_for_clip
from services.video.orientation import shown_size
from services.video.promise import IndexDisagrees
from services.video.source import ByteSource

__all__ = ["Clip", "DecodeLimits", "DecodeStats", "open_clip", "open_clip_on"]

_MIN_SIDE = 16
"""Pixels; nothing can be seen in smaller pictures, and no video coder makes them."""
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
    first, difference = None, ""
    if index is not None:
        _check(*shown_size(index.width, index.height, index.turns), index.count, limits)
        try:
            first = decode_first_picture(source, index, limits.max_pixels)
        except IndexDisagrees as error:
            index, difference = None, str(error)
    choice = choose_for_clip(choice, index, limits)
    clip: Clip
    if index is None:
        clip = ContainerClip(source, limits)
        clip.stats.index_disagrees = difference
        _check(clip.width, clip.height, clip.count, limits)
    elif choice.device is None:
        clip = IndexedClip(source, index, limits, first)
    else:
        clip = NvdecClip(source, index, choice.device)
    return clip, choice


def _check(width: int, height: int, count: int | None, limits: DecodeLimits) -> None:
    if width * height > limits.max_pixels:
        raise TooLarge(f"pictures of {width}x{height}; MAX_PIXELS allows {limits.max_pixels}")
    if width < _MIN_SIDE or height < _MIN_SIDE:
        raise UnsupportedVideo(f"pictures of {width}x{height} are too small; check the file")
    if count is not None and count > limits.max_frames:
        raise TooLarge(f"{count} frames; MAX_FRAMES allows {limits.max_frames}")
