"""Reading the settings from the environment."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from pydantic import ValidationError

from services.errors import SettingsError
from services.settings.declaration import Settings
from services.settings.messages import describe_problem


def load_settings(**overrides: Any) -> Settings:
    """Read and check all settings.

    Args:
        **overrides: Values that take precedence over the environment and `.env`, by field name.

    Raises:
        SettingsError: A value is not allowed; the text names each variable, its value and what is allowed.
    """
    try:
        return Settings(**overrides)
    except ValidationError as error:
        lines = [describe_problem(problem, Settings.model_fields) for problem in error.errors()]
        hint = "Allowed values: docs/reference/settings.md, or `touchline doctor`."
        raise SettingsError(
            "These settings are not allowed:\n  " + "\n  ".join(lines) + f"\n{hint}"
        ) from error


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The settings of this process, read once."""
    return load_settings()
