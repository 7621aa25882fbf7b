"""Private keys in a TPM 2.0 (swtpm) behind a running device: made there, used for TLS and requests."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import ssl
import subprocess
import tempfile
from collections.abc import Iterator
from glob import glob
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509

from tests.live.device import LINTEL, PASSWORD, PATIENCE_S, USER, Device, running, until

LIBRARY = "/usr/lib/*/libtpm2_pkcs11.so.1"
# The real library, but for a chip that makes no RSA keys: it says so ("says") or refuses one when it is asked ("does").
# PKCS #11 v2.40: mechanism 0 is CKM_RSA_PKCS_KEY_PAIR_GEN, 0x70 CKR_MECHANISM_INVALID, 0x30 CKR_DEVICE_ERROR.
REFUSING = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
typedef unsigned long U;
static int chip(const char *how) {
    char told[8] = "";
    FILE *file = fopen(CHIP, "r");
    if (file) { if (!fgets(told, sizeof told, file)) told[0] = 0; fclose(file); }
    return !strcmp(told, how);
}
U C_GetMechanismInfo(U slot, U kind, void *info) {
    U (*real)(U, U, void *) = dlsym(RTLD_NEXT, "C_GetMechanismInfo");
    return kind == 0 && chip("says") ? 0x70 : real(slot, kind, info);
}
U C_GenerateKeyPair(U session, U *kind, void *a, U b, void *c, U d, void *e, void *f) {
    U (*real)(U, U *, void *, U, void *, U, void *, void *) = dlsym(RTLD_NEXT, "C_GenerateKeyPair");
    return *kind == 0 && chip("does") ? 0x30 : real(session, kind, a, b, c, d, e, f);
}
"""
NAME = "com.intel.tss2.Tabrmd"
OWNED = "org.freedesktop.DBus.NameHasOwner"


class Tpm:
    """A software TPM that keeps its state when it is stopped, with a resource manager before it as kernels have one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bus = f"unix:path={folder / 'bus'}"
        self._running: list[subprocess.Popen[bytes]] = []
        (folder / "state").mkdir()
        self._bus = self._begin("dbus-daemon", "--session", "--nofork", "--nopidfile", f"--address={self.bus}")
        until("the bus", (folder / "bus").exists)

    def _begin(self, *words: str) -> subprocess.Popen[bytes]:
        log = (self.folder / f"{words[0]}.log").open("ab")
        with log:
            return subprocess.Popen(
                words, stdout=log, stderr=log, env={**os.environ, "DBUS_SESSION_BUS_ADDRESS": self.bus}
            )

    def start(self) -> None:
        """Power on."""
        socket = self.folder / "tpm"
        chip = self._begin(
            "swtpm", "socket", "--tpm2", "--tpmstate", f"dir={self.folder / 'state'}", "--server",
            f"type=unixio,path={socket}", "--ctrl", f"type=unixio,path={socket}.ctrl", "--flags",
            "not-need-init,startup-clear",
        )  # fmt: skip
        until("the TPM", lambda: socket.exists() and Path(f"{socket}.ctrl").exists())
        manager = self._begin("tpm2-abrmd", "--session", "--allow-root", f"--tcti=swtpm:path={socket}")
        self._running = [manager, chip]
        until("the resource manager", self._served)

    def _served(self) -> bool:
        asked = ["dbus-send", "--session", "--print-reply", "--dest=org.freedesktop.DBus", "/", OWNED, f"string:{NAME}"]
        environment = {**os.environ, "DBUS_SESSION_BUS_ADDRESS": self.bus}
        done = subprocess.run(asked, capture_output=True, text=True, check=False, env=environment, timeout=PATIENCE_S)
        return "boolean true" in done.stdout

    def stop(self) -> None:
        """Power off."""
        for process in self._running:
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE_S)
        self._running = []
        for left in ("tpm", "tpm.ctrl"):
            (self.folder / left).unlink(missing_ok=True)

    def close(self) -> None:
        """Power off for good."""
        self.stop()
        self._bus.terminate()
        self._bus.wait(PATIENCE_S)


@pytest.fixture
def tpm() -> Iterator[Tpm]:
    """A TPM in a folder whose name is short enough for a socket."""
    folder = Path(tempfile.mkdtemp(prefix="tpm"))
    found = Tpm(folder)
    try:
        found.start()
        yield found
    finally:
        found.close()
        shutil.rmtree(folder)


@pytest.fixture
def behind(tpm: Tpm, monkeypatch: pytest.MonkeyPatch) -> Tpm:
    """A device started from here finds the TPM."""
    monkeypatch.setenv("TPM2_PKCS11_TCTI", "tabrmd:bus_type=session")
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", tpm.bus)
    monkeypatch.setenv("TSS2_LOG", "all+NONE")
    return tpm


@pytest.fixture
def without_rsa(behind: Tpm, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A device started from here finds a TPM that makes no RSA keys: `says` or `does` in this file, how it is told."""
    (library,), folder = glob(LIBRARY), behind.folder
    chip, real, name = folder / "chip", folder / "real.so", folder / "refusing.so"
    chip.write_text("does")
    shutil.copyfile(library, real)
    (folder / "refusing.c").write_text(REFUSING)
    stub = ["cc", "-shared", f"-Wl,-soname,{real}", "-x", "c", os.devnull, "-o", str(folder / "stub.so")]
    made = ["cc", "-shared", "-fPIC", f'-DCHIP="{chip}"', str(folder / "refusing.c"), "-Wl,--no-as-needed"]
    for words in (stub, [*made, str(folder / "stub.so"), "-ldl", "-o", str(name)]):
        subprocess.run(words, check=True)
    # In a mount namespace of its own it stands where the device looks for the library.
    mount = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"]), "sh", "-ec"]
    mount += ['mount --bind "$1" "$2"; shift 2; exec "$@"', "sh", str(name), library]
    monkeypatch.setattr("tests.live.device.LINTEL", [*mount, *LINTEL])
    return chip


