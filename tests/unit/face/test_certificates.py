"""Certificates: made, asked for, taken from files of every form, shown without their keys, used for TLS."""

from __future__ import annotations

import contextlib
import ssl
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from firmware.certificates.keys import generate, key_pem
from firmware.certificates.making import self_signed
from firmware.certificates.reading import read_file
from firmware.core.errors import Invalid
from firmware.core.vocabulary.certificates import (
    CertificateAdd,
    CertificateChanged,
    KeyType,
    Subject,
)

Play = Callable[..., None]
ADMIN = ("admin", "choose-one")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
KEY = generate(KeyType.EC_P256)
CERTIFICATE = self_signed(KEY, Subject(common_name="door.example", alternative_names=("door.example",)), NOW, 30)


class Authority:
    """Somebody who signs certificates."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Some Authority")])
        builder = self._begin(self.name, self.key.public_key())
        basic = x509.BasicConstraints(ca=True, path_length=None)
        self.certificate = builder.add_extension(basic, critical=True).sign(self.key, hashes.SHA256())

    def _begin(self, subject: x509.Name, key: Any) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW)
            .not_valid_after(NOW + timedelta(days=36500))
        )

    def sign(self, request: str) -> str:
        """The certificate that was asked for, in PEM, with the authority's behind it."""
        asked = x509.load_pem_x509_csr(request.encode())
        assert asked.is_signature_valid
        builder = self._begin(asked.subject, asked.public_key())
        for extension in asked.extensions:
            builder = builder.add_extension(extension.value, extension.critical)
        signed = builder.sign(self.key, hashes.SHA256())
        return (signed.public_bytes(Encoding.PEM) + self.certificate.public_bytes(Encoding.PEM)).decode()

    def pem(self) -> str:
        return self.certificate.public_bytes(Encoding.PEM).decode()


def files() -> dict[str, dict[str, str]]:
    """The same certificate and key in every form."""
    pem = CERTIFICATE.public_bytes(Encoding.PEM).decode()
    pkcs1 = KEY.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()
    locked = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"pw")).decode()
    pfx = pkcs12.serialize_key_and_certificates(b"x", KEY, CERTIFICATE, None, BestAvailableEncryption(b"pw"))
    return {
        "PEM with its key": {"pem": pem + key_pem(KEY).decode()},
        "PEM and key apart": {"pem": pem, "key": pkcs1},
        "PEM with a locked key": {"pem": locked + pem, "password": "pw"},
        "CER and key": {"data": b64encode(CERTIFICATE.public_bytes(Encoding.DER)).decode(), "key": pkcs1},
        "PEM as bytes": {"data": b64encode((pem + pkcs1).encode()).decode()},
        "PFX": {"data": b64encode(pfx).decode(), "password": "pw"},
    }


@pytest.mark.parametrize("form", list(files()))
def test_a_certificate_is_taken_in_every_form_and_used_for_tls(play: Play, form: str) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        async with face.client(ADMIN) as client:
            answer = await client.post("/api/v1/certificates", json={"name": "web", **files()[form]})
            assert answer.status_code == 201, answer.text
            shown = answer.json()
            assert (shown["name"], shown["kind"], shown["key_type"]) == ("web", "client_server", "ec-p256")
            assert shown["fingerprint"] == CERTIFICATE.fingerprint(hashes.SHA256()).hex()
            assert shown["alternative_names"] == ["door.example"]
            assert "PRIVATE" not in answer.text
        assert face.certificates.fingerprint("web") == shown["fingerprint"]
        assert isinstance(face.certificates.server("web"), ssl.SSLContext)

    play(main)


def test_a_new_device_makes_a_key_and_a_certificate_of_its_own_and_keeps_them(play: Play) -> None:
    seen: list[str] = []

    async def main(face: Any) -> None:
        seen.append(face.certificates.fingerprint())
        if not seen[1:]:
            await face.set_up()
        async with face.client(ADMIN) as client:
            (own,) = (await client.get("/api/v1/certificates")).json()["certificates"]
        assert own["self_signed"]
        assert own["subject"] == "CN=LINTEL-DS1-0123456789AB"
        assert "127.0.0.1" in own["alternative_names"]
        assert own["not_before"] < "2026" < own["not_after"]

    def look(root: Path) -> None:
        for path in root.iterdir():
            assert path.is_dir() or path.stat().st_mode & 0o077 == 0

    play(main, main, between=look)
    assert seen[0] == seen[1]


def test_row_46_every_start_without_settings_draws_another_key(play: Play) -> None:
    seen: list[str] = []

    def forget(root: Path) -> None:
        for path in (*root.glob("certificates*"), *root.glob("keystore*")):
            path.unlink()

    async def main(face: Any) -> None:
        seen.append(face.certificates.fingerprint())

    play(main, main, between=forget)
    assert seen[0] != seen[1]


def test_row_21_damaged_certificates_leave_the_device_reachable_with_a_new_one(play: Play) -> None:
    seen: list[str] = []

    def damage(root: Path) -> None:
        for path in (*root.glob("certificates*"), *root.glob("keystore*")):
            path.write_bytes(b"rubbish")

    async def first(face: Any) -> None:
        await face.set_up()
        seen.append(face.certificates.fingerprint())

    async def second(face: Any) -> None:
        assert face.certificates.fingerprint() != seen[0]
        assert isinstance(face.certificates.server(), ssl.SSLContext)
        assert {what for what, _, _ in face.alarms} & {"certificates", "keystore"}

    play(first, second, between=damage)


