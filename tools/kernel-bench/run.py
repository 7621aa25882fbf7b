"""Runs a command in the guest of the kernel bench: User-mode Linux with simulated hardware, built when missing.

    run.py [--virtual] [--write DIR]... COMMAND...     runs it in this folder, ends with its exit status
    run.py --build                                     only builds the kernel

The guest sees the files of this machine; what it writes is thrown away, except under each `--write DIR`. With
`--virtual` its clock moves only while everybody in it sleeps. Needs no root and no KVM. See docs/kernel_bench.md.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
# What makes a kernel: another kernel is built when one of these changes.
RECIPE = ("build.sh", "kernel.config", "kernel.patch", "bench_uart.c", "bench_i2c.c")
SHARED_MEMORY = Path("/dev/shm")
# The guest's temporary files are in its memory, and its own.
TEMPORARY = "/run/tmp"
NO_STATUS = 125
KERNELS_KEPT = 2


@dataclass(frozen=True, slots=True)
class Guest:
    """How a guest is started: `memory` as the kernel writes it, `timeout_s` of real time, `words` for its kernel."""

    memory: str
    timeout_s: float
    virtual: bool
    writable: tuple[Path, ...]
    words: tuple[str, ...]


def cache() -> Path:
    """Where kernels are kept, outside the repository."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "lintel" / "kernel-bench"


def recipe() -> str:
    """The name of the kernel that these files make, from what is in them and from the packaged source."""
    digest = hashlib.sha256(platform.machine().encode())
    for name in RECIPE:
        digest.update((HERE / name).read_bytes())
    return digest.hexdigest()[:16]


def kernel() -> Path:
    """The folder of the kernel, built now if it is not there. Raises SystemExit when it cannot be built."""
    folder = cache() / recipe()
    if not (folder / "linux").exists():
        if subprocess.run(["bash", str(HERE / "build.sh"), str(folder)], check=False).returncode:
            raise SystemExit("kernel-bench: the kernel could not be built; see above")
        forget_old_kernels()
    return folder


def forget_old_kernels() -> None:
    """Keep the newest ones only: every change of the recipe makes another."""
    kernels = sorted(cache().glob("*/linux"), key=lambda path: path.stat().st_mtime)
    for old in kernels[:-KERNELS_KEPT]:
        shutil.rmtree(old.parent)


def memory_folder() -> Path:
    """Where the guest's memory lies as a file: shared memory where there is enough of it."""
    if SHARED_MEMORY.is_dir() and shutil.disk_usage(SHARED_MEMORY).free >= 1 << 30:
        return SHARED_MEMORY
    return Path(tempfile.gettempdir())


@contextmanager
def run_folder() -> Iterator[Path]:
    """A folder in which host and guest meet."""
    folder = Path(tempfile.mkdtemp(prefix="lintel-kernel-bench-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def prepare(folder: Path, modules: Path, guest: Guest, command: Sequence[str]) -> None:
    """Write what the guest reads."""
    shutil.copy(HERE / "guest.sh", folder)
    (folder / "modules").write_text(f"{modules}\n")
    writable = (folder, *guest.writable)
    (folder / "writable").write_text("".join(f"{path}\n" for path in writable))
    lines = [f"export {name}={shlex.quote(value)}" for name, value in sorted(os.environ.items()) if name.isidentifier()]
    lines += [f"export LINTEL_KERNEL_BENCH={'virtual' if guest.virtual else 'real'}"]
    # Below the guest's changes, this machine's own folder may change at any time, and what is above it vanishes.
    lines += [f"mkdir -p {TEMPORARY}", f"export TMPDIR={TEMPORARY}"]
    lines += [f"cd {shlex.quote(os.getcwd())} || exit", f"exec {shlex.join(command)}"]
    (folder / "command").write_text("\n".join(lines) + "\n")


def words(folder: Path, modules: Path, guest: Guest) -> list[str]:
    """The command line of the guest's kernel."""
    return [
        str(modules / "linux"),
        f"mem={guest.memory}",
        *("rootfstype=hostfs", "rootflags=/", "ro", "init=/bin/sh", "loglevel=0", "con=null", "con0=fd:0,fd:1"),
        # With a command the watchdog restarts from a process; from an interrupt this kernel cannot.
        "softdog.soft_reboot_cmd=restart",
        # The second card comes first in the kernel: without its number it would take that of the loop.
        *("vivid.node_types=0x1", "snd_aloop.id=lintel", "snd_aloop.index=0", "snd_dummy.id=desk", "snd_dummy.index=1"),
        f"bench_run={folder}",
        *(["time-travel=inf-cpu"] if guest.virtual else []),
        *guest.words,
        *("--", str(folder / "guest.sh")),
    ]


def run(modules: Path, guest: Guest, command: Sequence[str]) -> int:
    """Run a command in a fresh guest; returns its status, or NO_STATUS when the guest ended without one."""
    with run_folder() as folder:
        prepare(folder, modules, guest, command)
        with (folder / "stderr").open("wb") as errors:
            process = subprocess.Popen(
                words(folder, modules, guest),
                stdin=subprocess.DEVNULL,
                stderr=errors,
                env=os.environ | {"TMPDIR": str(memory_folder())},
                start_new_session=True,  # the guest's processes are processes of ours: they end with it
            )
            late = wait(process, guest.timeout_s)
        status = folder / "status"
        if status.exists() and status.read_text().strip():
            return int(status.read_text())
        told = (folder / "stderr").read_text(errors="replace").splitlines()
        why = f"did not end within {guest.timeout_s:g} s" if late else "ended without a status"
        print("\n".join([*told[-30:], f"kernel-bench: the guest {why}"]), file=sys.stderr)
        return NO_STATUS


def told_to_end(*_: object) -> None:
    """SIGTERM ends a run as Ctrl-C does: with its guest."""
    raise KeyboardInterrupt


def wait(process: subprocess.Popen[bytes], timeout_s: float) -> bool:
    """Wait for the guest; whatever happens, nothing of it is left. Returns whether it took too long."""
    try:
        process.wait(timeout_s)
        return False
    except subprocess.TimeoutExpired:
        return True
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="kernel-bench", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--build", action="store_true", help="only build the kernel, if it is missing")
    parser.add_argument("--virtual", action="store_true", help="time moves only while everybody sleeps")
    parser.add_argument("--write", type=Path, action="append", default=[], metavar="DIR", help="a folder to keep")
    parser.add_argument("--memory", default="1G", help="of the guest (default: %(default)s)")
    parser.add_argument("--timeout", type=float, default=600.0, help="in seconds (default: %(default)s)")
    parser.add_argument("--kernel", action="append", default=[], metavar="WORD", help="one more word for the kernel")
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="COMMAND")
    asked = parser.parse_args()
    command = asked.command[1:] if asked.command[:1] == ["--"] else asked.command
    signal.signal(signal.SIGTERM, told_to_end)
    modules = kernel()
    if asked.build:
        print(modules)
        return 0
    if not command:
        parser.error("a command is missing")
    guest = Guest(
        memory=asked.memory,
        timeout_s=asked.timeout,
        virtual=asked.virtual,
        writable=tuple(path.resolve(strict=True) for path in asked.write),
        words=tuple(asked.kernel),
    )
    return run(modules, guest, command)


if __name__ == "__main__":
    sys.exit(main())
