"""Flower's configuration file: Flower runs it and takes the names that are options of its own."""

from __future__ import annotations

from services.monitoring.flower_tasks import format_task
from services.settings import get_settings

__all__ = [
    "basic_auth",
    "format_task",
    "max_tasks",
    "task_runtime_metric_buckets",
    "tasks_columns",
]

# Runtime and the stages have to be on the screen; the long uuid, which links to the details, goes last
tasks_columns = "state,received,runtime,result,worker,uuid"
max_tasks = 5000
# whole numbers crash Flower's histogram; these bounds are where the score changes
task_runtime_metric_buckets = [0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 15.0, 20.0, 30.0]
_login = get_settings().flower_basic_auth
basic_auth = [] if _login is None else [_login]
