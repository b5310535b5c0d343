"""What a log line shows of an address."""

import pytest

from services.monitoring.redaction import redact


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("redis://:secret@host:6379/0 is away", "redis://***@host:6379/0 is away"),
        ("http://user:pa:ss@proxy:8080", "http://***@proxy:8080"),
        ("'https://host/a.mp4?sig=secret&e=1', 3", "'https://host/a.mp4?***', 3"),
        (
            r"{\"video_url\": \"https://host/a.mp4?sig=secret\"}",
            r"{\"video_url\": \"https://host/a.mp4?***\"}",
        ),
        ("(b':path', b'/a.mp4?sig=secret')", "(b':path', b'/a.mp4?***')"),
        ("is it warm? cache=3 says so", "is it warm? cache=3 says so"),
        ("someone@example.org asked https://host/a.mp4", "someone@example.org asked https://host/a.mp4"),
    ],
)
def test_passwords_and_query_strings_are_taken_out(text: str, shown: str) -> None:
    assert redact(text) == shown
