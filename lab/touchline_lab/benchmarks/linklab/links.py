"""The links that are measured on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Link:
    """One link, seen from the client.

    Attributes:
        rtt_ms: Round trip.
        up_mbit: Rate towards the server.
        down_mbit: Rate from it.
        queue_bytes: What waits before it is dropped, about one bandwidth-delay product.
        loss: Share of lost packets.
        hold_hello_ms: Added to the first flight of a TLS handshake.
        hold_second_ms: Added to the second one, which carries the first request.
    """

    rtt_ms: float
    up_mbit: float
    down_mbit: float
    queue_bytes: int
    loss: float = 0.0
    hold_hello_ms: float = 0.0
    hold_second_ms: float = 0.0

    def configuration(self) -> str:
        """The line that the emulator reads."""
        rates = f"{self.rtt_ms:g} {self.up_mbit:g} {self.down_mbit:g}"
        # the queue is read as a whole number
        return f"{rates} {self.queue_bytes:d} {self.loss:g} {self.hold_hello_ms:g} {self.hold_second_ms:g}\n"


LINKS = {
    "lo": Link(0.2, 10_000, 10_000, 50_000_000),
    "r40": Link(40, 50, 300, 1_500_000),
    "r200": Link(200, 20, 100, 2_500_000),
    "r600": Link(600, 20, 100, 7_500_000),
    # DNS 0.2 s (0.16 and a round trip), TCP 0.04, TLS 1.04, the first request 1.14: as operators reported
    "seed": Link(40, 50, 300, 1_500_000, 0.0, 1000, 1100),
}
DNS_DELAY_S = 0.16
