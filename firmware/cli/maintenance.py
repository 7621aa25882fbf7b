"""Verbs of maintenance at the device itself: restart, resets, firmware, being found. Manuals, "Maintenance".

The same actions as in the web interface and the API; what cannot be undone is done with `--yes` only, and without it
whoever asks is told which device it would be.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from firmware.cli.console import Console, at_device
from firmware.cli.parser import Parser
from firmware.core.errors import Busy, Exhausted, Invalid, Unavailable
from firmware.core.vocabulary.device import DeviceInfo
from firmware.core.vocabulary.upgrade import LARGEST_BUNDLE, SPARE_BYTES, InstallMode
from firmware.paths import CONSOLE_SPOOL

PIECE_BYTES = 1024 * 1024


def restart(words: list[str]) -> int:
    """`lintel restart`."""
    asked = parser("restart", "restart the whole device; no setting changes").parse_all(words)
    return _simple(asked, "device.restart", "the device restarts")


def restore(words: list[str]) -> int:
    """`lintel restore`."""
    asked = _sure("restore", "reset everything but the network settings", words)
    return _simple(asked, "device.restore", "the device restarts with its defaults and its network settings")


def factory_default(words: list[str]) -> int:
    """`lintel factory-default`."""
    asked = _sure("factory-default", "reset everything, the network settings and all accounts as well", words)
    return _simple(asked, "device.factory_default", "the device restarts as it left the factory")


def rollback(words: list[str]) -> int:
    """`lintel rollback`."""
    asked = _sure("rollback", "go back to the former firmware with its settings", words)
    return _simple(asked, "upgrade.rollback", "the device restarts into {version}")


def confirm(words: list[str]) -> int:
    """`lintel confirm`."""
    wanted = parser("confirm", "keep the firmware that is on trial")
    wanted.add_argument("--id", help="only when the trial is this one")
    asked = wanted.parse_all(words)
    return _simple(asked, "upgrade.confirm", "the firmware stays", **({"id": asked.id} if asked.id else {}))


def locate(words: list[str]) -> int:
    """`lintel locate`."""
    wanted = parser("locate", "let the device be seen and heard")
    wanted.add_argument("--for", dest="for_s", type=seconds, default=30.0, metavar="S", help="(default: %(default)g)")
    wanted.add_argument("--stop", action="store_true", help="no longer")
    asked = wanted.parse_all(words)
    if asked.stop:
        return _simple(asked, "device.locate_stop", "the device is quiet again")
    return _simple(asked, "device.locate", f"the device shows itself for {asked.for_s:g} s", duration_s=asked.for_s)


def upgrade(words: list[str]) -> int:
    """`lintel upgrade`. Raises Invalid for a file that cannot be read, and what the device refuses it with."""
    wanted = parser("upgrade", "check a bundle, install it, and restart into it")
    modes = [mode.value for mode in InstallMode]
    wanted.add_argument("file", type=Path, metavar="FILE", help="a bundle, made by 'lintel bundle build'")
    wanted.add_argument("--mode", choices=modes, default=modes[0], help="(default: %(default)s)")
    wanted.add_argument(
        "--confirm-within", type=int, metavar="S", help="of automatic_rollback: until 'lintel confirm' (1800)"
    )
    wanted.add_argument("--yes", action="store_true", help="of factory_default: all settings go")
    asked = wanted.parse_all(words)
    if asked.mode == InstallMode.FACTORY_DEFAULT and not asked.yes:
        raise _doubt("upgrade --mode factory_default", asked)
    wish: dict[str, object] = {"mode": asked.mode}
    if asked.confirm_within is not None:
        wish["confirm_within_s"] = asked.confirm_within

    async def install(console: Console) -> Any:
        with spooled(bundle, console.state.console_spool) as name:
            return await console.do("upgrade.install", spool=f"{CONSOLE_SPOOL}/{name}", **wish)

    # Opened by whoever asks, before root becomes the owner of the device's files.
    with opened(asked.file) as bundle:
        return _tell(asked, at_device(asked.state, install), "the device restarts into {version}")


def opened(file: Path) -> BinaryIO:
    """A bundle to be read. Raises Invalid."""
    try:
        if file.is_file():
            return file.open("rb")
    except OSError as error:
        raise Invalid("lintel upgrade", f"{str(file)!r} cannot be read: {error.strerror}") from None
    raise Invalid("lintel upgrade", f"there is no file {str(file)!r}")


@contextmanager
def spooled(bundle: BinaryIO, folder: Path) -> Iterator[str]:
    """The name of a copy where control looks for bundles, as long as the block lasts.

    Raises Exhausted (no room), Busy (another one is handed over), Unavailable.
    """
    name = secrets.token_hex(16)
    with ExitStack() as ending:
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _take_over(folder, ending)
            _check_room(os.fstat(bundle.fileno()).st_size, folder)
            ending.callback((folder / name).unlink, missing_ok=True)
            handle = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with open(handle, "wb") as copy:
                shutil.copyfileobj(bundle, copy, PIECE_BYTES)
        except OSError as error:
            raise Unavailable("lintel upgrade", f"the bundle cannot be handed over: {error.strerror}") from None
        yield name


def _take_over(folder: Path, ending: ExitStack) -> None:
    """One at a time: the folder is ours from here on, and what a former one that was killed left goes."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    ending.callback(os.close, handle)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Busy("lintel upgrade", "another upgrade is under way") from None
    for left in folder.iterdir():
        left.unlink()


