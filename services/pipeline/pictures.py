"""The pictures of a challenge that brings no video: from its message, or fetched one after the other."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence

from services.byte_span import ByteSpan
from services.cancellation import CancelScope
from services.deadline import Deadline
from services.download.picture_download import download_picture
from services.download.pool import ConnectionPool
from services.errors import InvalidChallenge, TooLarge
from services.settings import Settings
from services.timeline import Timeline
from services.video.picture_clip import PictureClip
from services.wire.challenge import ChallengeFrame


class Pictures:
    """What a `Download` is for a video.

    Args:
        pool: Where connections come from.
        frames: The pictures, by rising number.
        settings: Limits and time-outs.
        deadline: Bounds every wait.
        scope: Its cancel ends a read.
        timeline: Gets `download` and the bytes.
    """

    def __init__(
        self,
        pool: ConnectionPool,
        frames: Sequence[ChallengeFrame],
        settings: Settings,
        deadline: Deadline,
        scope: CancelScope,
        timeline: Timeline,
    ) -> None:
        self._pool = pool
        self._frames = frames
        self._settings = settings
        self._deadline = deadline
        self._scope = scope
        self._timeline = timeline
        self._left = int(settings.max_video_mb * 1_000_000)

    def open(self, max_frames: int, max_pixels: int) -> PictureClip:
        """The pictures as a clip; the first of them is there then.

        Raises:
            ChallengeError: It cannot be had, or is no picture.
        """
        if len(self._frames) > max_frames:
            raise TooLarge(f"{len(self._frames)} frames; MAX_FRAMES allows {max_frames}")
        clip = PictureClip(len(self._frames), self._load, max_pixels)
        self._timeline.mark("index")
        return clip

    def restrict_to(self, spans: Sequence[ByteSpan] | None) -> None:
        """Each picture is fetched when its turn comes."""

    def join(self, timeout: float) -> bool:
        """Nothing of its own runs: a read ends with the cancel."""
        return True

    def _load(self, position: int) -> bytes:
        frame = self._frames[position]
        if frame.data:
            data = _from_base64(frame.frame_id, frame.data)
        else:
            begun = self._timeline.now()
            data = download_picture(self._pool, frame.url or "", self._deadline, self._scope, self._left)
            self._timeline.add("download", begun, self._timeline.now())
        self._timeline.count("bytes", len(data))
        self._left -= len(data)
        if self._left < 0:
            raise TooLarge(
                f"the frames have more bytes than MAX_VIDEO_MB allows ({self._settings.max_video_mb})"
            )
        return data


def _from_base64(frame_id: int, text: str) -> bytes:
    try:
        return base64.b64decode(text.partition(",")[2] if text.startswith("data:") else text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidChallenge(f"the data of frame {frame_id} is not base64: {error}") from error
