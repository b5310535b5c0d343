"""Decoding on the GPU (NVDEC, through torchcodec), or why a clip is decoded on the CPU all the same.

Not run on a GPU yet: tested up to the call of the device.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from services.errors import CorruptVideo
from services.frame_plan import FramePlan
from services.video.clip import DecodeLimits, DecodeStats
from services.video.letterbox import Frame, Image, Letterbox
from services.video.mp4_index import Mp4Index
from services.video.source import ByteSource, SourceFile

_PACKAGE: Final = "torchcodec.decoders"


@dataclass(frozen=True, slots=True)
class DecoderChoice:
    """What decodes.

    Attributes:
        device: A CUDA device, or None for the CPU.
        why: Why it is the CPU; empty where it is not.
    """

    device: str | None
    why: str = ""

    def __str__(self) -> str:
        return f"{self.device} (torchcodec)" if self.device else f"cpu ({self.why})"


def choose_decoder(device: str) -> DecoderChoice:
    """What USE_NVDEC comes to in this process.

    Args:
        device: Where the models run, as torch names it.
    """
    if not device.startswith("cuda"):
        return DecoderChoice(None, f"the models run on {device}, not on CUDA")
    try:
        importlib.import_module(_PACKAGE)
    except (ImportError, OSError, RuntimeError) as error:
        # torchcodec searches FFmpeg's libraries while it is imported, and says so in one of these
        first = str(error).strip().partition("\n")[0]
        return DecoderChoice(None, f"torchcodec cannot be loaded: {first}; pip install 'touchline[nvdec]'")
    return DecoderChoice(device)


def choose_for_clip(choice: DecoderChoice, index: Mp4Index | None, limits: DecodeLimits) -> DecoderChoice:
    """The same for one clip: what torchcodec cannot number as we do is left to the CPU."""
    if choice.device is None:
        return choice
    if index is None:
        return DecoderChoice(None, "the file has no plain index")
    if index.turns:
        return DecoderChoice(None, "the picture is turned")
    if limits.allow_cut:
        return DecoderChoice(None, "PARTIAL_DOWNLOAD cuts the file off")
    if len(np.unique(np.diff(np.sort(index.pts)))) > 1:
        return DecoderChoice(None, "the frame rate varies")
    return choice


class NvdecClip:
    """A plain MP4 file of constant frame rate, decoded and shrunk on a CUDA device.

    torchcodec finds frames by the rate that the file states ("approximate"): its exact mode reads the whole
    file before the first frame. It reads through `SourceFile`, which waits for bytes that are still arriving.
    """

    reader = "nvdec"

    def __init__(self, source: ByteSource, index: Mp4Index, device: str) -> None:
        self._file = SourceFile(source)
        self._device = device
        self.width, self.height = index.width, index.height
        self.count: int | None = index.count
        self.index: Mp4Index | None = index
        self.stats = DecodeStats(count=index.count)

    def frames(self, plan: FramePlan, letterbox: Letterbox) -> Iterator[Frame]:
        """See `Clip`.

        Raises:
            CorruptVideo: torchcodec cannot read it.
        """
        decoder: Any = None
        for number in range(self.stats.count):
            if not plan.is_sampled(number):
                continue
            begun = time.perf_counter()
            try:
                if decoder is None:
                    decoder = importlib.import_module(_PACKAGE).VideoDecoder(
                        self._file, device=self._device, seek_mode="approximate"
                    )
                image = letterboxed(decoder.get_frame_at(number).data, letterbox)
            except (RuntimeError, ValueError, IndexError) as error:
                if self._file.failure is not None:
                    raise self._file.failure from error
                raise CorruptVideo(f"frame {number} cannot be decoded on the GPU: {error}") from error
            self.stats.add(packets=1, decoded=1, busy_s=time.perf_counter() - begun)
            yield Frame(number, image, plan.needs_keypoints(number))


def letterboxed(picture: Any, letterbox: Letterbox) -> Image:
    """Shrink a picture where it is, and bring it into the host's memory.

    Args:
        picture: (3, height, width) uint8 tensor, RGB.
        letterbox: Where it lies.

    Returns:
        (input_height, input_width, 3) uint8, RGB.
    """
    from torch.nn.functional import interpolate

    # with antialiasing each pixel is a weighted mean over all that it covers
    small = interpolate(
        picture[None].float(),
        (letterbox.height, letterbox.width),
        mode="bilinear",
        antialias=True,
        align_corners=False,
    )
    inside = small[0].round().clamp(0, 255).byte().permute(1, 2, 0).cpu().numpy()
    return letterbox.padded(inside)
