"""The baseline's Celery app: `celery -A touchline_lab.benchmarks.http_front_ends.celery_front_end worker`."""

from __future__ import annotations

import json
from typing import Any

from celery import Celery

from services.settings import get_settings
from touchline_lab.benchmarks.http_front_ends.front_ends import BODY

_URL = get_settings().broker_url
app = Celery("front-end", broker=_URL, backend=_URL)
app.conf.update(task_serializer="json", result_serializer="json", result_expires=30)


@app.task  # type: ignore[untyped-decorator]
def answer(challenge_id: str) -> dict[str, Any]:
    """The answer as Celery's results carry it: an object."""
    made: dict[str, Any] = json.loads(BODY)
    return made
