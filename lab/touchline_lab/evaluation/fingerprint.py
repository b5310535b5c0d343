"""The fingerprint of an answer, by which two machines or two versions of the code are compared."""

from __future__ import annotations

import hashlib

from services.wire.gsr import frames_part

__all__ = ["frames_fingerprint"]


def frames_fingerprint(body: bytes) -> str:
    """SHA-256, in hexadecimal digits, of the frames of an encoded answer.

    The id of the challenge and the processing time are left out, so two answers to a clip have the same
    fingerprint exactly if they agree in every box, id and keypoint.

    Args:
        body: An encoded GSR answer.

    Raises:
        ValueError: The body is not a GSR answer.
    """
    return hashlib.sha256(frames_part(body)).hexdigest()
