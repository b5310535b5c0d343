"""The first picture of an indexed clip, decoded when the clip is opened and held against its index."""

from __future__ import annotations

import av
import av.error

from services.errors import CorruptVideo
from services.video.decoder import open_decoder, packet_at
from services.video.mp4_index import Mp4Index
from services.video.nal import NalReader
from services.video.promise import IndexDisagrees
from services.video.source import ByteSource


def decode_first_picture(source: ByteSource, index: Mp4Index, max_pixels: int) -> av.VideoFrame | None:
    """Decode the first packet; it is the first frame, so that nothing is decoded that is not needed.

    Args:
        source: The bytes of the file.
        index: Its index.
        max_pixels: Largest picture accepted, width times height, as it is coded.

    Returns:
        The picture; None where its bytes are damaged or cut off.

    Raises:
        IndexDisagrees: It is not one picture of the size that the index says, at which a decoder can begin.
        TooLarge: It is larger than accepted; it is not decoded then.
        ChallengeError: The source failed.
    """
    size = int(index.sizes[0])
    data = source.read_at(int(index.offsets[0]), size)
    if len(data) < size:
        return None
    try:
        nals = NalReader(index.codec, index.extradata, max_pixels)
    except CorruptVideo as error:
        raise IndexDisagrees(str(error)) from error
    facts = nals.read(data)
    if nals.odd or facts.odd:
        raise IndexDisagrees(nals.odd or facts.odd)
    if facts.whole and not facts.random_access:
        raise IndexDisagrees("it does not begin with a key picture")
    codec = open_decoder(index, threads=1)
    try:
        pictures = [*codec.decode(packet_at(0, data)), *codec.decode(None)]
    except av.error.FFmpegError:
        return None
    if len(pictures) != 1:
        if facts.whole:
            raise IndexDisagrees(f"its first packet is {len(pictures)} pictures")
        return None
    (picture,) = pictures
    if (picture.width, picture.height) != (index.width, index.height):
        raise IndexDisagrees(
            f"its pictures are {picture.width}x{picture.height}, not {index.width}x{index.height}"
        )
    return picture