def certificates(device: Device) -> dict[str, dict[str, Any]]:
    """All certificates by name."""
    return {each["name"]: each for each in device.api.get("/certificates").json()["certificates"]}


def again(device: Device) -> None:
    """The network role starts anew, and answers."""
    device.wait_ready("network", device.kill("network"))
    until("the API", lambda: _answers(device))


def _answers(device: Device) -> bool:
    try:
        return device.api.get("/device").status_code == 200
    except httpx.TransportError:
        return False


VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)  # RSA signs in another way in each


def shown(device: Device, trusted: str) -> str:
    """The fingerprint of what HTTPS shows, to clients that trust that certificate alone and ask something."""
    states = device.api.get("/state").json()["states"]
    at = next(each["https"] for each in states if each["topic"] == "network/http")
    for version in VERSIONS:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = context.maximum_version = version
        context.load_verify_locations(cadata=trusted)
        with httpx.Client(
            base_url=f"https://{at}/api/v1", auth=(USER, PASSWORD), verify=context, timeout=PATIENCE_S
        ) as client:
            assert client.get("/device").status_code == 200
    host, _, port = at.rpartition(":")
    der = ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate((host, int(port))))
    return hashlib.sha256(der).hexdigest()


def shows(device: Device, certificate: dict[str, Any]) -> bool:
    """Whether HTTPS shows that certificate; to a client that trusts nothing else another one is no connection.

    A server that is only just starting, or ending, may break off at any word.
    """
    try:
        return shown(device, certificate["pem"]) == str(certificate["fingerprint"])
    except (httpx.TransportError, OSError):
        return False


def private_keys(state: Path) -> int:
    """How many private keys lie readable in the settings."""
    files = [path for path in (state / "settings").rglob("*") if path.is_file()]
    return sum(path.read_bytes().count(b"BEGIN PRIVATE KEY") for path in files)


