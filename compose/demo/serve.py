"""The demo origin of docker-compose.yml: renders the clip once, then serves it as https://demo:8443/demo.mp4."""

import shutil
import signal
from pathlib import Path

from services.demo.clip import DEMO_SEED, render_clip
from services.demo.origin import SEED_DELAYS, DemoOrigin

SHARED = Path("/demo")  # the volume that the worker sees, too


def report(done: int, total: int) -> None:
    """One log line every few seconds."""
    if done % 150 == 0:
        print(f"rendered {done} of {total} frames", flush=True)


def clips() -> Path:
    """The folder with the clip; a second start finds it in the volume."""
    folder = SHARED / "clips"
    clip = folder / "demo.mp4"
    if not clip.exists():
        folder.mkdir(exist_ok=True)
        fresh = folder / "fresh.mp4"
        render_clip(fresh, DEMO_SEED, 30.0, progress=report).save(clip.with_suffix(".json"))
        fresh.replace(clip)
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
