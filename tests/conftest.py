"""Fixtures of all tests; they live in tests/support, one concern a file."""

pytest_plugins = ["tests.support.servers", "tests.support.clips"]
