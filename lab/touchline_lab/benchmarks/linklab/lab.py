"""The lab: namespaces of a client and a server joined by an emulated link; nginx and DNS on the far side.

Everything is in one temporary folder and in namespaces of its own, so two labs can run at once: names carry
the process id, and equal addresses in different namespaces do not meet. Leaving the context removes it all.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import trustme

from services.errors import StartFailed
from services.processes.supervised import SupervisedProcess
from touchline_lab.benchmarks.linklab.links import DNS_DELAY_S, LINKS, Link

HERE = Path(__file__).parent
NETWORK, CLIENT, SERVER = "10.77.0.0/30", "10.77.0.1", "10.77.0.2"
HOST = "cdn.test"
CONGESTION_FILE = Path("/proc/sys/net/ipv4/tcp_available_congestion_control")
NAMESPACES = Path("/var/run/netns")
PREFIXES = ("tl-client-", "tl-server-")
IDLE_TIMEOUT_S = 5
"""Of the second port, on which an hour's idle is played in seconds."""
NGINX = """\
worker_processes 1; pid {state}/nginx.pid; error_log {state}/error.log warn; daemon off; user root;
events {{ worker_connections 512; }}
http {{
  types {{ video/mp4 mp4; }}
  access_log off; sendfile on; tcp_nodelay on;
  client_body_temp_path {state}/body; proxy_temp_path {state}/proxy; fastcgi_temp_path {state}/fastcgi;
  uwsgi_temp_path {state}/uwsgi; scgi_temp_path {state}/scgi;
  ssl_certificate {state}/server.pem; ssl_certificate_key {state}/server.pem;
  ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache shared:S:5m; ssl_session_tickets on;
  keepalive_timeout 75s; keepalive_requests 100000;
  server {{ listen 443 ssl http2 backlog=512; server_name {host}; root {folder}; }}
  server {{ listen 444 ssl http2; server_name {host}; root {folder}; keepalive_timeout {idle}s; }}
}}
"""


def missing() -> list[str]:
    """What this machine lacks for a lab, each in words; empty when nothing."""
    lacks = []
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        lacks.append("root (network namespaces)")
    packages = {"ip": "iproute2", "nginx": "nginx", "gcc": "gcc"}
    path = f"{os.defpath}:/usr/sbin:/sbin:/usr/local/bin"
    lacks += [
        f"{command} (package {package})"
        for command, package in packages.items()
        if shutil.which(command) is None and shutil.which(command, path=path) is None
    ]
    if not Path("/dev/net/tun").exists():
        lacks.append("/dev/net/tun")
    return lacks


def congestion_controls() -> tuple[str, ...]:
    """Those of `cubic` and `bbr` that the kernel has."""
    known = CONGESTION_FILE.read_text().split() if CONGESTION_FILE.exists() else []
    return tuple(name for name in ("cubic", "bbr") if name in known)


