"""Where the clip is served from: the link lab, or the demo origin where the link lab cannot run."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Protocol

from touchline_lab.benchmarks.linklab.lab import Lab
from touchline_lab.benchmarks.linklab.links import LINKS
from touchline_lab.demo_origin.setup_delay import SEED_DELAYS, SetupDelays

DEMO_LINK = "demo"
"""Name of the loopback with the demo origin, whose new connections take 2.4 s to set up."""
MIN_IDLE_S = 1.0
"""Seconds without traffic after which a connection counts as idle: more than any retransmission time-out
here."""


class Place(Protocol):
    """A running origin, and the link to it."""

    ca_file: str
    """File of the certificate authority of the origin."""

    def urls(self, name: str) -> tuple[str, str]:
        """URLs of a file: on the ordinary port, and on the port with the short idle time-out (or empty)."""

    def inside(self, argv: Sequence[str]) -> list[str]:
        """Extend a command so that it runs where it reaches the origin."""

    def choose(self, link: str, congestion: str) -> tuple[float, float]:
        """Change the link.

        Returns:
            Seconds after which the server regards a connection as idle, and the bandwidth in Mbit/s, 0 if it
            is not known.
        """


class LabPlace:
    """The link lab as a `Place`."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self.ca_file = str(lab.ca_file)

    def urls(self, name: str) -> tuple[str, str]:
        """See `Place`."""
        return self._lab.url(name), self._lab.short_idle_url(name)

    def inside(self, argv: Sequence[str]) -> list[str]:
        """See `Place`."""
        return self._lab.inside(argv)

    def choose(self, link: str, congestion: str) -> tuple[float, float]:
        """See `Place`."""
        chosen = LINKS[link]
        self._lab.set_congestion_control(congestion)
        self._lab.set_link(chosen)
        # the server resets its congestion window after one retransmission time-out without traffic
        return max(MIN_IDLE_S, 4 * chosen.rtt_ms / 1000), chosen.down_mbit


class DemoPlace:
    """The demo origin as a `Place`."""

    def __init__(self, base_url: str, ca_file: str) -> None:
        self._base_url = base_url
        self.ca_file = ca_file

    def urls(self, name: str) -> tuple[str, str]:
        """See `Place`."""
        return self._base_url + name, ""

    def inside(self, argv: Sequence[str]) -> list[str]:
        """See `Place`."""
        return list(argv)

    def choose(self, link: str, congestion: str) -> tuple[float, float]:
        """See `Place`."""
        return MIN_IDLE_S, 0.0


@contextmanager
def lab_place(folder: Path) -> Iterator[Place]:
    """Serve a folder behind the link of a lab."""
    with Lab(folder) as lab:
        yield LabPlace(lab)


@contextmanager
def demo_place(folder: Path, delays: SetupDelays = SEED_DELAYS) -> Iterator[Place]:
    """Serve a folder from the demo origin, in a process of its own so that its CPU time is not counted."""
    here, there = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=_serve, args=(str(folder), delays, there))
    server.start()
    try:
        yield DemoPlace(*here.recv())
    finally:
        here.close()
        server.join(20)


def _serve(folder: str, delays: SetupDelays, pipe: Connection) -> None:
    from touchline_lab.demo_origin.server import DemoOrigin

    with DemoOrigin(folder, delays) as origin:
        pipe.send((origin.base_url, str(origin.ca_file)))
        try:
            pipe.recv()
        except EOFError:
            return
