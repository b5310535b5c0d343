"""What the index of a file promises about its pictures, and whether a decoder keeps it."""

from __future__ import annotations

from heapq import heappop, heappush


class IndexDisagrees(Exception):
    """The pictures are not one a packet, in the order of the index; the text says how they differ.

    It never leaves a clip: what numbers frames by the order of decoded pictures takes over.
    """


class ShownOrder:
    """Compares the pictures that come out of a decoder with the packets that went into it.

    Each packet should become one picture, and they should come out by rising frame number. A damaged packet
    may cost pictures, and a decoder may show others too late: after one, nothing is compared.
    """

    def __init__(self) -> None:
        self._expected: list[int] = []
        self._compares = True

    def expect(self, number: int) -> None:
        """The packet of that frame goes into the decoder."""
        heappush(self._expected, number)

    def forgive(self) -> None:
        """A packet is damaged."""
        self._compares = False

    def came(self, number: int) -> None:
        """That frame has come out.

        Raises:
            IndexDisagrees: Another one should have come out before it.
        """
        if not self._compares:
            return
        if not self._expected or self._expected[0] != number:
            raise IndexDisagrees(
                f"frame {number} is shown where frame {min([*self._expected, number])} should be"
            )
        heappop(self._expected)

    def ended(self) -> None:
        """The decoder is empty.

        Raises:
            IndexDisagrees: Not every packet has become a picture.
        """
        if self._compares and self._expected:
            raise IndexDisagrees(f"frame {self._expected[0]} is not shown")
