"""The environment of child processes; settings themselves are read in `services.settings` alone."""

from __future__ import annotations

import os
from collections.abc import Mapping


def child_environment(changes: Mapping[str, str]) -> dict[str, str]:
    """This process's environment with changes; output of the children comes line by line."""
    return {**os.environ, "PYTHONUNBUFFERED": "1", **changes}
