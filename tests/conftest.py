"""Fixtures of all tests; they live in tests/support, one concern a file."""

import os

from tests.support.small_models import SMALL_MODELS

pytest_plugins = ["tests.support.servers", "tests.support.clips"]

# before anything reads the settings, and for every process that a test starts
os.environ.update({name: os.environ.get(name, value) for name, value in SMALL_MODELS.items()})
