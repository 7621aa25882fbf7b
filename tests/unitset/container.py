"""Systemd in a container: namespaces of its own, this machine's files under a layer of memory, the units of Lintel.

The units are those that ship, in the places where the package has them; only a drop-in may change one. Needs root, as
CI has it, and a kernel with version 2 of control groups.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path

from tests.live.device import PATIENCE_S, until
from tools.package.system_files import CHECKOUT, lay_out

HERE = Path(__file__).resolve().parent
# Of systemd's own units only what every unit stands on; the machine's services do not belong to the test.
TARGETS = ("basic", "final", "paths", "shutdown", "slices", "sockets", "sysinit", "timers", "umount")
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
# The interpreter of this test may lie in a home, which units do not see: it appears there too.
PYTHON = """\
#!/bin/sh
export PYTHONPATH=/usr/lib/lintel/checkout:/usr/lib/lintel/packages PYTHONDONTWRITEBYTECODE=1
export LD_LIBRARY_PATH=/usr/lib/lintel/python/lib
exec /usr/lib/lintel/python/bin/{python} "$@"
"""
LAUNCHER = """\
#!/bin/sh
exec lintel-python -m firmware "$@"
"""
GOAL = "[Unit]\nDescription=what a test starts\nWants={wants}\n"


class Container:
    """One container; `close` ends everything in it.

    `units` and `drop_ins` are laid beside ours, `extra` over the machine's files: name to text. A device is its
    file, its group and its name in /dev/lintel, as a udev rule would say it. `shared` are files of this machine's /run.
    """

    def __init__(
        self,
        folder: Path,
        wants: tuple[str, ...],
        *,
        settings: str = "",
        units: Mapping[str, str] | None = None,
        drop_ins: Mapping[str, str] | None = None,
        extra: Mapping[str, str] | None = None,
        devices: tuple[tuple[str, str, str], ...] = (),
        shared: tuple[str, ...] = (),
    ) -> None:
        self._folder = folder
        self._group = _control_groups() / f"lintel-unitset-{os.getpid()}-{folder.name}"
        files = folder / "files"
        lay_out(files)
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        (files / "usr/bin").mkdir()
        for name, text in {"lintel": LAUNCHER, "lintel-python": PYTHON.format(python=version)}.items():
            (files / "usr/bin" / name).write_text(text)
            (files / "usr/bin" / name).chmod(0o755)
        with (files / "etc/lintel/board.conf").open("a") as conf:
            conf.write(settings)
        (folder / "units").mkdir()
        for name in TARGETS:
            shutil.copy(f"/usr/lib/systemd/system/{name}.target", folder / "units")
        for name, text in (units or {}).items():
            (folder / "units" / name).write_text(text)
        for name, text in (drop_ins or {}).items():
            place = folder / "units" / f"{name}.d"
            place.mkdir()
            (place / "test.conf").write_text(text)
        (folder / "units/units.target").write_text(GOAL.format(wants=" ".join(wants)))
        for name, text in (extra or {}).items():
            (files / name).write_text(text)
        everybodys = tuple((f"/dev/{name}", "root", "-") for name in DEVICES)
        (folder / "devices").write_text("".join(" ".join(one) + "\n" for one in (*everybodys, *devices)))
        (folder / "shared").mkdir()
        for name in shared:
            shutil.copy(name, folder / "shared")
        # There is no udev either, which on a board says when the chip is there.
        (folder / "units/dev-lintel-gpio.device.d").mkdir()
        (folder / "units/dev-lintel-gpio.device.d/now.conf").write_text("[Unit]\nJobTimeoutSec=100ms\n")
        # There is no journal: what a unit prints is kept in a file of its own.
        (folder / "units/service.d").mkdir()
        (folder / "units/service.d/said.conf").write_text("[Service]\nStandardOutput=append:/run/said/%N\n")
        self._start()

    def _start(self) -> None:
        self._group.mkdir()
        inside = ["unshare", "--pid", "--mount", "--cgroup", "--ipc", "--uts", "--fork", "--kill-child"]
        inside += [
            "sh",
            str(HERE / "enter.sh"),
            str(self._folder),
            str(CHECKOUT),
            sys.base_prefix,
            sysconfig.get_path("purelib"),
        ]
        join = f'echo $$ >{self._group}/cgroup.procs; exec "$@"'
        with (self._folder / "way-in").open("wb") as log:
            self._process = subprocess.Popen(
                ["sh", "-c", join, "sh", *inside], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        try:
            until("systemd", lambda: self._ended() or self._first())
            until("an answer of systemd", lambda: self.systemctl("is-system-running"))
        except BaseException:
            print(self.told(), file=sys.stderr)
            self.close()
            raise

    def _ended(self) -> bool:
        if self._process.poll() is not None:
            raise AssertionError(f"the container ended with {self._process.returncode}")
        return False

    def _first(self) -> int | None:
        """The first process of the container, in our own numbers."""
        try:
            found = (self._group / "init.scope/cgroup.procs").read_text().split()
        except FileNotFoundError:
            return None
        return int(found[0]) if found else None

    def run(self, *words: str, cwd: str = "/") -> subprocess.CompletedProcess[str]:
        """Run a command in the container, as root."""
        enter = ["nsenter", "--target", str(self._first()), "--mount", "--pid", "--root", f"--wdns={cwd}"]
        return subprocess.run([*enter, *words], capture_output=True, text=True, timeout=120, check=False)

    def systemctl(self, *words: str) -> str:
        """What systemctl answers."""
        return self.run("systemctl", *words).stdout.strip()

    def shown(self, unit: str, name: str) -> str:
        """A property of a unit."""
        return self.systemctl("show", "--property", name, "--value", unit)

    def pid(self, unit: str) -> int:
        """The main process of a unit in our own numbers; 0 without one."""
        group = self._group / self.shown(unit, "ControlGroup").lstrip("/") / "cgroup.procs"
        inside = self.shown(unit, "MainPID")
        for number in group.read_text().split() if group.exists() else ():
            numbers = Path(f"/proc/{number}/status").read_text().split("NSpid:")[1].splitlines()[0].split()
            if numbers[-1] == inside:
                return int(number)
        return 0

    def told(self) -> str:
        """What systemd and the units printed."""
        texts = [(self._folder / "way-in").read_text(errors="replace")]
        if self._first():
            texts.append(self.run("systemctl", "status", "--no-pager", "--lines=0", "*.service").stdout)
            texts.append(
                self.run(
                    "tail", "-n", "40", "-v", *self.run("ls", "-1", "/run/said").stdout.split(), cwd="/run/said"
                ).stdout
            )
        return "\n".join(texts)

    def close(self) -> None:
        """End every process of the container; nothing of it stays."""
        (self._group / "cgroup.kill").write_text("1")
        self._process.wait(PATIENCE_S)
        # Groups are empty a moment after their last process.
        until("an empty control group", self._remove)

    def _remove(self) -> bool:
        try:
            for folder in sorted(self._group.rglob("*/"), reverse=True):
                folder.rmdir()
            self._group.rmdir()
        except OSError:
            return False
        return True


def _control_groups() -> Path:
    """Where version 2 of control groups is mounted."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        if after.split()[0] == "cgroup2":
            return Path(before.split()[4])
    raise AssertionError("control groups of version 2 are mounted nowhere")