class Lab:
    """A running lab; a context manager.

    Args:
        folder: What nginx serves.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._stack = ExitStack()
        self.client, self.server = (f"{prefix}{os.getpid()}" for prefix in PREFIXES)
        self.link = LINKS["lo"]

    def __enter__(self) -> Self:
        lacks = missing()
        if lacks:
            raise StartFailed(f"the link lab needs {', '.join(lacks)}")
        remove_stale()
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def ca_file(self) -> Path:
        """The authority that signed the server's certificate."""
        return self._state / "ca.pem"

    def url(self, name: str) -> str:
        """A file on the ordinary port, whose idle time-out is 75 s."""
        return f"https://{HOST}/{name}"

    def short_url(self, name: str) -> str:
        """The same file on the port with the short idle time-out."""
        return f"https://{HOST}:444/{name}"

    def inside(self, argv: Sequence[str]) -> list[str]:
        """A command as it runs in the client's namespace."""
        return ["ip", "netns", "exec", self.client, *argv]

    def set_link(self, link: Link) -> None:
        """Change the link while it runs."""
        self.link = link
        (self._state / "link.conf").write_text(link.configuration())
        os.kill(int((self._state / "linkem.pid").read_text()), signal.SIGUSR1)
        time.sleep(0.05)

    def set_congestion_control(self, name: str) -> None:
        """The server's congestion control, for new connections."""
        # by the route: a namespace may not choose one that the machine does not allow to every user
        words = ("dev", "tl1", "scope", "link", "src", SERVER, "congctl", name)
        _run("ip", "-n", self.server, "route", "replace", NETWORK, *words)

    def set_slow_start_after_idle(self, on: bool) -> None:
        """Whether the server forgets its window while a connection is idle, as kernels do by default."""
        self._sysctl(self.server, f"net.ipv4.tcp_slow_start_after_idle={int(on)}")

    def _start(self) -> None:
        self._state = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="touchline-lab-")))
        binary = self._state / "linkem"
        _run("gcc", "-O2", "-o", str(binary), str(HERE / "linkem.c"))
        self._write_certificates()
        self._stack.callback(remove_namespaces, self.client, self.server)
        for name in (self.client, self.server):
            _run("ip", "netns", "add", name)
        self._start_link(binary)
        resolver = Path("/etc/netns") / self.client
        resolver.mkdir(parents=True, exist_ok=True)
        (resolver / "resolv.conf").write_text(f"nameserver {SERVER}\noptions timeout:3\n")
        settings = self._state / "nginx.conf"
        settings.write_text(
            NGINX.format(state=self._state, folder=self._folder, host=HOST, idle=IDLE_TIMEOUT_S)
        )
        self._part("nginx", "nginx", "-c", str(settings), "-e", str(self._state / "error.log"))
        self._part("dns", sys.executable, str(HERE / "dns.py"), SERVER, str(DNS_DELAY_S))
        self._wait_for((self._state / "nginx.pid").exists, "nginx")
        time.sleep(0.3)
        for part in self._parts:
            part.check()

    def _start_link(self, binary: Path) -> None:
        self._parts: list[SupervisedProcess] = []
        configuration = self._state / "link.conf"
        configuration.write_text(self.link.configuration())
        pid_file = self._state / "linkem.pid"
        words = (self.client, "tl0", self.server, "tl1", str(configuration), str(pid_file))
        self._part("link", str(binary), *words, inside=False)
        self._wait_for(pid_file.exists, "the link emulator")
        for name, device, address in ((self.client, "tl0", CLIENT), (self.server, "tl1", SERVER)):
            _run("ip", "-n", name, "addr", "add", f"{address}/30", "dev", device)
            _run("ip", "-n", name, "link", "set", device, "up", "mtu", "1500", "txqueuelen", "20000")
            _run("ip", "-n", name, "link", "set", "lo", "up")
            # a path that is remembered would make the second round faster than the first
            self._sysctl(name, "net.ipv4.tcp_no_metrics_save=1")

    def _part(self, name: str, *argv: str, inside: bool = True) -> None:
        words = ["ip", "netns", "exec", self.server, *argv] if inside else list(argv)
        self._parts.append(self._stack.enter_context(SupervisedProcess(name, words, grace_s=2.0)))

    def _wait_for(self, there: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + 10
        while not there():
            for part in self._parts:
                part.check()
            if time.monotonic() > end:
                raise StartFailed(f"{what} did not start within 10 s")
            time.sleep(0.02)

    def _write_certificates(self) -> None:
        authority = trustme.CA(organization_name="touchline lab")
        authority.cert_pem.write_to_path(str(self.ca_file))
        certificate = authority.issue_cert(HOST)
        certificate.private_key_and_cert_chain_pem.write_to_path(str(self._state / "server.pem"))

    def _sysctl(self, namespace: str, setting: str) -> None:
        _run("ip", "netns", "exec", namespace, "sysctl", "-qw", setting)


def remove_stale() -> None:
    """Remove namespaces of labs whose process is gone."""
    for prefix in PREFIXES:
        for path in NAMESPACES.glob(f"{prefix}*"):
            owner = path.name.removeprefix(prefix)
            if owner.isdigit() and not Path(f"/proc/{owner}").exists():
                remove_namespaces(path.name)


def remove_namespaces(*names: str) -> None:
    """Remove namespaces and their resolver settings, as far as they are there."""
    for name in names:
        subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
        shutil.rmtree(Path("/etc/netns") / name, ignore_errors=True)


def _run(*argv: str) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise StartFailed(f"{' '.join(argv)}: {done.stderr.strip() or done.returncode}")
