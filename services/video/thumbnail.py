"""A picture so small that every frame's can be kept: enough to tell one shot from the next."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from services.video.letterbox import Image, can_be_halved, halved

SIZE: Final = (32, 18)
"""Width and height, pixels."""


def thumbnail(image: Image) -> Image:
    """The mean colours of a picture (height, width, 3), as (18, 32, 3); or its mean greys, as (18, 32)."""
    # quickly as far as it goes: what is left takes a slow mean
    while image.shape[1] >= 6 * SIZE[0] and can_be_halved(image):
        image = halved(image)
    return np.asarray(cv2.resize(image, SIZE, interpolation=cv2.INTER_AREA), np.uint8)
