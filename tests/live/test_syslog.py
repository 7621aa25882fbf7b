"""Remote system logs on real sockets: rsyslog as somebody else's receiver, and servers that come, go and lie."""

from __future__ import annotations

import contextlib
import re
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from firmware.certificates.keys import generate, key_pem
from firmware.certificates.keystore import load_chain
from firmware.certificates.making import self_signed, signing_request
from firmware.core.vocabulary.certificates import KeyType, Subject
from tests.live.device import PATIENCE_S, Device, free_port, running, until
from tests.unit.face.test_certificates import Authority

RSYSLOG = shutil.which("rsyslogd", path="/usr/sbin:/sbin:/usr/bin")
CONFIG = """
global(workDirectory="{folder}" maxMessageSize="8k"
       DefaultNetstreamDriver="ossl" DefaultNetstreamDriverCAFile="{folder}/ca.pem"
       DefaultNetstreamDriverCertFile="{folder}/cert.pem" DefaultNetstreamDriverKeyFile="{folder}/key.pem")
module(load="imudp")
module(load="imptcp")
module(load="imtcp" StreamDriver.Name="ossl" StreamDriver.Mode="1" StreamDriver.AuthMode="anon")
template(name="seen" type="string" string="%inputname% %pri% %hostname% %app-name% %msgid% %timereported% %msg%\\n")
input(type="imudp" address="127.0.0.1" port="{udp}" name="udp")
input(type="imptcp" address="127.0.0.1" port="{tcp}" name="tcp")
input(type="imtcp" address="127.0.0.1" port="{tls}" name="tls")
action(type="omfile" file="{folder}/seen" template="seen" flushInterval="1" flushOnTXEnd="on")
"""


class Rsyslog:
    """An rsyslogd of our own, with a certificate of an authority of our own."""

    def __init__(self, folder: Path) -> None:
        assert RSYSLOG is not None
        self.folder = folder
        self.ports = {name: free_port() for name in ("udp", "tcp", "tls")}
        self.authority = Authority()
        self._furnish()
        config = folder / "rsyslog.conf"
        config.write_text(CONFIG.format(folder=folder, **self.ports))
        words = [RSYSLOG, "-n", "-f", str(config), "-i", str(folder / "pid")]
        with (folder / "err").open("wb") as errors:
            self.process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=errors)
        until("rsyslog", lambda: all(self._listens(self.ports[name]) for name in ("tcp", "tls")))

    def _furnish(self) -> None:
        key = generate(KeyType.EC_P256)
        subject = Subject(common_name="localhost", alternative_names=("127.0.0.1", "localhost"))
        signed = self.authority.sign(signing_request(key, subject))
        (self.folder / "cert.pem").write_text(signed)
        (self.folder / "key.pem").write_bytes(key_pem(key))
        (self.folder / "ca.pem").write_text(self.authority.pem())

    @staticmethod
    def _listens(port: int) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
        return False

    def seen(self) -> list[str]:
        path = self.folder / "seen"
        return path.read_text().splitlines() if path.exists() else []

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Device]:
    """One door station for all servers."""
    with running(tmp_path_factory.mktemp("syslog") / "state") as found:
        found.set_up()
        yield found


def send_to(device: Device, *servers: dict[str, Any]) -> None:
    answer = device.api.patch("/params/syslog", json={"servers": list(servers)})
    assert answer.status_code == 200, answer.text


def results_of(device: Device) -> dict[str, str]:
    """What came of a line to every server, by its name; a sender whose settings are new may not be there yet."""
    found: dict[str, str] = device.api.post("/logs/test", json={}).json()["results"]
    return found


def state_of(device: Device, name: str) -> dict[str, Any]:
    states = device.api.get("/state").json()["states"]
    found: dict[str, Any] = next(
        (each for each in states if each["topic"] == "station/syslog" and each["server"].startswith(name)), {}
    )
    return found


def test_rsyslog_reads_both_formats_over_udp_tcp_and_tls(device: Device, tmp_path: Path) -> None:
    rsyslog = Rsyslog(tmp_path)
    try:
        add = {"name": "log ca", "kind": "ca", "pem": rsyslog.authority.pem()}
        assert device.api.post("/certificates", json=add).status_code == 201
        for form in ("rfc5424", "rfc3164"):
            base = {"host": "127.0.0.1", "local": True, "format": form}
            send_to(device, *({**base, "protocol": name, "port": port, "authority": "log ca"}
                              for name, port in rsyslog.ports.items()))  # fmt: skip
            until("the senders", lambda: list(results_of(device).values()) == ["sent"] * 3)
            name = f"canary-{form}"
            made = device.api.post("/accounts", json={"name": name, "password": "x"})
            assert made.status_code == 201

            def arrived(name: str = name) -> set[str]:
                return {line.split()[0] for line in rsyslog.seen() if f"account {name} (viewer) created by" in line}

            until(f"the line by all three ways ({form})", lambda: arrived() == {"udp", "tcp", "tls"})
            line = next(each for each in rsyslog.seen() if f"account {name} " in each)
            _, priority, host, app, *_ = line.split()
            assert priority == str(13 * 8 + 5)
            assert re.fullmatch(r"lintel-[0-9a-f]{12}", host)
            assert app == "lintel"
        assert any("security.account" in line for line in rsyslog.seen())
    finally:
        send_to(device)
        rsyslog.stop()
        device.api.delete("/certificates/log ca")