def _check_room(size: int, folder: Path) -> None:
    if size > LARGEST_BUNDLE:
        raise Exhausted("lintel upgrade", f"{size} bytes are no bundle; the largest has {LARGEST_BUNDLE}")
    found = os.statvfs(folder)
    room = found.f_bavail * found.f_frsize - SPARE_BYTES
    if size > room:
        raise Exhausted("lintel upgrade", f"{size} bytes do not fit; there is room for {max(0, room)}")


def seconds(text: str) -> float:
    """A time on the command line. Raises ValueError."""
    value = float(text)
    if not 0 < value <= 3600:
        raise ValueError(text)
    return value


def parser(verb: str, about: str) -> Parser:
    """The words that every verb at the device takes."""
    made = Parser(prog=f"lintel {verb}", description=about)
    made.add_argument(
        "--state", type=Path, metavar="DIR", help="of the device (default: ./state, or the installed one)"
    )
    made.add_argument("--json", action="store_true", help="the answer as JSON")
    return made


def _sure(verb: str, about: str, words: list[str]) -> Namespace:
    """The words of a verb that takes something away. Raises Invalid unless it is meant, Unavailable, Forbidden."""
    wanted = parser(verb, about)
    wanted.add_argument("--yes", action="store_true", help="it is meant: this cannot be undone")
    asked = wanted.parse_all(words)
    if not asked.yes:
        raise _doubt(verb, asked)
    return asked


def _doubt(verb: str, asked: Namespace) -> Invalid:
    """The refusal of what may not be meant, or meant for another device."""
    device = at_device(asked.state, _which)
    return Invalid(f"lintel {verb}", f"would do it to {device}; it cannot be undone: say --yes when it is meant")


async def _which(console: Console) -> str:
    """What the device is, how it is called, its serial number. Raises Unavailable while it does not know yet."""
    info = console.bus.state(DeviceInfo)
    if info is None:
        raise Unavailable("lintel", "the device is starting and does not say what it is; try again")
    name = (await console.read("place"))["name"]
    called = f" {str(name)!r}" if name else ""
    return f"{info.product}{called} with serial {info.serial} in {console.state.root}"


def _simple(asked: Namespace, action: str, said: str, **params: object) -> int:
    return _tell(asked, at_device(asked.state, lambda console: console.do(action, **params)), said)


def _tell(asked: Namespace, answer: Any, said: str) -> int:
    """The answer as JSON, or in one line."""
    print(json.dumps(answer, ensure_ascii=False) if asked.json else said.format_map(answer))
    return 0


VERBS: dict[str, Callable[[list[str]], int]] = {
    "restart": restart,
    "restore": restore,
    "factory-default": factory_default,
    "upgrade": upgrade,
    "rollback": rollback,
    "confirm": confirm,
    "locate": locate,
}
