"""The link lab: namespaces of a client and a server, joined by an emulated link; nginx and DNS at the server.

Everything lies in one temporary folder and in namespaces whose names contain the process id, so several labs
can run at once; equal addresses in different namespaces do not conflict. Leaving the context removes
everything.
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
"""The network between both namespaces, and the address of each."""
HOST = "cdn.test"
"""Name of the origin, which only the lab's DNS server knows."""
CONGESTION_FILE = Path("/proc/sys/net/ipv4/tcp_available_congestion_control")
NAMESPACES = Path("/var/run/netns")
PREFIXES = ("tl-client-", "tl-server-")
"""Names of the namespaces, up to the process id."""
IDLE_TIMEOUT_S = 5
"""Seconds after which nginx closes an idle connection on its second port.

That port is for simulating an hour without challenges within seconds."""
START_TIMEOUT_S = 10.0
"""Seconds that each part of the lab may take to start."""
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
    """What this machine lacks for a link lab, in words; empty if it lacks nothing."""
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


def require() -> None:
    """End the program with a sentence on a machine that lacks something, before anything is prepared.

    Raises:
        SystemExit: The machine lacks something.
    """
    if lacks := missing():
        raise SystemExit(f"the link lab needs {', '.join(lacks)}")


def congestion_controls() -> tuple[str, ...]:
    """Which of `cubic` and `bbr` the kernel has."""
    known = CONGESTION_FILE.read_text().split() if CONGESTION_FILE.exists() else []
    return tuple(name for name in ("cubic", "bbr") if name in known)


class Lab:
    """A running link lab; a context manager.

    Args:
        folder: Folder of the files that nginx serves.
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
        """File of the certificate authority that signed the server's certificate."""
        return self._state / "ca.pem"

    def url(self, name: str) -> str:
        """URL of a file on the ordinary port, whose idle time-out is 75 s."""
        return f"https://{HOST}/{name}"

    def short_idle_url(self, name: str) -> str:
        """URL of the same file on the port whose idle time-out is `IDLE_TIMEOUT_S`."""
        return f"https://{HOST}:444/{name}"

    def inside(self, argv: Sequence[str]) -> list[str]:
        """Extend a command so that it runs in the client's namespace."""
        return ["ip", "netns", "exec", self.client, *argv]

    def set_link(self, link: Link) -> None:
        """Change the link; takes effect at once, also for open connections."""
        self.link = link
        (self._state / "link.conf").write_text(link.configuration())
        os.kill(int((self._state / "linkem.pid").read_text()), signal.SIGUSR1)
        time.sleep(0.05)

    def set_congestion_control(self, name: str) -> None:
        """Change the server's congestion control; takes effect for new connections."""
        # by the route: the sysctl of a namespace accepts only those that the machine allows to every user
        words = ("dev", "tl1", "scope", "link", "src", SERVER, "congctl", name)
        _run("ip", "-n", self.server, "route", "replace", NETWORK, *words)

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
        self._start_process("nginx", "nginx", "-c", str(settings), "-e", str(self._state / "error.log"))
        self._start_process("dns", sys.executable, str(HERE / "dns.py"), SERVER, str(DNS_DELAY_S))
        self._wait_for((self._state / "nginx.pid").exists, "nginx")
        time.sleep(0.3)
        for process in self._processes:
            process.check()

    def _start_link(self, binary: Path) -> None:
        self._processes: list[SupervisedProcess] = []
        configuration = self._state / "link.conf"
        configuration.write_text(self.link.configuration())
        pid_file = self._state / "linkem.pid"
        words = (self.client, "tl0", self.server, "tl1", str(configuration), str(pid_file))
        self._start_process("link", str(binary), *words, inside=False)
        self._wait_for(pid_file.exists, "the link emulator")
        for name, device, address in ((self.client, "tl0", CLIENT), (self.server, "tl1", SERVER)):
            _run("ip", "-n", name, "addr", "add", f"{address}/30", "dev", device)
            _run("ip", "-n", name, "link", "set", device, "up", "mtu", "1500", "txqueuelen", "20000")
            _run("ip", "-n", name, "link", "set", "lo", "up")
            # the kernel would remember metrics of the path and make the second round faster than the first
            self._sysctl(name, "net.ipv4.tcp_no_metrics_save=1")

    def _start_process(self, name: str, *argv: str, inside: bool = True) -> None:
        words = ["ip", "netns", "exec", self.server, *argv] if inside else list(argv)
        self._processes.append(self._stack.enter_context(SupervisedProcess(name, words, grace_s=2.0)))

    def _wait_for(self, there: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + START_TIMEOUT_S
        while not there():
            for process in self._processes:
                process.check()
            if time.monotonic() > end:
                raise StartFailed(f"{what} did not start within {START_TIMEOUT_S:g} s")
            time.sleep(0.02)

    def _write_certificates(self) -> None:
        authority = trustme.CA(organization_name="touchline lab")
        authority.cert_pem.write_to_path(str(self.ca_file))
        certificate = authority.issue_cert(HOST)
        certificate.private_key_and_cert_chain_pem.write_to_path(str(self._state / "server.pem"))

    def _sysctl(self, namespace: str, setting: str) -> None:
        _run("ip", "netns", "exec", namespace, "sysctl", "-qw", setting)


def remove_stale() -> None:
    """Remove the namespaces of labs whose process has ended."""
    for prefix in PREFIXES:
        for path in NAMESPACES.glob(f"{prefix}*"):
            owner = path.name.removeprefix(prefix)
            if owner.isdigit() and not Path(f"/proc/{owner}").exists():
                remove_namespaces(path.name)


def remove_namespaces(*names: str) -> None:
    """Remove namespaces and their resolver settings, as far as they exist."""
    for name in names:
        subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
        shutil.rmtree(Path("/etc/netns") / name, ignore_errors=True)


def _run(*argv: str) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise StartFailed(f"{' '.join(argv)}: {done.stderr.strip() or done.returncode}")
