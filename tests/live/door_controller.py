"""Somebody's door controller on the network: a real HTTPS server with a certificate of its own authority.

It follows docs/controller.md, or misbehaves as a test tells it. Loopback only, stops by itself.
"""

from __future__ import annotations

import base64
import contextlib
import datetime
import gzip
import hashlib
import ipaddress
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

USER, PASSWORD = "station", "canary-controller-password"
REALM = "controller"


class Authority:
    """A certificate authority of a test."""

    def __init__(self, name: str) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._certificate = self._sign(self._name, self._key, authority=True)
        self.pem = self._certificate.public_bytes(Encoding.PEM).decode()

    def issue(self, folder: Path, *names: str, days: int = 30) -> ssl.SSLContext:
        """A server's context with a certificate for these names; negative `days` make one that has expired."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        certificate = self._sign(subject, key, authority=False, names=names, days=days)
        path = folder / f"{abs(hash((names, days, id(self))))}.pem"
        path.write_bytes(
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            + certificate.public_bytes(Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context

    def _sign(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        *,
        authority: bool,
        names: tuple[str, ...] = (),
        days: int = 30,
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        start = now - datetime.timedelta(days=60)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(now + datetime.timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), False)
        return builder.sign(self._key, hashes.SHA256())


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


class DoorController:
    """The controller: `verdict` is what it says, `mode` how it misbehaves; `questions` is what it was asked."""

    def __init__(self, context: ssl.SSLContext | None) -> None:
        self.mode = "good"
        self.verdict = "granted"
        self.login = "none"
        self.questions: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.connections: list[socket.socket] = []
        self.elsewhere = 0
        self.sent = 0
        self.let_go = threading.Event()
        controller = self

        class Handler(_Handler):
            owner = controller

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        if context is not None:
            # The handshake belongs to the thread of its connection: a client that gives up holds up nobody.
            self.server.socket = context.wrap_socket(
                self.server.socket, server_side=True, do_handshake_on_connect=False
            )
        scheme = "http" if context is None else "https"
        self.port = int(self.server.server_address[1])
        self.url = f"{scheme}://127.0.0.1:{self.port}/lintel"
        self._thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def start(self) -> None:
        """Serve."""
        self._thread.start()

    def stop(self) -> None:
        """Be gone: the port refuses, and connections that were kept are cut."""
        self.let_go.set()
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()
        for connection in self.connections:
            with contextlib.suppress(OSError):  # most have ended by themselves
                connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    owner: DoorController
    protocol_version = "HTTP/1.1"
    timeout = 20

    def setup(self) -> None:
        super().setup()
        self.owner.connections.append(self.connection)

    def do_GET(self) -> None:
        self._serve(None)

    def do_POST(self) -> None:
        self._serve(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def log_message(self, format: str, *args: object) -> None:
        """Silent: the test's output is pytest's."""

    def _serve(self, body: bytes | None) -> None:
        owner = self.owner
        owner.headers.append(dict(self.headers.items()))
        if self.path.startswith("/elsewhere"):
            owner.elsewhere += 1
            self._answer(200, {"id": json.loads(body or b"{}").get("id"), "verdict": "granted"})
            return
        if not self._logged_in():
            return
        if self.path == "/lintel/readers":
            self._answer(200, {"readers": [{"id": "north", "name": "North door"}, {"id": "south", "name": "South"}]})
            return
        question = json.loads(body or b"{}")
        owner.questions.append(question)
        self._misbehave(question)

    def _misbehave(self, question: dict[str, Any]) -> None:
        owner = self.owner
        good = {"id": question.get("id"), "verdict": owner.verdict, "reason": "the list says so"}
        match owner.mode:
            case "slow":
                owner.let_go.wait(20)
                self._answer(200, good)
            case "drip":
                self.send_response(200)
                self.send_header("Content-Length", "10000")
                self.end_headers()
                with contextlib.suppress(OSError):
                    while not owner.let_go.wait(0.1):
                        self.wfile.write(b" ")
            case "redirect":
                self.send_response(307)
                self.send_header("Location", f"http://127.0.0.1:{owner.port}/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()
            case "huge":
                self._raw(200, b'{"reason": "' + b"x" * 50_000_000)
            case "huge refusal":
                self._raw(
                    401, b"x" * 50_000_000, ("WWW-Authenticate", f'Digest realm="{REALM}", nonce="n", qop="auth"')
                )
            case "bomb":
                self._raw(200, gzip.compress(b" " * 50_000_000), ("Content-Encoding", "gzip"))
            case "unknown login":
                self._raw(401, b"", ("WWW-Authenticate", 'Digest realm="r", nonce="n", algorithm="ROT13", qop="auth"'))
            case "other question":
                self._answer(200, good | {"id": "0" * 32})
            case "broken":
                self._raw(500, b"{}")
            case "hang up":
                self.close_connection = True
            case "hang up once":
                owner.mode = "good"
                self.close_connection = True
            case _:
                self._answer(200, good)

    def _logged_in(self) -> bool:
        said = self.headers.get("Authorization", "")
        match self.owner.login:
            case "none":
                return True
            case "basic":
                good = said == "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
                asks = f'Basic realm="{REALM}"'
            case _:
                good = said.startswith("Digest ") and self._digest_fits(said)
                asks = f'Digest realm="{REALM}", nonce="5f1d", qop="auth", algorithm=SHA-256'
        if not good:
            self._raw(401, b"", ("WWW-Authenticate", asks))
        return good

    def _digest_fits(self, said: str) -> bool:
        """RFC 7616, 3.4.1, computed here on its own."""
        fields = dict(part.strip().split("=", 1) for part in said.removeprefix("Digest ").split(","))
        fields = {name: value.strip('"') for name, value in fields.items()}

        def hashed(text: str) -> str:
            return hashlib.sha256(text.encode()).hexdigest()

        first = hashed(f"{USER}:{REALM}:{PASSWORD}")
        second = hashed(f"{self.command}:{self.path}")
        proof = hashed(f"{first}:5f1d:{fields['nc']}:{fields['cnonce']}:{fields['qop']}:{second}")
        return fields["response"] == proof and fields["uri"] == self.path

    def _answer(self, status: int, data: dict[str, Any]) -> None:
        self._raw(status, json.dumps(data).encode())

    def _raw(self, status: int, body: bytes, *headers: tuple[str, str]) -> None:
        with contextlib.suppress(OSError):  # the client may well have had enough
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            for at in range(0, len(body), 65_536):
                self.wfile.write(body[at : at + 65_536])
                self.owner.sent += len(body[at : at + 65_536])


@contextlib.contextmanager
def serving(context: ssl.SSLContext | None) -> Iterator[DoorController]:
    """A controller for the length of a block."""
    controller = DoorController(context)
    controller.start()
    try:
        yield controller
    finally:
        controller.stop()
