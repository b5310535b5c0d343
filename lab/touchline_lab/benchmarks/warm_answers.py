"""One worker that answers the same clip on request, for the comparison of two checkouts.

    python lab/touchline_lab/benchmarks/warm_answers.py clip.mp4

It starts an origin, Valkey and a worker. For each line on its standard input it answers the clip once and
prints one JSON object: `total_s`, the seconds from the start of the challenge in the worker to its encoded
answer, and `fingerprint`, see `frames_fingerprint`. The first line that it prints is `ready`.

`compare_checkouts` runs this file with the code of either checkout, so it uses only what older ones have.
"""

from __future__ import annotations

import json
import sys
import tempfile
import uuid
from contextlib import ExitStack
from pathlib import Path

from services.processes.embedded_valkey import EmbeddedValkey
from tasks.client import submit
from tasks.worker_process import WorkerProcess
from touchline_lab.demo_origin.server import SEED_DELAYS, DemoOrigin
from touchline_lab.evaluation.fingerprint import frames_fingerprint

READY = "ready"
_START_TIMEOUT_S = 300.0
"""Seconds until the worker has to be ready: loading and warming models on a slow machine."""
_DEADLINE_S = 120.0
"""Seconds for one answer; every machine that is worth a comparison needs far less."""


def main() -> None:
    """Answer the clip once for each line of standard input."""
    clip = Path(sys.argv[1])
    with ExitStack() as stack:
        origin = stack.enter_context(DemoOrigin(clip.parent, SEED_DELAYS))
        valkey = stack.enter_context(EmbeddedValkey())
        state_dir = stack.enter_context(tempfile.TemporaryDirectory(prefix="touchline-compare-"))
        settings = {
            "CA_FILE": str(origin.ca_file),
            "ALLOW_PRIVATE_ADDRESSES": "1",
            "ALLOWED_HOSTS": "127.0.0.1",
            "ORIGINS": ",",  # none is kept warm
            "TIME_BUDGET_S": "0",
            "STATE_DIR": state_dir,
        }
        worker = stack.enter_context(WorkerProcess(valkey.url, settings))
        worker.wait_until_ready(_START_TIMEOUT_S)
        print(READY, flush=True)
        for _ in sys.stdin:
            answer = submit(
                origin.url(clip.name),
                challenge_id=f"compare-{uuid.uuid4().hex[:8]}",
                deadline_s=_DEADLINE_S,
                redis_url=valkey.url,
            ).wait()
            found = {
                "total_s": float(answer.timeline["total"]),
                "fingerprint": frames_fingerprint(answer.body),
            }
            print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
