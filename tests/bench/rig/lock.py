"""One session at a time on a rig: a lock on every chip, port or agent that its probe lines lie on."""

from __future__ import annotations

import fcntl
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from hal.errors import BusError

LOCKS = Path("/run/lock")


def lock_file(place: str, folder: Path | None = None) -> Path:
    """The lock of a chip, port or command; two names of one device have one lock."""
    real = str(Path(place).resolve()) if place.startswith("/dev/") else place
    word = re.sub(r"[^A-Za-z0-9]+", "-", real.removeprefix("/dev/")).strip("-")
    if folder is None:
        folder = LOCKS if LOCKS.is_dir() else Path(tempfile.gettempdir())
    return folder / f"lintel-rig-{word}.lock"


@contextmanager
def locked(places: Iterable[str], session: str, folder: Path | None = None) -> Iterator[None]:
    """Hold the rig. Raises BusError that names who holds it; the kernel lets go when a session dies."""
    with ExitStack() as stack:
        for place in sorted(set(places)):
            stack.enter_context(_held(lock_file(place, folder), place, session))
        yield


@contextmanager
def _held(path: Path, place: str, session: str) -> Iterator[None]:
    fd = _opened(path, place)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(fd, 200, 0).decode(errors="replace").strip() or "another session"
            raise BusError(place, f"this rig is in use by {holder}") from None
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{session} (process {os.getpid()})\n".encode(), 0)
        yield
    finally:
        os.close(fd)


def _opened(path: Path, place: str) -> int:
    """The lock file of this user or another: the kernel lets nobody create what another has made in a shared folder."""
    for more in (0, os.O_CREAT):
        try:
            return os.open(path, os.O_RDWR | os.O_CLOEXEC | more, 0o666)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise BusError(place, f"its lock {path} cannot be opened: {error.strerror}") from error
    raise BusError(place, f"its lock {path} cannot be made: no folder {path.parent}")
