"""Service `carrier`: whether any network cable or radio of this device has a link, as `NetworkState`.

Reads what the kernel says (sysfs, class net: `carrier`, `operstate`) when it tells of a change, and where it tells
nothing every two seconds; loopback does not count.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from firmware.core.context import Core
from firmware.core.vocabulary.device import NetworkState
from firmware.interfaces.net.changes import Changes, by_nobody

EVERY_S = 2.0
SYSFS = Path("/sys/class/net")
LOOPBACK = "772"  # ARPHRD_LOOPBACK of linux/if_arp.h


def linked(root: Path = SYSFS) -> tuple[str, ...]:
    """The interfaces that have a link now, by name."""
    return tuple(sorted(path.name for path in root.iterdir() if _has_link(path)))


def _has_link(interface: Path) -> bool:
    try:
        if (interface / "type").read_text().strip() == LOOPBACK:
            return False
        return (interface / "carrier").read_text().strip() == "1"
    except OSError:
        return False  # an interface that is down answers EINVAL; one that just left is gone


class CarrierService:
    """Publishes `NetworkState` of this device's interfaces."""

    name: ClassVar[str] = "carrier"
    vital: ClassVar[bool] = False
    needs: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, core: Core, root: Path = SYSFS, changes: Changes | None = None) -> None:
        """Without `changes` nobody tells of one."""
        self._core = core
        self._root = root
        self._changes = changes or Changes(core.clock, by_nobody)

    async def start(self) -> None:
        """Say how it is now."""
        self._look()

    async def run(self) -> None:
        """Look at every change until cancelled; every `EVERY_S` where nobody tells of one."""
        with self._changes.watching() as watch:
            while True:
                self._look()
                await watch.next(EVERY_S)

    async def stop(self) -> None:
        """Nothing to put away."""

    def _look(self) -> None:
        names = linked(self._root)
        self._core.bus.publish(NetworkState(up=bool(names), detail=", ".join(names)))
