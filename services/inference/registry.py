"""Former place of names that tests still import; goes as soon as they do not."""

from services.inference.bundled_models import WEIGHTS
from services.inference.model_files import resolve_model

__all__ = ["WEIGHTS", "resolve_model"]
