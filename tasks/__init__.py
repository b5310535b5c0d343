"""Celery, and nothing else. `celery -A tasks worker` finds the app here; importing it never imports torch."""

from tasks.celery_app import app

__all__ = ["app"]
