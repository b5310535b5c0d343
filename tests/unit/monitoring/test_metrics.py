"""What is counted of a challenge; prometheus_client decides at its import, so tests have own processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CODE = """
import os, sys
from pathlib import Path
from services.monitoring import metrics
from services.monitoring.outcome import Outcome

folder = Path(sys.argv[1])
metrics.use_folder(folder)
span = lambda start, end, busy: {"start": start, "end": end, "busy": busy}
timeline = {
    "total": 1.2,
    "stages": {"queue": span(-0.3, 0.0, 0.3), "decode": span(0.1, 0.9, 0.4), "fill": span(1.0, 1.1, 0.1)},
    "facts": {"frames": 100, "sampled": 24, "batches": 2, "bytes": 5000, "resumes": 1},
}
child = os.fork()
if child == 0:
    metrics.observe(Outcome("a", "gsr", "complete", timeline, 2.5), 16)
    metrics.observe(Outcome("b", "gsr", "error", {}, -0.5, "ConnectFailed", "connect"), 16)
    metrics.count_restart()
    os._exit(0)
os.waitpid(child, 0)
metrics.observe(Outcome("c", "gsr", "partial", timeline, 0.2), 16)
from prometheus_client import generate_latest
print(generate_latest(metrics.multiprocess_registry()).decode())
"""


def test_all_processes_count_together_also_those_that_have_ended(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(tmp_path / "metrics")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    values = dict(
        line.rsplit(" ", 1) for line in done.stdout.splitlines() if line and not line.startswith("#")
    )
    counted = {name: float(value) for name, value in values.items()}
    assert counted['touchline_challenges_total{error="",kind="gsr",result="complete"}'] == 1
    assert counted['touchline_challenges_total{error="ConnectFailed",kind="gsr",result="error"}'] == 1
    assert counted['touchline_challenges_total{error="",kind="gsr",result="partial"}'] == 1
    assert counted['touchline_stage_seconds_sum{kind="gsr",stage="decode"}'] == 0.8
    assert counted['touchline_stage_seconds_bucket{kind="gsr",le="0.5",stage="decode"}'] == 2
    assert counted['touchline_challenge_seconds_sum{kind="gsr"}'] == 3.0
    assert counted['touchline_deadline_margin_seconds_bucket{kind="gsr",le="0.0"}'] == 1
    assert counted['touchline_frames_total{kind="gsr",what="answered"}'] == 200
    assert counted['touchline_batch_fill_ratio_bucket{kind="gsr",le="0.75"}'] == 2
    assert counted['touchline_bytes_total{what="downloaded"}'] == 10_000
    assert counted['touchline_download_events_total{event="resumes"}'] == 2
    assert counted["touchline_child_restarts_total"] == 1


def test_without_a_folder_nothing_is_counted() -> None:
    code = (
        "from services.monitoring import metrics; from services.monitoring.outcome import Outcome\n"
        "import sys; metrics.observe(Outcome('a', 'gsr', 'joined'), 16); metrics.count_restart()\n"
        "print('prometheus_client' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
