"""One address of Redis for redis-py and for Celery."""

from __future__ import annotations

import pytest

from services.settings.redis_url import celery_url, check_redis_url


@pytest.mark.parametrize(
    ("given", "for_redis", "for_celery"),
    [
        ("redis://host:6379/1", "redis://host:6379/1", "redis://host:6379/1"),
        ("redis://host", "redis://host/0", "redis://host/0"),
        ("redis://host?db=2", "redis://host/2", "redis://host/2"),
        ("redis://u:p%40s@host/0", "redis://u:p%40s@host/0", "redis://u:p%40s@host/0"),
        (
            "unix:///run/redis.sock",
            "unix:///run/redis.sock?db=0",
            "redis+socket:///run/redis.sock?virtual_host=0",
        ),
        (
            "redis+sentinel://u:p%40s@one:26379,[::1]:26380/group/2",
            "redis+sentinel://u:p%40s@one:26379,[::1]:26380/group/2",
            "sentinel://u:p%40s@one:26379/2;sentinel://u:p%40s@[::1]:26380/2",
        ),
        ("redis+sentinel://one/group", "redis+sentinel://one/group", "sentinel://one:26379/0"),
        ("unix://:pw@/r.sock?db=3", "unix://:pw@/r.sock?db=3", "redis+socket://:pw@/r.sock?virtual_host=3"),
    ],
)
def test_each_form_is_translated(given: str, for_redis: str, for_celery: str) -> None:
    assert check_redis_url(given) == for_redis
    assert celery_url(for_redis) == for_celery


@pytest.mark.parametrize(
    ("query", "mode"),
    [
        ("", "ssl_cert_reqs=required"),
        ("?ssl_cert_reqs=CERT_REQUIRED", "ssl_cert_reqs=required"),
        ("?ssl_cert_reqs=CERT_OPTIONAL", "ssl_cert_reqs=optional"),
        ("?ssl_cert_reqs=CERT_NONE", "ssl_cert_reqs=none&ssl_check_hostname=false"),
    ],
)
def test_certificates_are_checked_unless_the_address_says_otherwise(query: str, mode: str) -> None:
    assert check_redis_url(f"rediss://host/0{query}") == f"rediss://host/0?{mode}"


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("redis://host/0?socket_timeout=1", "socket_timeout is not supported"),
        ("redis://host/zero", "must be a number"),
        ("redis:///0", "names no host"),
        ("redis+sentinel://one:26379", "with Sentinel's NAME"),
        ("redis+sentinel:///group", "with Sentinel's NAME"),
        ("redis+sentinel://one/group?ssl=1", "TLS is not supported"),
        ("rediss://host/0?ssl_cert_reqs=maybe", "required, optional or none"),
    ],
)
def test_what_does_not_work_is_refused_with_the_reason(url: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        check_redis_url(url)
