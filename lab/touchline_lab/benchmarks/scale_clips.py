"""Makes clips of other lengths and sizes from one rendered clip."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from services.files import complete_or_absent

ENCODER_OPTIONS = {"preset": "veryfast", "crf": "23"}
"""Options of x264 for resized clips: its default quality, at a speed that small machines manage."""


def lengthened(source: Path, target: Path, seconds: float) -> None:
    """Repeat the packets of a clip, up to the first key frame at or after `seconds`.

    Nothing is encoded, so a clip of ten minutes is made in a second. Its groups of pictures are closed, so
    each repetition decodes like the first one.
    """
    limit = Fraction(seconds).limit_denominator(10_000)
    with av.open(str(source)) as old, av.open(str(target), "w", options={"movflags": "+faststart"}) as new:
        track = old.streams.video[0]
        packets = [packet for packet in old.demux(track) if packet.dts is not None]
        copy = new.add_stream_from_template(track)
        base = packets[0].time_base
        duration = sum(packet.duration or 0 for packet in packets)
        for shift in range(0, int(limit / base) + duration, duration):
            for packet in packets:
                assert packet.pts is not None
                assert packet.dts is not None
                if packet.is_keyframe and (packet.pts + shift) * base >= limit:
                    return
                again = av.Packet(bytes(packet))
                again.pts, again.dts, again.duration = packet.pts + shift, packet.dts + shift, packet.duration
                again.time_base, again.is_keyframe, again.stream = base, packet.is_keyframe, copy
                new.mux(again)


def resized(source: Path, target: Path, height: int, seconds: float) -> None:
    """Encode the beginning of a clip in another size, unless the file `target` exists."""
    if target.is_file():
        return
    with (
        complete_or_absent(target) as unfinished,
        av.open(str(source)) as old,
        av.open(str(unfinished), "w", options={"movflags": "+faststart"}) as new,
    ):
        track = old.streams.video[0]
        rate = track.average_rate or Fraction(25)
        width = round(track.codec_context.width * height / track.codec_context.height / 2) * 2
        stream: Any = new.add_stream("libx264", rate=rate, options=ENCODER_OPTIONS)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.gop_size = 50
        for number, picture in enumerate(old.decode(track)):
            if number >= seconds * rate:
                break
            scaled = picture.reformat(width=width, height=height, format="yuv420p")
            scaled.pts, scaled.time_base = number, 1 / rate
            scaled.pict_type = 0
            new.mux(stream.encode(scaled))
        new.mux(stream.encode(None))