class Receiver:
    """A server of ours on TCP or TLS that keeps what it is sent; it can hang up and come back."""

    def __init__(self, port: int = 0, context: ssl.SSLContext | None = None) -> None:
        self.socket = socket.create_server(("127.0.0.1", port))
        self.port = self.socket.getsockname()[1]
        self.data = b""
        self._context = context
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.socket.accept()
                threading.Thread(target=self._read, args=(connection,), daemon=True).start()

    def _read(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            if self._context is not None:
                connection = self._context.wrap_socket(connection, server_side=True)
            self._open.append(connection)
            while data := connection.recv(65536):
                self.data += data
        connection.close()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


def test_a_server_that_goes_away_gets_the_lines_of_meanwhile_when_it_is_back(device: Device) -> None:
    first = Receiver()
    send_to(device, {"host": "127.0.0.1", "port": first.port, "protocol": "tcp", "local": True, "logs": ["audit"]})
    until("the sender", lambda: list(results_of(device).values()) == ["sent"])
    device.api.post("/accounts", json={"name": "before", "password": "x"})
    until("the line", lambda: b"account before" in first.data)
    first.close()
    until("the loss", lambda: state_of(device, "tcp").get("reachable") is False)
    device.api.post("/accounts", json={"name": "meanwhile", "password": "x"})
    second = Receiver(first.port)
    try:
        until("the line of meanwhile", lambda: b"account meanwhile" in second.data)
        until("the end of the loss", lambda: state_of(device, "tcp").get("reachable") is True)
        # Octet-counting: every message is preceded by its length, and nothing is between them.
        rest = second.data
        while rest:
            length, _, rest = rest.partition(b" ")
            assert rest[: int(length)].startswith(b"<")
            rest = rest[int(length) :]
    finally:
        send_to(device)
        second.close()
        for name in ("before", "meanwhile"):
            device.api.delete(f"/accounts/{name}")


def test_row_46_a_server_with_an_unknown_certificate_gets_nothing(device: Device) -> None:
    key = generate(KeyType.EC_P256)
    subject = Subject(common_name="127.0.0.1", alternative_names=("127.0.0.1",))
    pem = self_signed(key, subject, datetime.now(UTC), 30).public_bytes(Encoding.PEM)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    load_chain(context, pem, key_pem(key))
    server = Receiver(context=context)
    try:
        send_to(device, {"host": "127.0.0.1", "port": server.port, "protocol": "tls", "local": True})
        device.api.post("/accounts", json={"name": "canary", "password": "x"})
        until("the refusal", lambda: "not trusted" in state_of(device, "tls").get("reason", ""))
        assert server.data == b""
    finally:
        send_to(device)
        server.close()
        device.api.delete("/accounts/canary")


@pytest.mark.parametrize(
    ("host", "says"), [("127.0.0.1", "this device itself"), ("169.254.169.254", "metadata"), ("224.0.0.1", "one host")]
)
def test_row_38_the_device_is_not_sent_where_an_attacker_may_want_it(device: Device, host: str, says: str) -> None:
    server = Receiver()
    try:
        send_to(device, {"host": host, "port": server.port, "protocol": "tcp"})
        until("the refusal", lambda: [says in result for result in results_of(device).values()] == [True])
        assert server.data == b""
    finally:
        send_to(device)
        server.close()


def test_a_server_that_takes_nothing_holds_nobody_up(device: Device) -> None:
    def changes_s() -> float:
        """How long a change of a parameter takes, which is a line of the audit log."""
        took = []
        for number in range(40):
            began = time.monotonic()
            assert device.api.patch("/params/brute_force", json={"period_s": 10 + number % 2}).status_code == 200
            took.append(time.monotonic() - began)
        return sum(took)

    deaf = socket.create_server(("127.0.0.1", 0))  # accepts by the kernel, is never read
    try:
        alone_s = changes_s()
        send_to(device, {"host": "127.0.0.1", "port": deaf.getsockname()[1], "protocol": "tcp", "local": True})
        # One calm round of three shows that nothing is waited for: every stall counts in each.
        assert any(changes_s() < 10 * alone_s for _ in range(3))
        lines = device.api.get("/logs/audit", params={"text": "brute_force"}).json()["lines"]
        assert len(lines) >= 1
    finally:
        send_to(device)
        deaf.close()