def test_the_key_of_https_is_made_in_the_tpm_serves_tls_and_leaves_no_copy_and_the_device_does_without_a_tpm_too(
    behind: Tpm, tmp_path: Path
) -> None:
    tpm = behind
    with running(tmp_path / "state") as device:
        device.set_up()
        before = certificates(device)["device"]
        assert before["keystore"] == "file"
        assert private_keys(device.state) > 0
        assert device.api.patch("/params/certificates", json={"keystore": "tpm"}).status_code == 200
        again(device)
        own = certificates(device)["device"]
        assert (own["keystore"], own["key_type"]) == ("tpm", "ec-p256")
        assert own["fingerprint"] != before["fingerprint"]
        until("the certificate of the TPM", lambda: shows(device, own))

        # Another key, a request signed in the TPM, and HTTPS with it; the settings hold no key in clear.
        made = device.api.post("/actions/certificates.create", json={"name": "second", "key_type": "ec-p384"})
        assert (made.status_code, made.json()["keystore"]) == (200, "tpm"), made.text
        request = device.api.post("/actions/certificates.request", json={"name": "second"}).json()["pem"]
        assert x509.load_pem_x509_csr(request.encode()).is_signature_valid
        assert device.api.patch("/params/http", json={"certificate": "second"}).status_code == 200
        second = certificates(device)["second"]
        until("the second certificate", lambda: shows(device, second))
        assert private_keys(device.state) == 0

        # RSA as well, of the sizes that this chip has.
        for name, kind in (("rsa", "rsa-2048"), ("larger", "rsa-3072")):
            wish = {"name": name, "key_type": kind}  # which takes a chip its time, and another one longer
            made = device.api.post("/actions/certificates.create", json=wish, timeout=PATIENCE_S)
            assert (made.status_code, made.json()["keystore"], made.json()["key_type"]) == (200, "tpm", kind), made.text
            request = device.api.post("/actions/certificates.request", json={"name": name}).json()["pem"]
            assert x509.load_pem_x509_csr(request.encode()).is_signature_valid
            assert device.api.patch("/params/http", json={"certificate": name}).status_code == 200
            found = certificates(device)[name]
            until(f"the certificate {name}", lambda found=found: shows(device, found))
        assert private_keys(device.state) == 0
        assert device.api.patch("/params/http", json={"certificate": "second"}).status_code == 200
        until("the second certificate once more", lambda: shows(device, second))

        # Without its TPM the device is reachable all the same, and says why it shows another certificate.
        tpm.stop()
        again(device)
        stand_in = certificates(device)
        assert stand_in["device"]["keystore"] == "file"
        assert "second" not in stand_in
        until("the certificate that stands in", lambda: shows(device, stand_in["device"]))
        assert "the TPM cannot be used" in device.api.get("/logs/system?limit=1000").text

        # And with it again everything is as it was.
        tpm.start()
        again(device)
        back = certificates(device)
        assert back["device"]["keystore"] == "tpm"
        assert back["second"]["fingerprint"] == second["fingerprint"]
        until("the second certificate again", lambda: shows(device, second))
        assert private_keys(device.state) == 0
        assert device.api.post("/actions/certificates.remove", json={"name": "second"}).status_code == 200


def test_a_key_that_the_chip_refuses_is_one_error_with_what_it_offers_and_one_it_never_offered_lies_in_the_file(
    without_rsa: Path, tmp_path: Path
) -> None:
    with running(tmp_path / "state") as device:
        device.set_up()
        assert device.api.patch("/params/certificates", json={"keystore": "tpm"}).status_code == 200
        again(device)
        own, files = certificates(device), private_keys(device.state)
        wish = {"name": "rsa", "key_type": "rsa-2048"}
        refused = device.api.post("/actions/certificates.create", json=wish)
        assert (refused.status_code, refused.json()["error"]) == (
            503,
            {
                "code": "unavailable", "where": "keystore",
                "message": "the TPM made no key of type rsa-2048: the TPM reports an error (C_GenerateKeyPair answered"
                " 0x30); it offers ec-p256, ec-p384, rsa-3072",
            },
        )  # fmt: skip
        assert (certificates(device), private_keys(device.state)) == (own, files)  # nothing came of it

        # One that says beforehand that it makes none, as it is asked at the start: the others are made in it.
        without_rsa.write_text("says")
        again(device)
        assert "the TPM makes no RSA keys" in device.api.get("/logs/system?limit=1000").text
        made = device.api.post("/actions/certificates.create", json=wish, timeout=PATIENCE_S)
        assert (made.status_code, made.json()["keystore"]) == (200, "file"), made.text
        made = device.api.post("/actions/certificates.create", json={"name": "curve", "key_type": "ec-p256"})
        assert (made.status_code, made.json()["keystore"]) == (200, "tpm"), made.text
