"""Decoding one group of pictures: packets are selected, decoded, and converted to what was requested.

packets ──▶ select: what sampled frames depend on ──▶ decode ──▶ convert: letterboxed frames, luma pictures
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import av
import av.error

from services.errors import TooLarge
from services.frame_plan import FramePlan
from services.results import LumaPicture
from services.video.clip import DecodeStats
from services.video.decoder import open_decoder, packet_at
from services.video.groups import Groups, Mask
from services.video.letterbox import Frame, Letterbox, letterboxed
from services.video.luma import LumaSelector
from services.video.mp4_index import Mp4Index
from services.video.nal import NalReader, PictureFacts
from services.video.promise import IndexDisagrees, ShownOrder


@dataclass(frozen=True, slots=True)
class DecodeRequest:
    """What is requested of a clip.

    Attributes:
        plan: The frame plan.
        sampled: (packets,) whether a packet is a sampled frame, by position in decoding order.
        letterbox: The size of the models' input.
        luma: Decides which frames get a luma picture; each group uses one of its own.
        first: The clip's first picture, if it is decoded already.
    """

    plan: FramePlan
    sampled: Mask
    letterbox: Letterbox
    luma: LumaSelector
    first: av.VideoFrame | None = None


class GroupDecoder:
    """Decodes one group of a clip, or everything from a group on, in one decoder.

    Args:
        index: The clip's index.
        groups: Reads packets and says which are needed.
        nals: Reads the headers of packets.
        request: What is requested.
        stats: Counts what happens.
        max_pixels: Largest accepted picture, width times height.
        threads: Threads of the decoder.
    """

    def __init__(
        self,
        index: Mp4Index,
        groups: Groups,
        nals: NalReader,
        request: DecodeRequest,
        stats: DecodeStats,
        max_pixels: int,
        threads: int,
    ) -> None:
        self._index = index
        self._groups = groups
        self._nals = nals
        self._plan, self._letterbox = request.plan, request.letterbox
        self._sampled = request.sampled
        self._first = request.first
        self._luma = request.luma.for_another_decoder()
        self._stats = stats
        self._max_pixels = max_pixels
        self._threads = threads
        self._codec: av.VideoCodecContext | None = None
        self._order = ShownOrder()

    def decode(self, start: int, *, to_end: bool = False) -> Iterator[Frame | LumaPicture]:
        """Decode a group, or with `to_end` everything from it on.

        Args:
            start: Position of the group's first packet.
            to_end: Go on through all later groups.

        Raises:
            ChallengeError: The bytes do not arrive, or the pictures cannot be decoded.
            IndexDisagrees: The pictures are not those of the index. What was given before is right.
        """
        first: bytes | None = None  # decoded alone; later packets still refer to it
        for position, data, restarts in self._select(start, to_end):
            if position == start and restarts and self._may_decode_alone(start):
                picture = self._decode_alone(start, data)
                if picture is not None:
                    yield picture
                    first = data
                    self._sampled = self._sampled.copy()
                    self._sampled[start] = False
                    continue
            if self._codec is None:
                self._codec = open_decoder(self._index, self._threads)
            if first is not None:
                yield from self._decode_packet(self._codec, packet_at(start, first))
                first = None
            yield from self._decode_packet(self._codec, packet_at(position, data))
        if self._codec is not None:
            yield from self._decode_packet(self._codec, None)
            self._order.ended()
        elif first is not None:
            self._stats.add(packets=1, decoded=1)

    def _select(self, start: int, to_end: bool) -> Iterator[tuple[int, bytes, bool]]:
        """Position and data of the packets to decode, and whether the decoder restarts there."""
        for position, needed in self._groups.positions(start, self._sampled, on=to_end):
            if not (needed or self._groups.fetched(position)):
                continue
            data = self._groups.read(position)
            if data is None:
                return
            facts = self._read_facts(position, data)
            if needed and (self._sampled[position] or not facts.unreferenced):
                yield position, data, facts.restarts

    def _read_facts(self, position: int, data: bytes) -> PictureFacts:
        """Read the headers of a packet, whether it is decoded or not: each has to be one picture."""
        facts = self._nals.read(data)
        if facts.odd:
            raise IndexDisagrees(f"{facts.odd}, at frame {self._index.display[position]}")
        if not facts.whole:
            self._order.forgive()
        return facts

    def _may_decode_alone(self, start: int) -> bool:
        """Whether a group's first picture is decoded by itself, so that it comes out before others go in.

        The clip's very first frame is waited for. And where it is all that is sampled in a group, it need not
        wait until the end of the group is known.
        """
        if not self._sampled[start]:
            return False
        comes_late = self._threads > 1 or self._index.reordered
        alone = not self._sampled[start + 1 : self._groups.next_mark(start)].any()
        decoded = self._first is not None
        return (start == 0 and (comes_late or decoded)) or alone

    def _decode_alone(self, position: int, data: bytes) -> Frame | LumaPicture | None:
        begun = time.perf_counter()
        if position == 0 and self._first is not None:
            pictures = [self._first]
        else:
            codec = open_decoder(self._index, threads=1)
            try:
                pictures = codec.decode(packet_at(position, data)) + codec.decode(None)
            except av.error.FFmpegError:
                return None
        found = self._convert(pictures[0]) if pictures else None
        self._stats.add(busy_s=time.perf_counter() - begun)
        return found

    def _decode_packet(
        self, codec: av.VideoCodecContext, packet: av.Packet[Any] | None
    ) -> Iterator[Frame | LumaPicture]:
        """Put a packet into the decoder, or None for the end; gives what comes out, converted."""
        begun = time.perf_counter()
        if packet is not None and packet.pts is not None:
            self._order.expect(int(self._index.display[packet.pts]))
        try:
            pictures = codec.decode(packet)
        except av.error.FFmpegError:
            # one bad packet costs its frames, not the clip
            pictures = []
            self._stats.add(damaged=1)
            self._order.forgive()
        self._stats.add(packets=int(packet is not None), decoded=len(pictures))
        for picture in pictures:
            if picture.pts is not None and 0 <= picture.pts < self._index.count:
                self._order.came(int(self._index.display[picture.pts]))
            found = self._convert(picture)
            self._stats.add(busy_s=time.perf_counter() - begun)
            if found is not None:
                yield found
            begun = time.perf_counter()
        self._stats.add(busy_s=time.perf_counter() - begun)

    def _convert(self, picture: av.VideoFrame) -> Frame | LumaPicture | None:
        """The letterboxed frame, or the luma picture, of a decoded picture; None when it is neither."""
        if picture.width * picture.height > self._max_pixels:
            size = f"{picture.width}x{picture.height}"
            raise TooLarge(f"pictures of {size}; MAX_PIXELS allows {self._max_pixels}")
        position = picture.pts
        if position is None or not 0 <= position < len(self._sampled):
            return None
        number, turns = int(self._index.display[position]), self._index.turns
        if not self._sampled[position]:
            return self._luma.of_other_frame(number, picture)
        image = letterboxed(picture, self._letterbox, turns)
        luma = self._luma.of_sampled_frame(number, picture)
        full = self._luma.at_full_size(number, picture)
        return Frame(number, image, self._plan.needs_keypoints(number), luma, full)
