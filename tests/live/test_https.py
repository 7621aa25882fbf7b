"""HTTPS of a running device: certificate, old versions, ports and doors that move, slow handshakes (rows 46, 32)."""

from __future__ import annotations

import contextlib
import socket
import ssl
import warnings
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.live.device import PASSWORD, PATIENCE_S, USER, Device, free_port, running, until


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Device]:
    """One door station for all tests here: each puts back what it changes."""
    with running(tmp_path_factory.mktemp("https") / "state", "door_station", "--https", "127.0.0.1:0") as found:
        found.set_up()
        yield found


def https_of(device: Device) -> tuple[str, int]:
    """Where HTTPS is now."""
    states = device.api.get("/state").json()["states"]
    host, _, port = next(each["https"] for each in states if each["topic"] == "network/http").rpartition(":")
    return host, int(port)


def trusting(device: Device) -> ssl.SSLContext:
    """A context that trusts the device's own certificate and nothing else."""
    own = next(each for each in device.api.get("/certificates").json()["certificates"] if each["name"] == "device")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=own["pem"])
    return context


@contextlib.contextmanager
def secure(device: Device, auth: Any = (USER, PASSWORD)) -> Iterator[httpx.Client]:
    host, port = https_of(device)
    with httpx.Client(
        base_url=f"https://{host}:{port}/api/v1", auth=auth, verify=trusting(device), timeout=PATIENCE_S
    ) as client:
        yield client


def test_the_device_answers_over_https_with_its_own_certificate_and_verified(device: Device) -> None:
    with secure(device) as client:
        assert client.get("/device").status_code == 200
        assert client.post("/actions/door.release", json={"door": "door"}).status_code == 200
    with secure(device, httpx.DigestAuth(USER, PASSWORD)) as client:
        assert [client.get("/device").status_code for _ in range(3)] == [200] * 3
    with secure(device, None) as client:
        opened = client.post("/session", json={"name": USER, "password": PASSWORD})
        assert opened.status_code == 201
        assert "Secure" in opened.headers["set-cookie"]
        assert client.get("/device").status_code == 200


@pytest.mark.parametrize(
    ("oldest", "version"), [(ssl.TLSVersion.TLSv1, None), (ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (None, "TLSv1.3")]
)
def test_row_46_nothing_older_than_tls_1_2_is_spoken(device: Device, oldest: Any, version: str | None) -> None:
    context = trusting(device)
    if oldest is not None:
        context.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # old versions are deprecated: that is the point
            context.minimum_version = oldest
            context.maximum_version = oldest
    host, port = https_of(device)
    with socket.create_connection((host, port), timeout=10) as raw:
        if version is None:
            with pytest.raises((ssl.SSLError, ConnectionError)):
                context.wrap_socket(raw, server_hostname=host)
        else:
            with context.wrap_socket(raw, server_hostname=host) as tls:
                assert tls.version() == version
                assert "GCM" in tls.cipher()[0] or "CHACHA20" in tls.cipher()[0]  # type: ignore[index]


def test_row_46_another_certificate_is_shown_as_soon_as_it_is_chosen(device: Device) -> None:
    made = device.api.post("/certificates/create", json={"name": "web", "key_type": "rsa-2048"})
    assert made.status_code == 201, made.text
    assert device.api.patch("/params/http", json={"certificate": "web"}).status_code == 200
    host, port = https_of(device)
    shown = made.json()["pem"]
    until("the new one", lambda: ssl.get_server_certificate((host, port)).split() == shown.split())
    assert device.api.patch("/params/http", json={"certificate": ""}).status_code == 200
    until("the old one", lambda: ssl.get_server_certificate((host, port)).split() != shown.split())


def test_ports_and_doors_follow_the_settings_and_a_port_that_cannot_be_had_changes_nothing(device: Device) -> None:
    port = free_port()
    assert device.api.patch("/params/http", json={"https_port": port}).status_code == 200
    until("the port", lambda: https_of(device)[1] == port)
    with secure(device) as client:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            assert client.patch("/params/http", json={"http_port": taken.getsockname()[1]}).status_code == 200

            def state() -> Any:
                states = client.get("/state").json()["states"]
                return next(each for each in states if each["topic"] == "network/http")

            until("the complaint", lambda: "in use" in state()["warning"])
            for hsts in (True, False):  # settings are followed again, and what has been said stays said
                assert client.patch("/params/http", json={"hsts": hsts}).status_code == 200
            busy = f"cannot listen on 127.0.0.1:{taken.getsockname()[1]}"
            assert device.output.read_text().count(busy) == 1
            assert device.api.get("/device").status_code == 200
        assert (
            client.patch("/params/http", json={"http_port": None, "access": "https", "hsts": True}).status_code == 200
        )
        until("HTTP shut", lambda: state()["http"] == "")
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"http://127.0.0.1:{device.port}/", timeout=PATIENCE_S)
        assert client.get("/device").headers["strict-transport-security"].startswith("max-age=")
        assert (
            client.patch("/params/http", json={"access": "both", "hsts": False, "https_port": None}).status_code == 200
        )
    until("HTTP again", lambda: _answers(device))
    both = device.api.patch("/params/http", json={"http_port": 9000, "https_port": 9000})
    assert (both.status_code, "must differ" in both.text) == (400, True)


def _answers(device: Device) -> bool:
    try:
        return device.api.get("/device").status_code == 200
    except httpx.HTTPError:
        return False


def test_row_32_handshakes_that_never_end_keep_nobody_out(device: Device) -> None:
    host, port = https_of(device)
    context = trusting(device)
    with contextlib.ExitStack() as stack:
        for number in range(200):
            raw = stack.enter_context(socket.socket())
            raw.bind((f"127.0.1.{number // 20 + 1}", 0))
            raw.connect((host, port))
            raw.send(b"\x16\x03\x01\x02\x00")  # the beginning of a ClientHello, and no more
        for _ in range(3):
            with socket.create_connection((host, port), timeout=20) as raw:
                with context.wrap_socket(raw, server_hostname=host) as tls:
                    assert tls.version() == "TLSv1.3"
    with socket.create_connection((host, port), timeout=20) as raw:
        raw.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert not raw.recv(100).startswith(b"HTTP/")
