"""Service `osdp_readers`: readers on RS-485, switched on by parameters and keyed by hand (manual 001)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import ClassVar

from firmware.core.actions import NOTHING, Invocation, Level, Nothing
from firmware.core.context import Core
from firmware.core.errors import Invalid, NotFound, Refused, StationError, Unavailable
from firmware.core.vocabulary.osdp import (
    FindParams,
    FoundReader,
    FoundReaders,
    ImportKeyParams,
    InstallParams,
    ReaderOutputParams,
    ReaderRef,
    ReaderTextParams,
)
from firmware.core.vocabulary.station import ParamsChanged
from firmware.osdp.attendant import RETRY_S, Attendant
from firmware.osdp.keys import KeyBook
from firmware.osdp.settings import BAUDS, OsdpGroup, ReaderSettings, osdp_group
from hal.errors import BusError, HalError, NoReply, OutOfRange, nearest
from hal.osdp.keys import weak_key
from hal.ports import Hardware

ADDRESSES = range(127)


class ExternalReadersService:
    """Owns parameter group `osdp` and the `reader.*` actions of external readers; publishes their links."""

    name: ClassVar[str] = "osdp_readers"
    vital: ClassVar[bool] = False
    needs: ClassVar[frozenset[str]] = frozenset({"reader"})

    def __init__(self, core: Core, hardware: Hardware) -> None:
        self._core = core
        self._keys = KeyBook(core.store)
        self._names = {hardware.alias(node): node for node in hardware.serial_readers}
        self._read = False
        self._group = osdp_group(self._names, self._settings_of)
        self._attendants = {
            node: Attendant(core, node, alias, hardware.serial_readers[node], self._keys, self._reading(alias))
            for alias, node in self._names.items()
        }

    def _settings_of(self, alias: str) -> ReaderSettings:
        return self._core.params.get(self._group).of(alias)

    def _reading(self, alias: str) -> Callable[[], ReaderSettings]:
        return lambda: self._settings_of(alias)

    async def start(self) -> None:
        """Read settings and keys, then talk to every reader that is wished."""
        self._core.params.declare(self._group)
        await self._core.params.load(self._group)
        self._register()
        self._read = await self._keys.load()
        for attendant in self._attendants.values():
            attendant.open()

    async def run(self) -> None:
        """Follow the settings until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._read_late())
            for attendant in self._attendants.values():
                tasks.create_task(attendant.serve())
            with self._core.bus.subscribe(ParamsChanged, retained=False) as changes:
                async for notice in changes:
                    if isinstance(notice.event, ParamsChanged) and notice.event.group == OsdpGroup.group:
                        self._apply(notice.event.names)

    async def _read_late(self) -> None:
        """Read the keys that the storage did not give at start."""
        while not self._read:
            await self._core.clock.sleep(RETRY_S)
            if self._read or not await self._keys.load():
                continue
            self._read = True
            for attendant in self._attendants.values():
                attendant.apply()

    def _apply(self, aliases: tuple[str, ...]) -> None:
        for alias in aliases:
            self._attendants[self._names[alias]].apply()

    async def stop(self) -> None:
        """Let go of every reader."""
        for attendant in self._attendants.values():
            attendant.close()

    # actions

    def _register(self) -> None:
        register = self._core.actions.register
        admin = Level.ADMIN
        register("reader.install", InstallParams, self._install, level=admin,
                 summary="Arm install mode: a new external reader gets its first key, attended.")  # fmt: skip
        register("reader.install_stop", ReaderRef, self._install_stop, level=admin, summary="Close install mode.")
        register("reader.rotate_key", ReaderRef, self._rotate, level=admin,
                 summary="Give an external reader a new key inside its secure channel.")  # fmt: skip
        register("reader.import_key", ImportKeyParams, self._import, level=admin,
                 summary="Use the key that an external reader has already.")  # fmt: skip
        register("reader.forget", ReaderRef, self._forget, level=admin,
                 summary="Forget the key and history of an external reader that was replaced.")  # fmt: skip
        register("reader.find", FindParams, self._find, level=admin, answer=FoundReaders,
                 summary="Ask every address and rate of a reader's bus who is there.")  # fmt: skip
        register("reader.text", ReaderTextParams, self._text, summary="Show a text on an external reader's display.")
        register("reader.output", ReaderOutputParams, self._output, summary="Switch an output of an external reader.")

    def _attendant(self, name: str, where: str) -> Attendant:
        found = self._attendants.get(self._names.get(name, name))
        if found is None:
            hint = nearest(name, (*self._names, *self._attendants))
            raise NotFound(f"{where}.reader", f"no external reader {name!r}{hint}")
        return found

    async def _install(self, invocation: Invocation) -> Nothing:
        params = invocation.params
        assert isinstance(params, InstallParams)
        self._attendant(params.reader, invocation.action).arm(params.for_s)
        return NOTHING

    async def _install_stop(self, invocation: Invocation) -> Nothing:
        self._of(invocation).disarm()
        return NOTHING

    async def _rotate(self, invocation: Invocation) -> Nothing:
        await self._of(invocation).rotate()
        return NOTHING

    async def _forget(self, invocation: Invocation) -> Nothing:
        attendant = self._of(invocation)
        attendant.disarm()
        await attendant.forget()
        return NOTHING

    def _of(self, invocation: Invocation) -> Attendant:
        params = invocation.params
        assert isinstance(params, ReaderRef)
        return self._attendant(params.reader, invocation.action)

    async def _import(self, invocation: Invocation) -> Nothing:
        params = invocation.params
        assert isinstance(params, ImportKeyParams)
        key = bytes.fromhex(params.key)
        if (why := weak_key(key)) is not None:
            raise Invalid("reader.import_key.key", f"the key {why}; install mode draws a good one")
        await self._attendant(params.reader, invocation.action).bring(key)
        return NOTHING

    async def _find(self, invocation: Invocation) -> FoundReaders:
        params = invocation.params
        assert isinstance(params, FindParams)
        for baud in params.bauds:
            if baud not in BAUDS:
                raise Invalid("reader.find.bauds", f"no rate {baud}; valid: {', '.join(map(str, BAUDS))}")
        attendant = self._attendant(params.reader, invocation.action)
        attendant.port.disconnect()
        try:
            found = await attendant.port.find(params.addresses or ADDRESSES, params.bauds or BAUDS)
        except HalError as error:
            raise _refusal("reader.find", error) from error
        finally:
            attendant.apply()
        return FoundReaders(
            readers=tuple(
                FoundReader(
                    address=each.address,
                    baud=each.baud,
                    vendor=each.vendor,
                    model=each.model,
                    serial=each.serial,
                    can_secure=each.can_secure,
                )
                for each in found
            )
        )

    async def _text(self, invocation: Invocation) -> Nothing:
        params = invocation.params
        assert isinstance(params, ReaderTextParams)
        port = self._attendant(params.reader, invocation.action).port
        return await self._told("reader.text", port.show_text(params.text, for_s=params.for_s))

    async def _output(self, invocation: Invocation) -> Nothing:
        params = invocation.params
        assert isinstance(params, ReaderOutputParams)
        port = self._attendant(params.reader, invocation.action).port
        return await self._told("reader.output", port.set_output(params.number, params.on, for_s=params.for_s))

    async def _told(self, where: str, command: Awaitable[None]) -> Nothing:
        try:
            await command
        except HalError as error:
            raise _refusal(where, error) from error
        return NOTHING


def _refusal(where: str, error: HalError) -> StationError:
    """What a reader's refusal is to whoever asked."""
    if isinstance(error, OutOfRange):
        return Invalid(where, str(error))
    if isinstance(error, NoReply | BusError):
        return Unavailable(where, str(error))
    return Refused(where, str(error))
