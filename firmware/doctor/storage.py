"""Storage: the state directory has room, can be written, keeps what is written, and does so quickly enough."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from firmware.doctor.finding import Finding, bad, note, ok
from firmware.doctor.machine import Machine
from hal.clock import Clock

CHECK = "storage"
LEAST_FREE_MB, FEW_FREE_MB = 64, 512
# A write of the entry list waits for the medium: this long is felt, that long makes people wait.
SLOW_S, TOO_SLOW_S = 0.1, 1.0
TRIES = 5
PROBE = ".lintel-doctor"
FORGETTING = frozenset({"tmpfs", "ramfs"})
# Options of a mount that may lose or reorder what was synced; the proof of power cuts rests on their absence.
CARELESS = frozenset({"nobarrier", "barrier=0", "data=writeback"})


def check_storage(machine: Machine, state: Path, clock: Clock) -> Iterator[Finding]:
    """The state directory and the file system below it."""
    place = machine.path(state)
    if not place.is_dir():
        yield bad(CHECK, f"{state} is missing", f"sudo install -d -o lintel -g lintel -m 0700 {state}")
        return
    mount = machine.mount_of(state)
    if mount is not None:
        yield from _mount(mount.point, mount.kind, mount.options)
    free = os.statvfs(place)
    free_mb = free.f_bavail * free.f_frsize // 1_000_000
    if free_mb < LEAST_FREE_MB:
        yield bad(CHECK, f"{free_mb} MB free at {state}", "sudo journalctl --vacuum-size=16M && sudo apt-get clean")
    elif free_mb < FEW_FREE_MB:
        yield note(CHECK, f"only {free_mb} MB free at {state}", "sudo apt-get clean")
    else:
        yield ok(CHECK, f"{free_mb} MB free at {state}")
    if mount is None or "ro" not in mount.options:
        yield _sync(place, state, clock)


def _mount(point: str, kind: str, options: frozenset[str]) -> Iterator[Finding]:
    if "ro" in options:
        yield bad(CHECK, f"{point} is mounted read-only", f"sudo fsck -n {point}; sudo mount -o remount,rw {point}")
    elif kind in FORGETTING:
        text = f"{point} is {kind}: all settings are lost with the power"
        yield bad(CHECK, text, f"sudo umount {point}  # and take it out of /etc/fstab")
    elif careless := sorted(options & CARELESS):
        mend = f"sudo sed -i 's/,\\?{careless[0]}//' /etc/fstab && sudo mount -o remount {point}"
        yield bad(CHECK, f"{point} is mounted with {careless[0]}: a power cut may lose what was saved", mend)
    else:
        yield ok(CHECK, f"{point} is {kind}")


def _sync(place: Path, state: Path, clock: Clock) -> Finding:
    """How long the medium takes to keep 4 KB; the middle of some tries."""
    probe = place / f"{PROBE}-{os.getpid()}"
    took_s = []
    try:
        try:
            fd = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                for _ in range(TRIES):
                    began_ns = clock.now_ns()
                    os.pwrite(fd, b"\0" * 4096, 0)
                    os.fsync(fd)
                    took_s.append((clock.now_ns() - began_ns) / 1e9)
            finally:
                os.close(fd)
        finally:
            probe.unlink(missing_ok=True)
    except PermissionError:
        return note(CHECK, f"this user may not write {state}: the medium was not timed", "sudo lintel doctor")
    except OSError as error:
        return bad(CHECK, f"{state} cannot be written: {error.strerror}", f"sudo touch {state}; dmesg | tail -20")
    return judged(median(took_s), state)


def judged(typical_s: float, state: Path) -> Finding:
    """What a typical time to sync means."""
    text = f"a write of 4 KB to {state} is kept after {typical_s * 1000:.1f} ms"
    worn = "sudo dmesg --level=err,warn | grep -i mmc  # then another SD card"
    if typical_s > TOO_SLOW_S:
        return bad(CHECK, text, worn)
    return note(CHECK, text, worn) if typical_s > SLOW_S else ok(CHECK, text)
