"""The demo origin of docker-compose.yml: renders the clip once, then serves it as https://demo:8443/demo.mp4."""

import shutil
import signal
from pathlib import Path

from touchline_lab.demo_origin.server import SEED_DELAYS, DemoOrigin
from touchline_lab.renderer.clip_store import stored_clip
from touchline_lab.renderer.seeds import DEMO_SEED

SHARED = Path("/demo")  # the volume that the worker sees, too


def report(done: int, total: int) -> None:
    """One log line every few seconds."""
    if done % 150 == 0:
        print(f"rendered {done} of {total} frames", flush=True)


def clips() -> Path:
    """The folder that is served; the rendered clip is kept in the volume until the renderer changes."""
    stored = stored_clip(SHARED / "store", DEMO_SEED, 30.0, progress=report)
    folder = SHARED / "clips"
    folder.mkdir(exist_ok=True)
    shutil.copy(stored.path, folder / "demo.mp4")
    stored.truth.save(folder / "demo.json")
    return folder


def main() -> None:
    """Serve until SIGTERM."""
    folder = clips()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    with DemoOrigin(folder, SEED_DELAYS, port=8443, name="demo") as origin:
        fresh = SHARED / "ca.fresh"
        shutil.copy(origin.ca_file, fresh)
        fresh.chmod(0o644)
        fresh.replace(SHARED / "ca.pem")  # the health check waits for it, and the worker for the health check
        print(f"serving {origin.url('demo.mp4')}", flush=True)
        signal.sigwait({signal.SIGTERM, signal.SIGINT})


if __name__ == "__main__":
    main()
