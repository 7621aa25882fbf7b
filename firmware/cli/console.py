"""The way to a running device for whoever sits at it: the link's own socket, without an account or a network.

The socket lets in the user of the firmware and root, as an administrator called `console`; the device answers as it
answers the web interface. It works while the network role is away.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from firmware.core.actions import ActionTable, Caller, Invocation, Level
from firmware.core.bus import Bus
from firmware.core.errors import Forbidden, StationError, Unavailable
from firmware.core.link.client import LinkClient
from firmware.core.link.wire import CONSOLE
from firmware.core.params import Params
from firmware.paths import INSTALLED, INSTALLED_RUNTIME, RuntimeDir, StateDir
from hal.clock import SystemClock

T = TypeVar("T")

# Control may be starting again after a crash.
PATIENCE_S = 3.0
HERE = Caller(CONSOLE, Level.ADMIN, CONSOLE)  # the hub says so whatever is sent
DEFAULT_STATE = Path("state")


class _NothingKept:
    """Parameters of a process that has none."""

    async def load(self, _: str) -> bytes | None:
        return None

    async def save(self, *_: object) -> None:
        """Nothing to save."""


@dataclass(frozen=True, slots=True)
class Console:
    """A device at which somebody sits: its states in `bus`, its actions, its folders."""

    bus: Bus
    state: StateDir
    _link: LinkClient

    async def do(self, action: str, **params: object) -> Any:
        """An action by name; answers JSON-ready data. Raises what its owner raises."""
        return await self._link.command(action, params, HERE)

    async def ask(self, action: str, params: object, answer: type[T]) -> T:
        """An action of the device's own. Raises what its owner raises."""
        return await self._link.invoke(Invocation(action=action, params=params, caller=HERE), answer)

    async def read(self, group: str) -> Mapping[str, Any]:
        """The values of a group of parameters, secrets masked. Raises NotFound, Unavailable."""
        return await self._link.read(group, HERE)


def place_of(given: Path | None) -> StateDir:
    """The state directory of the device that is meant: that of the option, else ./state, else the installed device.

    Somebody else's ./state is nobody's mistake to ask: whoever is lured into a folder would hand a file to a stranger.
    """
    if given is None and INSTALLED_RUNTIME.is_dir() and not (_is_mine(DEFAULT_STATE) and _runs_in(DEFAULT_STATE)):
        given = INSTALLED
    return StateDir((given or DEFAULT_STATE).absolute())


def _is_mine(folder: Path) -> bool:
    try:
        return folder.lstat().st_uid == os.geteuid()
    except OSError:
        return False


def _runs_in(folder: Path) -> bool:
    try:
        return Path((folder / "bench.addr").read_text().strip()).exists()
    except OSError:
        return False


@contextmanager
def as_owner(folder: Path) -> Iterator[None]:
    """As long as the block lasts root is nobody but the owner of a folder. Raises OSError without it.

    In the folder of somebody with fewer rights a link may lead anywhere: what it leads to is not root's to give away.
    """
    if os.geteuid() != 0:
        yield
        return
    owner, groups = folder.stat(), os.getgroups()
    os.setgroups([owner.st_gid])
    os.setegid(owner.st_gid)
    os.seteuid(owner.st_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)


def at_device(given: Path | None, job: Callable[[Console], Awaitable[T]]) -> T:
    """Do something with the device that runs there. Raises Unavailable, Forbidden, and what it refuses with."""
    state = place_of(given)
    socket = RuntimeDir.of(state).link
    try:
        state.root.stat()
        socket.parent.stat()
        os.listdir(socket.parent)
    except PermissionError:
        raise Forbidden("lintel", f"{socket.parent} is closed to you: be the user of the firmware, or root") from None
    except OSError:
        raise Unavailable("--state", f"no device runs in {state.root}; start one with 'lintel run'") from None
    with as_owner(state.root):
        return asyncio.run(_joined(state, socket, job))


async def _joined(state: StateDir, socket: Path, job: Callable[[Console], Awaitable[T]]) -> T:
    clock = SystemClock()
    bus = Bus(clock, role=CONSOLE, boot=secrets.token_hex(4))
    params = Params(_NothingKept(), bus, lambda *_: None)
    link = LinkClient(bus, ActionTable(), params, clock, socket, PATIENCE_S)
    await link.start()
    try:
        return await _while_carried(link, job(Console(bus, state, link)))
    finally:
        await link.stop()


async def _while_carried(link: LinkClient, job: Awaitable[T]) -> T:
    """The outcome of a job while the link carries its words. Raises what it raises; when control goes, that."""
    done: list[T] = []
    try:
        async with asyncio.TaskGroup() as group:
            carrying = group.create_task(link.run(), name="link")

            async def work() -> None:
                done.append(await job)
                carrying.cancel()

            group.create_task(work(), name="verb")
    except BaseExceptionGroup as failures:
        # The reason before its consequence: an answer that never came says less than why control is gone.
        found = sorted(_flat(failures), key=lambda error: isinstance(error, StationError))
        raise found[-1] from None
    return done[0]


def _flat(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [each for part in error.exceptions for each in _flat(part)]
    return [error]
