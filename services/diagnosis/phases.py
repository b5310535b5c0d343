"""The critical path of one challenge, cut into phases that follow each other and add up to the total."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Phases:
    """Seconds of each phase.

    Decoding and inference run while bytes arrive; what of them happens after the last byte is their phase,
    shared in proportion to how busy each was.

    Attributes:
        redirects: Following redirects.
        connect: Opening a connection: name, TCP, TLS.
        first_byte: From the request to the first byte of the answer.
        transfer: From the first byte to the last one.
        decode: After the last byte, the share of decoding.
        inference: After the last byte, the share of inference.
        rest: Tracking, filling, encoding.
    """

    redirects: float = 0.0
    connect: float = 0.0
    first_byte: float = 0.0
    transfer: float = 0.0
    decode: float = 0.0
    inference: float = 0.0
    rest: float = 0.0

    @property
    def total(self) -> float:
        """The sum, seconds."""
        return float(sum(asdict(self).values()))

    @property
    def longest(self) -> str:
        """The name of the phase that takes longest."""
        found: dict[str, float] = asdict(self)
        return max(found, key=lambda name: found[name])


def phases_of(timeline: Mapping[str, Any]) -> Phases:
    """Cut a timeline into phases; stages that it does not have take no time."""
    stages = timeline.get("stages", {})

    def lasted(stage: str) -> float:
        span = stages.get(stage)
        return 0.0 if span is None else max(0.0, float(span["end"]) - float(span["start"]))

    def end(stage: str, otherwise: float) -> float:
        span = stages.get(stage)
        return otherwise if span is None else float(span["end"])

    def busy(stage: str) -> float:
        return float(stages.get(stage, {}).get("busy", 0.0))

    total = float(timeline.get("total", 0.0))
    redirects, connect, first_byte = lasted("redirect"), lasted("connect"), lasted("first_byte")
    waited = redirects + connect + first_byte
    # what comes before the first request and between two of them counts to the transfer
    last_byte = max(waited, end("download", waited))
    computed = max(0.0, min(total, end("inference", total)) - last_byte)
    rest = max(0.0, total - last_byte - computed)
    decode, inference = busy("decode"), busy("inference")
    if not decode and not inference:
        rest, computed = rest + computed, 0.0
    share = decode / (decode + inference) if decode or inference else 0.0
    return Phases(
        redirects=redirects,
        connect=connect,
        first_byte=first_byte,
        transfer=last_byte - waited,
        decode=computed * share,
        inference=computed * (1 - share),
        rest=rest,
    )
