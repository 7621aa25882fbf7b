"""Test firmware for one device, and refused bundles, over the API of a whole simulated device."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.live.device import Device, lintel, running

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def vendor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the vendor's keys and a release bundle."""
    root = tmp_path_factory.mktemp("vendor")
    made(root, "keys", "keys")
    made(root, "build", "--version", "9.8.7", "new.raucb")
    return root


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory, vendor: Path) -> Iterator[Device]:
    """A device that trusts this vendor."""
    state = tmp_path_factory.mktemp("device") / "state"
    state.mkdir()
    shutil.copytree(vendor / "keys" / "keyring", state / "keyring")
    with running(state) as found:
        found.set_up()
        yield found


def made(root: Path, *words: str) -> dict[str, Any]:
    """What `lintel bundle` prints."""
    done = lintel("bundle", *words, cwd=root)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def asked(device: Device, action: str, **values: object) -> tuple[int, Any]:
    """Status and answer of an action."""
    answer = device.api.post(f"/actions/{action}", json=values)
    return answer.status_code, answer.json() if answer.content else None


def uploaded(device: Device, bundle: Path, **fields: str) -> tuple[int, Any]:
    """Status and answer of an upload."""
    with bundle.open("rb") as file:
        answer = device.api.post("/upgrade", data=fields, files={"bundle": file})
    return answer.status_code, answer.json()


def firmware_files(device: Device) -> dict[str, bytes]:
    """Everything that decides which firmware starts."""
    folder = device.state / "boot"
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file() and not path.is_symlink()}


def test_row_28_every_refusal_has_its_code_and_changes_nothing(device: Device, vendor: Path, tmp_path: Path) -> None:
    raw = (vendor / "new.raucb").read_bytes()
    damaged = bytearray(raw)
    damaged[10_000] ^= 1
    made(tmp_path, "keys", "keys")
    made(tmp_path, "build", "--version", "9.8.7", "foreign.raucb")
    made(vendor, "build", "--version", "0.0.9", str(tmp_path / "older.raucb"))
    made(vendor, "build", "--model", "LINTEL-HS1", str(tmp_path / "other.raucb"))
    for name, content in (("cut", raw[:-100]), ("longer", raw + b"x"), ("damaged", damaged), ("text", b"hello")):
        (tmp_path / f"{name}.raucb").write_bytes(content)
    codes = {
        "cut": "truncated",
        "longer": "appended",
        "damaged": "payload-damaged",
        "text": "not-a-bundle",
        "foreign": "foreign-key",
        "older": "downgrade",
        "other": "other-model",
    }
    before = firmware_files(device)
    for name, code in codes.items():
        status, answer = uploaded(device, tmp_path / f"{name}.raucb", mode="standard")
        assert (status, answer["error"]["code"]) == (403, code), answer
    assert firmware_files(device) == before
    journal = device.api.get("/journal", params={"limit": 100}).text
    assert all(code in journal for code in codes.values())


def test_row_28_test_firmware_needs_the_certificate_of_this_device(device: Device, vendor: Path) -> None:
    about = device.api.get("/device").json()
    serial, chip_id = about["serial"], about["chip_id"]
    other = made(vendor, "keys", "--device", f"02AABBCCDDEE:{chip_id}", "keys")["certificate"]
    own = made(vendor, "keys", "--device", f"{serial}:{chip_id}", "keys")
    made(vendor, "build", "--version", "9.8.8", "--signer", own["signer"], "test.raucb")

    assert uploaded(device, vendor / "test.raucb")[1]["error"]["code"] == "certificate-not-installed"
    status, answer = asked(device, "certificate.install", certificate=(vendor / other).read_text(), acknowledged=True)
    assert (status, answer["error"]["code"]) == (403, "other-device")
    pem = (vendor / own["certificate"]).read_text()
    assert asked(device, "certificate.install", certificate=pem)[0] == 403
    assert asked(device, "certificate.info")[1]["state"] == "none"

    status, answer = asked(device, "certificate.install", certificate=pem, acknowledged=True)
    assert (status, answer["state"]) == (200, "ok")
    assert asked(device, "certificate.info")[1] == answer
    assert asked(device, "certificate.delete")[0] == 200
    assert asked(device, "certificate.delete")[0] == 404
    assert uploaded(device, vendor / "test.raucb")[1]["error"]["code"] == "certificate-not-installed"

    asked(device, "certificate.install", certificate=pem, acknowledged=True)
    status, answer = uploaded(device, vendor / "test.raucb", mode="standard")
    assert (status, answer["version"]) == (202, "9.8.8")
