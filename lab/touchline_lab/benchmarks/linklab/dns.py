"""A DNS server that answers late, and gives the same address for every name.

python dns.py ADDRESS DELAY_S
"""

from __future__ import annotations

import socket
import struct
import sys
import threading
import time

TYPE_A = 1
"""Record type of an IPv4 address (RFC 1035)."""
HEADER = 12
"""Bytes of the header of a DNS message (RFC 1035)."""
TTL_S = 60
"""Seconds that a resolver may keep an answer."""


def reply(query: bytes, address: bytes) -> bytes:
    """Answer a query that has one question: with an A record, or with no record for any other type.

    Args:
        query: The message.
        address: The four bytes of the address.
    """
    at = HEADER
    while query[at]:
        at += query[at] + 1
    (kind,) = struct.unpack(">H", query[at + 1 : at + 3])
    question = query[HEADER : at + 5]
    record = b""
    if kind == TYPE_A:
        # 0xC00C points back to the name in the question
        record = b"\xc0\x0c" + struct.pack(">HHIH", TYPE_A, 1, TTL_S, 4) + address
    counts = struct.pack(">HHHH", 1, bool(record), 0, 0)
    return query[:2] + b"\x81\x80" + counts + question + record


def serve(host: str, delay_s: float) -> None:
    """Answer queries at port 53 of `host`, each after `delay_s` seconds, for ever."""
    address = socket.inet_aton(host)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((host, 53))

        def answer(query: bytes, client: tuple[str, int]) -> None:
            time.sleep(delay_s)
            sock.sendto(reply(query, address), client)

        while True:
            query, client = sock.recvfrom(1500)
            threading.Thread(target=answer, args=(query, client), daemon=True).start()


if __name__ == "__main__":
    serve(sys.argv[1], float(sys.argv[2]))
