"""The package in a clean Debian: it installs, the firmware starts, a purge leaves nothing."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from firmware import VERSION
from tests.live.device import free_port
from tests.package.debian import QUIET, Debian, clean_debian
from tools.package.system_files import PLACES

pytestmark = pytest.mark.package

PATIENCE_S = 1200


@pytest.fixture(scope="module")
def deb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package: the one that `make deb` made, or one made now."""
    if given := os.environ.get("LINTEL_DEB"):
        return Path(given)
    out = tmp_path_factory.mktemp("deb") / "lintel.deb"
    subprocess.run([sys.executable, "-m", "tools.package.deb", str(out)], check=True)
    return out


@pytest.fixture(scope="module")
def debian(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Debian]:
    with clean_debian(tmp_path_factory.mktemp("clean")) as made:
        made.run("apt-get", "update", "-q")
        yield made


@pytest.mark.timeout(PATIENCE_S)
def test_the_package_installs_in_a_clean_debian_starts_there_and_goes_without_a_trace(
    debian: Debian, deb: Path
) -> None:
    install = ("apt-get", "install", "-y", "-q", "--no-install-recommends")
    depends = subprocess.run(["dpkg-deb", "-f", str(deb), "Depends"], capture_output=True, text=True, check=True).stdout
    debian.run(*install, *(word.split("(")[0].strip() for word in depends.split(",")))
    before, accounts = debian.files(), (debian.root / "etc/passwd").read_text()

    shutil.copy(deb, debian.root / "tmp/lintel.deb")
    debian.run(*install, "/tmp/lintel.deb")
    for source, folder in PLACES.items():
        assert (debian.root / folder / Path(source).name).is_file()
    assert debian.run("dpkg", "--verify", "lintel") == ""
    for role in ("control", "media", "network"):
        assert (debian.root / f"etc/systemd/system/multi-user.target.wants/lintel-{role}.service").is_symlink()
    assert "lintel" in (debian.root / "etc/passwd").read_text()
    assert (debian.root / "var/lib/lintel").stat().st_mode & 0o777 == 0o700
    assert debian.run("lintel", "--version") == f"lintel {VERSION}\n"
    assert "roles: control, media, network" in debian.run("lintel", "explain")
    debian.run("systemd-analyze", "verify", "--man=no", "/usr/lib/systemd/system/lintel-control.service")

    runs_as_a_device(debian)

    settings = debian.root / "etc/lintel/board.conf"
    settings.write_text(settings.read_text().replace("=door_station", "=network_speaker"))
    debian.run(*install, "--reinstall", "/tmp/lintel.deb")
    assert "=network_speaker" in settings.read_text(), "a new package takes no settings away"

    debian.run("apt-get", "remove", "-y", "-q", "lintel")
    assert settings.exists()
    assert not (debian.root / "usr/bin/lintel").exists()
    debian.run("apt-get", "purge", "-y", "-q", "lintel")
    assert debian.files() - before == set()
    assert before - debian.files() == set()
    assert (debian.root / "etc/passwd").read_text() == accounts


def runs_as_a_device(debian: Debian) -> None:
    """The installed program as a simulated device: control, media and network start, and answer."""
    port = free_port()
    words = ["setpriv", "--reuid=lintel", "--regid=lintel", "--init-groups", "env", "HOME=/tmp", "lintel", "run"]
    words += ["--hal", "sim", "--state", "/tmp/state", "--http", f"127.0.0.1:{port}", "--https", "off", "--rtsp", "off"]
    debian.run("chmod", "1777", "/tmp")
    told = debian.root / "tmp/told"
    with told.open("wb") as out:
        process = subprocess.Popen(debian.words(*words), stdout=out, stderr=out, env=QUIET, start_new_session=True)
    try:
        base = f"http://127.0.0.1:{port}"
        end = time.monotonic() + 120
        while "set up" not in told.read_text():  # the greeting: control and network work
            assert process.poll() is None, told.read_text()[-4000:]
            assert time.monotonic() < end, told.read_text()[-4000:]
            time.sleep(0.1)
        # As a browser asks: it is shown the wizard.
        page = httpx.get(f"{base}/", timeout=60, follow_redirects=True, headers={"Accept": "text/html"})
        assert page.status_code == 200, page.text[:2000]
        made = httpx.post(
            f"{base}/api/v1/setup", json={"name": "admin", "password": "a-password-of-a-test"}, timeout=60
        )
        assert made.status_code == 201, made.text
        device = httpx.get(f"{base}/api/v1/device", auth=("admin", "a-password-of-a-test"), timeout=60).json()
        assert device["version"] == VERSION
        assert "media" in debian.run("lintel", "bench", "--state", "/tmp/state", "state")
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(60)
    shutil.rmtree(debian.root / "tmp/state")
