"""A clean Debian in a folder: made by debootstrap, entered by chroot, gone afterwards."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# The release and the sources of this machine: the package is made for its interpreter.
APT = Path("/etc/apt")
MIRROR = "http://deb.debian.org/debian"
QUIET = {
    "DEBIAN_FRONTEND": "noninteractive",
    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LC_ALL": "C.UTF-8",
}


def codename() -> str:
    """The release of this machine."""
    words = dict(line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line)
    return words["VERSION_CODENAME"].strip('"')


def cached() -> Path:
    """A packed clean Debian, kept outside of the repository; made now when there is none."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lintel"
    packed = base / f"debian-{codename()}.tar"
    if not packed.exists():
        base.mkdir(parents=True, exist_ok=True)
        tree = base / f"debian-{codename()}.{os.getpid()}"
        try:
            subprocess.run(["debootstrap", "--variant=minbase", codename(), str(tree), MIRROR], check=True)
            waiting = packed.with_suffix(f".tar.{os.getpid()}")
            subprocess.run(["tar", "-C", str(tree), "-cf", str(waiting), "."], check=True)
            waiting.rename(packed)
        finally:
            shutil.rmtree(tree, ignore_errors=True)
    return packed


class Debian:
    """One clean Debian; commands in it run as root, in their own process and mount namespace."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def words(self, *words: str) -> list[str]:
        """The command line that runs a command in it."""
        enter = f'mount -t proc proc "{self.root}/proc" && exec chroot "{self.root}" "$@"'
        return ["unshare", "--mount", "--pid", "--fork", "sh", "-c", enter, "sh", *words]

    def run(self, *words: str) -> str:
        """Run a command; returns what it prints. Raises AssertionError with its complaint."""
        done = subprocess.run(self.words(*words), capture_output=True, text=True, check=False, env=QUIET)
        assert done.returncode == 0, f"{words}: {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout

    def files(self) -> set[str]:
        """Every file and folder, but for what comes and goes."""
        passing = ("proc", "dev", "tmp", "run", "var/cache", "var/lib/apt", "var/log", "var/lib/dpkg", "root/.cache")
        found = set()
        for folder, folders, names in os.walk(self.root):
            place = os.path.relpath(folder, self.root)
            folders[:] = [name for name in folders if os.path.normpath(f"{place}/{name}") not in passing]
            found |= {os.path.normpath(f"{place}/{name}") for name in (*folders, *names)}
        return found


@contextmanager
def clean_debian(folder: Path) -> Iterator[Debian]:
    """A clean Debian below `folder`, with this machine's way to the package archive."""
    root = folder / "debian"
    root.mkdir()
    try:
        subprocess.run(["tar", "-C", str(root), "-xf", str(cached())], check=True)
        shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
        for name in ("null", "zero", "urandom", "random", "full"):
            (root / "dev" / name).exists() or subprocess.run(
                ["cp", "-a", f"/dev/{name}", str(root / "dev" / name)], check=True
            )
        debian = Debian(root)
        # Nothing is to start in a chroot: what would is left to those who ask for it.
        (root / "usr/sbin/policy-rc.d").write_text("#!/bin/sh\nexit 101\n")
        (root / "usr/sbin/policy-rc.d").chmod(0o755)
        for part in APT.glob("apt.conf.d/*proxy*"):
            shutil.copy(part, root / "etc/apt/apt.conf.d")
        yield debian
    finally:
        shutil.rmtree(root, ignore_errors=True)
