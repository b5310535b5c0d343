"""A picture so small that every frame's can be kept: enough to tell one shot from the next."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from services.video.picture import Image

SIZE: Final = (32, 18)
"""Width and height, pixels."""


def thumbnail(image: Image) -> Image:
    """The mean colours of a picture (height, width, 3), as (18, 32, 3); or its mean greys, as (18, 32)."""
    # OpenCV averages quickly where two pixels become one, and slowly otherwise
    while image.shape[1] >= 6 * SIZE[0] and not (image.shape[0] % 2 or image.shape[1] % 2):
        half = (image.shape[1] // 2, image.shape[0] // 2)
        image = np.asarray(cv2.resize(image, half, interpolation=cv2.INTER_AREA), np.uint8)
    return np.asarray(cv2.resize(image, SIZE, interpolation=cv2.INTER_AREA), np.uint8)