def test_a_signing_request_is_signed_by_somebody_and_comes_back_for_the_same_key(play: Play) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        authority = Authority()
        async with face.client(ADMIN) as client:
            made = await client.post("/api/v1/certificates/create", json={"name": "web", "key_type": "ec-p384"})
            assert (made.status_code, made.json()["key_type"]) == (201, "ec-p384")
            subject = {
                "common_name": "door.example",
                "country": "SE",
                "alternative_names": ["door.example", "10.0.0.9"],
            }
            asked = await client.post("/api/v1/certificates/web/request", json=subject)
            signed = authority.sign(asked.json()["pem"])
            renewed = await client.post("/api/v1/certificates", json={"name": "web", "pem": signed})
            assert renewed.status_code == 201, renewed.text
            shown = renewed.json()
            assert (shown["issuer"], shown["self_signed"]) == ("CN=Some Authority", False)
            assert shown["alternative_names"] == ["door.example", "10.0.0.9"]
            assert shown["pem"].count("BEGIN CERTIFICATE") == 2
            wrong = await client.post("/api/v1/certificates", json={"name": "device", "pem": signed})
            assert (wrong.status_code, wrong.json()["error"]["message"]) == (400, "is not for the key of 'device'")
        assert isinstance(face.certificates.server("web"), ssl.SSLContext)
        changes = [(each.name, each.change, each.by) for each in face.events if isinstance(each, CertificateChanged)]
        assert changes == [("web", "created", "admin"), ("web", "renewed", "admin")]

    play(main)


def test_an_authority_is_trusted_when_it_is_one_and_no_longer_when_it_is_removed(play: Play) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        authority = Authority()
        async with face.client(ADMIN) as client:
            add = {"name": "our ca", "kind": "ca", "pem": authority.pem()}
            assert (await client.post("/api/v1/certificates", json=add)).status_code == 201
            assert len(face.certificates.client("our ca").get_ca_certs()) == 1
            twice = await client.post("/api/v1/certificates", json=add)
            assert (twice.status_code, twice.json()["error"]["code"]) == (403, "refused")
            leaf = {"name": "no ca", "kind": "ca", "pem": CERTIFICATE.public_bytes(Encoding.PEM).decode()}
            refused = await client.post("/api/v1/certificates", json=leaf)
            assert (refused.status_code, "basic constraints" in refused.text) == (400, True)
            assert (await client.delete("/api/v1/certificates/our ca")).status_code == 204
            assert (await client.delete("/api/v1/certificates/device")).status_code == 403
            gone = await client.delete("/api/v1/certificates/devise")
            assert (gone.status_code, "did you mean 'device'?" in gone.text) == (404, True)

    play(main)


def test_row_47_a_private_key_is_in_the_keystore_and_nowhere_else(play: Play) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        async with face.client(ADMIN) as client:
            add = {"name": "web", **files()["PEM with its key"]}
            told = (await client.post("/api/v1/certificates", json=add)).text
            told += (await client.get("/api/v1/certificates")).text + (await client.get("/api/v1/state")).text
        secret = key_pem(KEY).splitlines()[1]
        assert secret.decode() not in told + repr(face.events)
        root = face.core.store.root

        def holders() -> set[str]:
            return {path.name for path in root.rglob("*") if path.is_file() and secret in path.read_bytes()}

        assert {name.partition(".")[0] for name in holders()} == {"keystore"}
        async with face.client(ADMIN) as client:
            assert (await client.delete("/api/v1/certificates/web")).status_code == 204
        assert holders() == set()

    play(main)


OTHER = generate(KeyType.EC_P256)
PEM = CERTIFICATE.public_bytes(Encoding.PEM).decode()


@pytest.mark.parametrize(
    ("upload", "where", "says"),
    [
        ({}, "certificates.add", "either pem (text) or data (base64)"),
        ({"pem": "x", "data": "eA=="}, "certificates.add", "either pem"),
        ({"pem": "hello"}, "certificates.add.pem", "no PEM, no CER"),
        ({"data": "***"}, "certificates.add.data", "not base64"),
        (
            {"pem": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"},
            "certificates.add.pem",
            "cannot be read",
        ),
        ({"pem": PEM, "key": key_pem(OTHER).decode()}, "certificates.add.key", "does not belong"),
        ({"pem": PEM + PEM.join([""] * 10), "key": key_pem(KEY).decode()}, "certificates.add.pem", "more than 8"),
        ({**files()["PEM with a locked key"], "password": "wrong"}, "certificates.add.pem", "cannot be read"),
        ({**files()["PEM with a locked key"], "password": ""}, "certificates.add.pem", "needs its password"),
        ({**files()["PFX"], "password": "wrong"}, "certificates.add.data", "this password opens"),
    ],
)
def test_what_is_no_certificate_is_refused_with_its_place(upload: dict[str, str], where: str, says: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_file(CertificateAdd(name="web", **upload))
    assert refused.value.where == where
    assert says in refused.value.message


@pytest.mark.parametrize("key", [rsa.generate_private_key(65537, 1024), ed25519.Ed25519PrivateKey.generate()])
def test_row_46_weak_and_unusual_keys_are_refused(key: Any) -> None:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "weak")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(days=1))
        .sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256())
    )
    with pytest.raises(Invalid, match="neither RSA"):
        read_file(CertificateAdd(name="weak", pem=certificate.public_bytes(Encoding.PEM).decode()))


@given(st.binary(min_size=1, max_size=400))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with pytest.raises(Invalid):
        read_file(CertificateAdd(name="x", data=b64encode(data).decode(), password="p"))


@given(st.integers(0, len(PEM) - 1), st.characters(codec="ascii"))
def test_a_changed_letter_of_a_certificate_never_does_more_than_be_refused(place: int, letter: str) -> None:
    with contextlib.suppress(Invalid):
        read_file(CertificateAdd(name="x", pem=PEM[:place] + letter + PEM[place + 1 :]))
