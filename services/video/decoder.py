"""A decoder for the packets of an indexed clip, and the packets as it takes them."""

from __future__ import annotations

from typing import Any

import av
import av.error

from services.errors import UnsupportedVideo
from services.video.mp4_index import Mp4Index


def open_decoder(index: Mp4Index, threads: int) -> av.VideoCodecContext:
    """A decoder of one track.

    Raises:
        UnsupportedVideo: There is none for its codec.
    """
    try:
        codec = av.CodecContext.create(index.codec, "r")
    except av.error.FFmpegError as error:
        raise UnsupportedVideo(f"no decoder for {index.codec}: {error}") from error
    assert isinstance(codec, av.VideoCodecContext)
    codec.extradata = index.extradata
    codec.thread_type = "AUTO"
    codec.thread_count = threads
    if index.reordered:
        # a file need not say how far its pictures are reordered; guessing, the decoder would lose some
        codec.options = {"strict": "1"}
    return codec


def packet_at(position: int, data: bytes) -> av.Packet[Any]:
    """A packet for the decoder; its time stamp is its position, which comes out with the picture.

    The bytes are copied into memory of FFmpeg's. A packet over Python's bytes would be freed by one of
    the decoder's threads, which takes the interpreter's lock for it, and a decoder that is given up
    early waits for its threads while holding that lock.
    """
    packet: av.Packet[Any] = av.Packet(len(data))
    packet.update(data)
    packet.pts = packet.dts = position
    return packet
