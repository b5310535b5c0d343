"""Celery, and nothing else. `celery -A tasks worker` finds the app here.

The app is made at its first use, so that a front end that imports `tasks.client` pays for it when it submits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tasks.celery_app import app as app

__all__ = ["app"]


def __getattr__(name: str) -> Any:
    if name == "app":
        from tasks.celery_app import app

        return app
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
