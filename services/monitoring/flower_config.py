"""Flower's configuration file: Flower runs it and takes the names that are options of its own."""

from __future__ import annotations

from flower.options import options
from flower.views.monitor import Metrics
from flower.views.tasks import TASK_COLUMNS
from tornado.web import authenticated

from services.monitoring.flower_access import login_for
from services.monitoring.flower_tasks import COLUMNS, format_task
from services.settings import get_settings

__all__ = [
    "basic_auth",
    "db",
    "format_task",
    "max_tasks",
    "max_workers",
    "natural_time",
    "persistent",
    "state_save_interval",
    "task_runtime_metric_buckets",
    "tasks_columns",
]

_settings = get_settings()
# Flower serves its metrics, which name workers and tasks, to everybody
Metrics.get = authenticated(Metrics.get)
# Flower has no option for the headings; format_task fills these columns with what is shown of a challenge
TASK_COLUMNS.update(COLUMNS)
tasks_columns = "state,args,kwargs,runtime,received,worker,uuid"
max_tasks = _settings.flower_max_tasks
max_workers = 200
# `3 minutes ago`: the page of a task has the exact moments, and the table fits 1440 pixels
natural_time = True
# whole numbers crash Flower's histogram; these bounds are where the score changes
task_runtime_metric_buckets = [0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 15.0, 20.0, 30.0]
persistent = _settings.flower_db is not None
db = _settings.flower_db or "flower"
state_save_interval = 10_000
"""Milliseconds: a Flower that is killed loses no more."""
_login = login_for(_settings.flower_basic_auth, options.address)
basic_auth = [] if _login is None else [_login]
