"""`lintel bundle` as a person uses it: keys, build, inspect, sign; and the firmware that comes out of a bundle runs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from firmware.paths import CHECKOUT
from tests.live.device import lintel

pytestmark = pytest.mark.live

DEVICE = "02AABBCCDDEE:0123456789abcdef"


def told(*words: str, cwd: Path) -> dict[str, Any]:
    """What a command prints when it succeeds."""
    done = lintel(*words, cwd=cwd)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with keys, made by the command."""
    folder = tmp_path_factory.mktemp("shop")
    assert told("bundle", "keys", "keys", cwd=folder) == {"keys": "keys", "keyring": "keys/keyring"}
    return folder


def changed_checkout(folder: Path) -> Path:
    """A copy of this checkout whose command says something else."""
    for part in ("hal", "firmware", "boards"):
        shutil.copytree(CHECKOUT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    front = folder / "firmware" / "cli" / "main.py"
    text = front.read_text()
    assert text.count('print(f"lintel {VERSION}")') == 1
    front.write_text(text.replace('print(f"lintel {VERSION}")', 'print(f"changed {VERSION}")'))
    return folder


def test_the_code_that_was_changed_and_its_raised_version_come_out_of_the_bundle(shop: Path, tmp_path: Path) -> None:
    tree = changed_checkout(tmp_path / "tree")
    before = (tree / "firmware" / "__init__.py").read_text()
    built = told("bundle", "build", "--tree", str(tree), "--version", "7.8.9", str(tmp_path / "fw.raucb"), cwd=shop)
    assert built["version"] == "7.8.9"
    assert (tree / "firmware" / "__init__.py").read_text() == before
    image = tmp_path / "rootfs.img"
    with image.open("wb") as file:
        subprocess.run(["unsquashfs", "-cat", tmp_path / "fw.raucb", "rootfs.img"], stdout=file, check=True)
    subprocess.run(["unsquashfs", "-no-progress", "-d", tmp_path / "slot", image], capture_output=True, check=True)
    ran = subprocess.run(
        [sys.executable, "-m", "firmware", "--version"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "slot"), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout == "changed 7.8.9\n"


def test_inspect_prints_what_build_was_told_and_whom_a_device_would_trust(shop: Path, tmp_path: Path) -> None:
    out = str(tmp_path / "fw.raucb")
    options = ["--model", "LINTEL-DS1", "--model", "LINTEL-HS1", "--revision", "1", "--revision", "2"]
    options += ["--security-counter", "5", "--lts", "9.80", "--lts", "10.12", "--mode", "factory_default"]
    told("bundle", "build", *options, out, cwd=shop)
    seen = told("bundle", "inspect", "--keyring", "keys/keyring", out, cwd=shop)
    manifest = seen["manifest"]
    assert (seen["payload"], seen["trusted"], seen["signer"]["device"]) == ("ok", "release", None)
    assert seen["signer"]["subject"] == "CN=Lintel release"
    assert (manifest["models"], manifest["compatible"]) == (["LINTEL-DS1", "LINTEL-HS1"], "lintel")
    assert (manifest["revisions"], manifest["security_counter"]) == ([1, 2], 5)
    assert (manifest["lts"], manifest["modes"]) == (["9.80", "10.12"], ["factory_default"])
    assert [image["name"] for image in manifest["images"]] == ["rootfs"]
    (tmp_path / "other").mkdir()
    told("bundle", "keys", "keys", cwd=tmp_path / "other")
    theirs = told("bundle", "inspect", "--keyring", str(tmp_path / "other" / "keys" / "keyring"), out, cwd=shop)
    assert theirs["trusted"] == "foreign-key"


def test_a_release_is_signed_again_for_one_device(shop: Path, tmp_path: Path) -> None:
    out, again = str(tmp_path / "fw.raucb"), str(tmp_path / "again.raucb")
    told("bundle", "build", out, cwd=shop)
    signer = told("bundle", "keys", "--device", DEVICE, "keys", cwd=shop)["signer"]
    told("bundle", "sign", "--signer", signer, out, again, cwd=shop)
    seen = told("bundle", "inspect", "--keyring", "keys/keyring", again, cwd=shop)
    assert (seen["trusted"], seen["signer"]["device"]) == ("device", DEVICE.split(":"))
    before = told("bundle", "inspect", out, cwd=shop)["manifest"]["images"]
    assert seen["manifest"]["images"] == before


def test_nothing_that_exists_is_replaced_and_nothing_half_made_is_left(shop: Path, tmp_path: Path) -> None:
    (tmp_path / "fw.raucb").write_text("mine")
    tree = changed_checkout(tmp_path / "tree")
    keys = {path: path.read_bytes() for path in (shop / "keys").rglob("*.*")}
    (tree / "hal" / "link").symlink_to("/etc/passwd")
    mistakes = [
        (["build", str(tmp_path / "fw.raucb")], "exists already"),
        (["build", "--tree", str(tree), str(tmp_path / "new.raucb")], "is a link"),
        (["build", "--tree", str(tmp_path), str(tmp_path / "new.raucb")], "is no checkout"),
        (["build", "--cert", "keys/release.pem", "--key", "keys/root.key", str(tmp_path / "new.raucb")], "rauc: "),
        (["build", str(tmp_path / "nowhere" / "new.raucb")], "cannot be written"),
        (["sign", str(tmp_path / "fw.raucb"), str(tmp_path / "new.raucb")], "rauc: "),
        (["inspect", str(tmp_path / "fw.raucb")], "no firmware bundle"),
        (["keys", "keys"], "cannot be made: File exists"),
        (["keys", "--device", DEVICE, str(tmp_path)], "has no readable custom"),
    ]
    for words, hint in mistakes:
        done = lintel("bundle", *words, cwd=shop)
        assert (done.returncode, done.stdout) == (1, ""), words
        assert done.stderr.count("\n") == 1, done.stderr
        assert hint in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fw.raucb", "tree"]
    assert (tmp_path / "fw.raucb").read_text() == "mine"
    assert {path: path.read_bytes() for path in keys} == keys
