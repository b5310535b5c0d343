"""What a process holds: memory, descriptors, threads, connections."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Footprint:
    """What one process holds.

    Attributes:
        rss_mb: Resident memory, MB.
        descriptors: Open file descriptors.
        threads: Threads.
        sockets: Descriptors that are sockets.
    """

    rss_mb: int
    descriptors: int
    threads: int
    sockets: int


def footprint(pid: int) -> Footprint:
    """Look at a process.

    Raises:
        FileNotFoundError: It has ended.
    """
    folder = Path(f"/proc/{pid}")
    fields = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
    links = []
    for entry in (folder / "fd").iterdir():
        try:
            links.append(os.readlink(entry))
        except FileNotFoundError:
            # closed while it was listed
            continue
    return Footprint(
        rss_mb=int(fields["VmRSS"].split()[0]) >> 10,
        descriptors=len(links),
        threads=int(fields["Threads"]),
        sockets=sum(link.startswith("socket:") for link in links),
    )
