"""The engine of real boards: RAUC writes the slots, over D-Bus, and checks the signature a second time.

RAUC only writes (`activate-installed=false`); what is started and what stays is decided by our own record. Its
interface is `de.pengutronix.rauc.Installer` (RAUC manual, "D-Bus API"): InstallBundle, the signal Completed, the
properties LastError and Progress, GetSlotStatus. The calls here block, on the upgrade thread, with a loop of their own.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from dbus_fast import BusType
from dbus_fast.aio import MessageBus
from dbus_fast.errors import DBusError

from firmware.core.store_file import Damaged
from firmware.upgrade.engine_file import ROOTFS, note_of, note_path
from firmware.upgrade.medium import CHUNK_BYTES, Medium, exists, make_folders, replace_file
from firmware.upgrade.ports import Approved, Image, Slot

T = TypeVar("T")

NAME, PATH, INSTALLER = "de.pengutronix.rauc", "/", "de.pengutronix.rauc.Installer"
PROPERTIES = "org.freedesktop.DBus.Properties"
# An installation that takes longer has failed; an answer to anything else that takes longer as well.
INSTALL_S = 3600.0
ANSWER_S = 30.0
# What RAUC says when the fault is not the bundle's.
_ROOM = ("no space left", "disk quota")


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotStatus:
    """A slot as RAUC sees it; `boot_name` is that of its group, `state` booted, active or inactive."""

    name: str
    kind: str
    device: Path
    boot_name: str
    state: str


class RaucEngine:
    """Port `Engine` over the RAUC service on a message bus."""

    def __init__(self, medium: Medium, address: str | None = None) -> None:
        """`address` is that of a private bus; None: the system bus. `medium` keeps the note of what a slot holds."""
        self._medium = medium
        self._address = address

    def write(self, slot: Slot, approved: Approved, progress: Callable[[int], None]) -> None:
        """Let RAUC install into the slot that does not run, which must be `slot`. Raises OSError, Damaged."""
        make_folders(self._medium, note_path(slot).rpartition("/")[0])
        if exists(self._medium, note_path(slot)):
            self._medium.remove(note_path(slot))
            self._medium.sync(note_path(slot).rpartition("/")[0])
        _run(self._install(slot, approved, progress))
        for image in approved.images:
            if self._digest(slot, image) != image.sha256:
                raise Damaged(f"slot {slot.value}", f"reads back other than {image.name!r} of the bundle")
        replace_file(self._medium, note_path(slot), note_of(approved))

    def check_room(self, slot: Slot, approved: Approved) -> None:
        """RAUC's slots are partitions, and the gate has compared the images with their size."""

    def holds(self, slot: Slot, manifest_sha256: str) -> bool:
        """Whether the slot holds exactly this content, whole, by reading all of it. Raises OSError."""
        try:
            note: dict[str, Any] = json.loads(self._medium.read(note_path(slot)))
            if not manifest_sha256 or note["manifest_sha256"] != manifest_sha256:
                return False
            images = [Image(**image) for image in note["images"]]
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return False
        return all(self._digest(slot, image) == image.sha256 for image in images)

    def slots(self) -> tuple[SlotStatus, ...]:
        """All slots of this device, as RAUC knows them. Raises OSError."""
        return _run(self._slots())

    # over the bus

    @asynccontextmanager
    async def _installer(self) -> AsyncIterator[tuple[Any, Any]]:
        """The installer and its properties, on a connection of their own. Raises OSError."""
        bus = MessageBus(bus_address=self._address, bus_type=BusType.SYSTEM)
        try:
            async with asyncio.timeout(ANSWER_S):
                await bus.connect()
                found = await bus.introspect(NAME, PATH)
            proxy = bus.get_proxy_object(NAME, PATH, found)
            yield proxy.get_interface(INSTALLER), proxy.get_interface(PROPERTIES)
        except TimeoutError:
            raise OSError(errno.ETIMEDOUT, "RAUC does not answer") from None
        except DBusError as error:
            raise OSError(errno.EIO, f"RAUC: {error.text}") from None
        finally:
            bus.disconnect()

    async def _slots(self) -> tuple[SlotStatus, ...]:
        async with self._installer() as (installer, _):
            async with asyncio.timeout(ANSWER_S):
                return parse_slots(await installer.call_get_slot_status())

    async def _install(self, slot: Slot, approved: Approved, progress: Callable[[int], None]) -> None:
        async with self._installer() as (installer, properties):
            async with asyncio.timeout(ANSWER_S):
                found = parse_slots(await installer.call_get_slot_status())
            check_target(found, slot)
            ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()

            def completed(code: int) -> None:
                if not ended.done():
                    ended.set_result(code)

            def changed(_: str, values: Mapping[str, Any], __: list[str]) -> None:
                if "Progress" in values:
                    progress(int(values["Progress"].value[0]))

            installer.on_completed(completed)
            properties.on_properties_changed(changed)
            async with asyncio.timeout(ANSWER_S):
                await installer.call_install_bundle(str(approved.bundle), {})
            async with asyncio.timeout(INSTALL_S):
                code = await ended
            if code != 0:
                raise fault_of(await installer.get_last_error())

    def _digest(self, slot: Slot, image: Image) -> str:
        """The hash of what a slot of RAUC holds of an image. Raises OSError."""
        found = [each for each in self.slots() if each.boot_name == slot.value and each.kind == image.name]
        if len(found) != 1:
            raise OSError(errno.ENODEV, f"RAUC has no slot {image.name}.{slot.value}")
        digest, left = hashlib.sha256(), image.size
        with open(found[0].device, "rb", buffering=0) as device:
            while left and (chunk := device.read(min(left, CHUNK_BYTES))):
                digest.update(chunk)
                left -= len(chunk)
        return digest.hexdigest()


def parse_slots(answer: list[list[Any]]) -> tuple[SlotStatus, ...]:
    """The answer of GetSlotStatus; a slot without a boot name has that of its parent. Raises OSError."""
    values = {name: {key: variant.value for key, variant in status.items()} for name, status in answer}
    found = []
    for name, status in sorted(values.items()):
        parent = values.get(str(status.get("parent", "")), {})
        found.append(
            SlotStatus(
                name=name,
                kind=str(status.get("class", "")),
                device=Path(str(status.get("device", ""))),
                boot_name=str(status.get("bootname") or parent.get("bootname", "")),
                state=str(status.get("state", "")),
            )
        )
    if not found:
        raise OSError(errno.ENODEV, "RAUC knows no slots")
    return tuple(found)


def check_target(slots: tuple[SlotStatus, ...], target: Slot) -> None:
    """RAUC chooses the slot by itself: raises OSError unless it can only choose `target`."""
    running = {each.boot_name for each in slots if each.state == "booted"}
    roots = {each.boot_name for each in slots if each.kind == ROOTFS}
    if running != {target.other.value} or roots != {slot.value for slot in Slot}:
        names = ", ".join(sorted(running)) or "none"
        raise OSError(errno.ENODEV, f"RAUC would not write slot {target.value}: it says that {names} runs")


def fault_of(last_error: str) -> OSError | Damaged:
    """RAUC's words for a failure as one of ours."""
    text = " ".join(last_error.split())[:300] or "RAUC does not say why"
    if any(words in text.lower() for words in _ROOM):
        return OSError(errno.ENOSPC, f"RAUC: {text}")
    return Damaged("rauc", text)


def _run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)
