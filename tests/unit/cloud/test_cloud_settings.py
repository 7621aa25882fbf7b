"""Settings of the cloud connection, and how long a device waits before it calls again."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.core.errors import Invalid
from firmware.core.values import decode
from firmware.interfaces.cloud.patience import FIRST_S, LONGEST_S, Patience
from firmware.interfaces.cloud.settings import CloudSettings

KEY = "owner-key-canary-0001"


def settings_of(**values: Any) -> CloudSettings:
    return decode(CloudSettings, {"owner_key": KEY, **values}, where="cloud")


@pytest.mark.parametrize(
    ("url", "host", "port", "target"),
    [
        ("wss://cloud.example/device", "cloud.example", 443, "/device"),
        ("https://cloud.example:8443/", "cloud.example", 8443, "/"),
        ("wss://[2001:db8::1]:9", "2001:db8::1", 9, "/"),
    ],
)
def test_an_address_says_host_port_and_path(url: str, host: str, port: int, target: str) -> None:
    found = settings_of(url=url)
    assert (found.host, found.port, found.target) == (host, port, target)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"url": "ws://cloud.example"}, r"cloud\.url: is not an address; write wss://HOST\[:PORT\]\[/PATH\]"),
        ({"url": "http://cloud.example"}, r"cloud\.url: is not an address"),
        ({"url": "wss://a:b@cloud.example"}, r"cloud\.url: must not hold a name or password"),
        ({"url": "wss://cloud.example/?a=b"}, r"cloud\.url: ends with the path"),
        ({"url": "wss://cloud.example:0"}, r"cloud\.url: is not an address"),
        ({"url": "wss://cloud.example", "owner_key": ""}, r"url needs an owner_key"),
        ({"owner_key": "canary-0002"}, r"cloud\.owner_key: is too short: it has at least 16 characters$"),
        ({"owner_key": "with a space in the key"}, r"cloud\.owner_key: is sent in a header"),
        ({"ca": "-----BEGIN CERTIFICATE-----"}, r"cloud\.ca: is not a certificate in PEM form"),
        ({"ca": "-----BEGIN PRIVATE KEY-----"}, r"cloud\.ca: holds a private key"),
        ({"proxy": "https://proxy.example"}, r"cloud\.proxy: is not an address; write http://HOST\[:PORT\]"),
        ({"proxy": "http://proxy.example/path"}, r"cloud\.proxy: has no path"),
        ({"proxy_user": "a:b"}, r"proxy_user: a colon cannot be in it"),
        ({"urll": ""}, r"unknown name 'urll'; did you mean 'url'\?"),
    ],
)
def test_what_cannot_work_is_refused_with_its_place_and_without_the_key(values: dict[str, Any], said: str) -> None:
    with pytest.raises(Invalid, match=said) as refused:
        settings_of(**values)
    assert KEY not in str(refused.value)
    assert "canary" not in str(refused.value)


def test_row_47_the_secrets_are_not_in_the_words_for_a_log() -> None:
    assert KEY not in repr(settings_of(proxy_password="canary-proxy"))
    assert "canary-proxy" not in repr(settings_of(proxy_password="canary-proxy"))


@given(st.integers(), st.integers(1, 40))
def test_row_24_each_wait_is_between_half_and_the_whole_of_a_doubling_one_with_an_end(seed: int, failures: int) -> None:
    patience = Patience(Random(seed))
    for number in range(failures):
        whole = min(LONGEST_S, FIRST_S * 2**number)
        assert whole / 2 <= patience.next_s() <= whole
    patience.forget()
    assert patience.next_s() <= FIRST_S
