from __future__ import annotations

import pytest

from services.download.guard import UrlGuard
from services.errors import UrlRefused
from services.settings import load_settings

STRICT = UrlGuard(("scoredata.me", "*.scoredata.me"), allow_http=False, allow_private=False)
OPEN = UrlGuard(("*",), allow_http=True, allow_private=True)


@pytest.mark.parametrize(
    "url", ["https://scoredata.me/a.mp4", "https://MANAKO.scoredata.me/x", "https://scoredata.me:443/"]
)
def test_allowed(url: str) -> None:
    STRICT.check_url(url)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://scoredata.me/a", "ALLOW_HTTP"),
        ("https://evil.example/a", "ALLOWED_HOSTS"),
        ("https://notscoredata.me/a", "ALLOWED_HOSTS"),
        ("https://scoredata.me.evil.example/a", "ALLOWED_HOSTS"),
        ("https://user:pw@scoredata.me/a", "password"),
        ("https://scoredata.me:22/a", "port"),
        ("https://scoredata.me:99999/a", "URL"),
        ("file:///etc/passwd", "https"),
        ("ftp://scoredata.me/a", "https"),
        ("//scoredata.me/a", "https"),
        ("https://xn--a/a", "URL"),
        ("https://xn--zzzzzz--/a", "URL"),
        ("", "https"),
    ],
)
def test_refused(url: str, why: str) -> None:
    with pytest.raises(UrlRefused, match=why):
        STRICT.check_url(url)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "192.168.0.1",
        "169.254.169.254",
        "::1",
        "fe80::1%eth0",
        "::ffff:127.0.0.1",
        "0.0.0.0",
    ],
)
def test_inner_addresses_are_refused(address: str) -> None:
    with pytest.raises(UrlRefused, match="public"):
        STRICT.check_address("host", address)
    OPEN.check_address("host", address)


def test_public_address() -> None:
    STRICT.check_address("host", "93.184.216.34")
    STRICT.check_address("host", "2606:2800:220:1:248:1893:25c8:1946")


def test_a_spot_check_has_the_clip_fetched_from_its_own_proxy() -> None:
    guard = UrlGuard.from_settings(load_settings(spotcheck_mode=True, allowed_hosts=("scoredata.me",)))
    guard.check_url("http://video-proxy/chunks/a.mp4")
    guard.check_address("video-proxy", "10.96.0.7")
    for url in ("http://scoredata.me/a.mp4", "http://other-proxy/a.mp4", "http://u:p@video-proxy/a.mp4"):
        with pytest.raises(UrlRefused):
            guard.check_url(url)
    with pytest.raises(UrlRefused):
        guard.check_address("scoredata.me", "10.96.0.7")


def test_the_proxy_of_spot_checks_is_a_host_like_any_other_outside_of_them() -> None:
    guard = UrlGuard.from_settings(load_settings(allowed_hosts=("*",)))
    with pytest.raises(UrlRefused, match="ALLOW_HTTP"):
        guard.check_url("http://video-proxy/chunks/a.mp4")
    with pytest.raises(UrlRefused, match="not a public address"):
        guard.check_address("video-proxy", "10.96.0.7")
