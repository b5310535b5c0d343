"""The links that the benchmark measures on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Link:
    """One link, seen from the client.

    Attributes:
        rtt_ms: Round-trip time in ms.
        up_mbit: Bandwidth towards the server in Mbit/s.
        down_mbit: Bandwidth from the server in Mbit/s.
        queue_bytes: Bytes that may wait for the link before packets are dropped: about one bandwidth-delay
            product.
        loss: Share of lost packets, 0 to 1.
        hold_hello_ms: Additional delay in ms of the client's first flight of a TLS handshake.
        hold_second_ms: Additional delay in ms of its second flight, which carries the first request.
    """

    rtt_ms: float
    up_mbit: float
    down_mbit: float
    queue_bytes: int
    loss: float = 0.0
    hold_hello_ms: float = 0.0
    hold_second_ms: float = 0.0

    def configuration(self) -> str:
        """The line of text that the emulator reads."""
        rates = f"{self.rtt_ms:g} {self.up_mbit:g} {self.down_mbit:g}"
        # the emulator reads the queue as a whole number
        return f"{rates} {self.queue_bytes:d} {self.loss:g} {self.hold_hello_ms:g} {self.hold_second_ms:g}\n"


LINKS = {
    "lo": Link(0.2, 10_000, 10_000, 50_000_000),
    "r40": Link(40, 50, 300, 1_500_000),
    "r200": Link(200, 20, 100, 2_500_000),
    "r600": Link(600, 20, 100, 7_500_000),
    # DNS 0.2 s (0.16 and a round trip), TCP 0.04, TLS 1.04, the first request 1.14: as operators reported
    "seed": Link(40, 50, 300, 1_500_000, 0.0, 1000, 1100),
}
"""The links by name; `lo` is the loopback."""
DNS_DELAY_S = 0.16
"""Seconds that the DNS server of the lab waits before it answers."""
