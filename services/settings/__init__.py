"""Every setting of the system. No other package reads the environment.

Names are those that operators already use (`FRAME_STRIDE`, `BATCH_SIZE`, ...), then ours. Values come from
the environment or from a `.env` file in the working directory; the environment takes precedence.
"""

from __future__ import annotations

from services.settings.constants import BUNDLED, DEFAULT_REDIS_URL
from services.settings.declaration import Settings
from services.settings.loading import get_settings, load_settings

__all__ = ["BUNDLED", "DEFAULT_REDIS_URL", "Settings", "get_settings", "load_settings"]
