from __future__ import annotations

import pytest

from services.download.proxy import Proxy
from services.errors import SettingsError
from services.settings import load_settings


def proxy(url: str = "http://proxy.example:3128", no_proxy: str = "") -> Proxy:
    found = Proxy.from_settings(load_settings(use_proxy=True, https_proxy=url, no_proxy=no_proxy))
    assert found is not None
    return found


def test_no_proxy_is_used_unless_it_is_asked_for() -> None:
    assert Proxy.from_settings(load_settings(https_proxy="http://proxy.example:3128")) is None


@pytest.mark.parametrize(
    ("url", "host", "port", "authorization"),
    [
        ("http://proxy.example:3128", "proxy.example", 3128, ""),
        ("proxy.example:3128", "proxy.example", 3128, ""),
        ("http://proxy.example", "proxy.example", 8080, ""),
        ("http://me:p%40ss@10.0.0.1:80", "10.0.0.1", 80, "Basic bWU6cEBzcw=="),
    ],
)
def test_what_the_url_of_a_proxy_means(url: str, host: str, port: int, authorization: str) -> None:
    found = proxy(url)
    assert (found.host, found.port, found.authorization) == (host, port, authorization)


@pytest.mark.parametrize("url", [None, "socks5://proxy.example", "https://proxy.example", "http://[x"])
def test_what_is_no_http_proxy_stops_the_start(url: str | None) -> None:
    with pytest.raises(SettingsError, match="HTTPS_PROXY"):
        Proxy.from_settings(load_settings(use_proxy=True, https_proxy=url))


@pytest.mark.parametrize(
    ("no_proxy", "host", "serves"),
    [
        ("", "clips.example", True),
        ("*", "clips.example", False),
        ("example", "clips.example", False),
        (".example", "Clips.Example", False),
        ("*.example", "clips.example", False),
        ("ample", "clips.example", True),
        ("localhost, 10.0.0.0/8", "10.1.2.3", False),
        ("localhost, 10.0.0.0/8", "11.1.2.3", True),
        ("127.0.0.1", "127.0.0.1", False),
        ("::1", "::1", False),
    ],
)
def test_hosts_that_are_reached_without_it(no_proxy: str, host: str, serves: bool) -> None:
    assert proxy(no_proxy=no_proxy).serves(host) is serves
