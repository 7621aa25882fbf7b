"""Service `indicate`: the lights and beepers of the readers, for whoever stands at the door.

Owns the action `reader.indicate`; between indications every light shows the parameter `idle_colour`, or what a door
controller wants (`reader.base`, `reader.beep`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import ClassVar

from firmware.access.indication import Indication
from firmware.access.settings import AccessParams, access_group
from firmware.core.actions import NOTHING, Invocation, Level, Nothing
from firmware.core.context import Core
from firmware.core.errors import Invalid, NotFound, Unavailable, Unsupported
from firmware.core.vocabulary.access import BaseParams, BeepParams, DoorState, IndicateParams
from firmware.core.vocabulary.station import ParamsChanged
from hal.errors import HalError, nearest
from hal.ports import Hardware
from hal.types import Colour

log = logging.getLogger("firmware.access")


class IndicateService:
    """The lights of all readers that have one."""

    name: ClassVar[str] = "indicate"
    vital: ClassVar[bool] = True
    needs: ClassVar[frozenset[str]] = frozenset({"reader"})

    def __init__(self, core: Core, hardware: Hardware) -> None:
        self._core = core
        self._group = access_group(hardware)
        self._readers = frozenset(hardware.readers)
        self._nodes = {hardware.alias(node): node for node in hardware.readers}
        self._lights = {
            node: Indication(reader.led, core.clock, self._idle)
            for node, reader in hardware.readers.items()
            if reader.led is not None
        }
        self._beepers = {node: reader.beeper for node, reader in hardware.readers.items() if reader.beeper is not None}
        self._open = False

    async def start(self) -> None:
        """Show the idle colour everywhere."""
        self._core.params.declare(self._group)
        await self._core.params.load(self._group)
        self._core.actions.register(
            "reader.indicate", IndicateParams, self._indicate, summary="Show a colour on a reader's light for a time."
        )
        self._core.actions.register(
            "reader.base",
            BaseParams,
            self._base,
            level=Level.SYSTEM,
            private=True,
            summary="What a reader's light shows between indications.",
        )
        self._core.actions.register(
            "reader.beep",
            BeepParams,
            self._beep,
            level=Level.SYSTEM,
            private=True,
            summary="Switch a reader's beeper.",
        )
        self._open = True
        self._rest()

    async def run(self) -> None:
        """Follow the idle colour and the doors until cancelled."""
        with self._core.bus.subscribe(ParamsChanged, DoorState, retained=False) as changes:
            async for notice in changes:
                match notice.event:
                    case ParamsChanged(group=AccessParams.group):
                        self._rest()
                    case DoorState(door=door) if not self._released(door):
                        self._locked(door)

    async def stop(self) -> None:
        """All lights off, all beepers silent."""
        self._open = False
        for node, beeper in self._beepers.items():
            try:
                beeper.off()
            except HalError as error:
                log.error("the beeper of reader %s does not obey: %s", node, error)
        self._each(Indication.close)

    def _rest(self) -> None:
        self._each(Indication.rest)

    def _locked(self, door: str) -> None:
        self._each(lambda light: light.locked(door))

    def _each(self, act: Callable[[Indication], None]) -> None:
        for node, light in self._lights.items():
            try:
                act(light)
            except HalError as error:
                log.error("the light of reader %s does not obey: %s", node, error)

    def _released(self, door: str) -> bool:
        """Whether it is so now; facts of a moment ago may still be under way."""
        state = self._core.bus.state(DoorState, door)
        return state is not None and state.released

    def _idle(self) -> Colour:
        return self._core.params.get(AccessParams).idle_colour

    async def _indicate(self, invocation: Invocation) -> Nothing:
        wish = invocation.params
        assert isinstance(wish, IndicateParams)
        node = self._find(wish.reader, "reader.indicate")
        if node not in self._lights:
            raise Unsupported("reader.indicate.reader", f"reader {wish.reader!r} has no light")
        if (wish.for_s is None) is (wish.door is None):
            raise Invalid("reader.indicate", "expects either for_s or door, which says how long")
        if wish.door is None:
            self._lights[node].show(wish.colour, wish.for_s, flash=wish.flash)
        elif self._core.bus.state(DoorState, wish.door) is None:
            doors = [each.door for each in self._core.bus.states(DoorState)]
            raise NotFound("reader.indicate.door", f"no door {wish.door!r}{nearest(wish.door, doors)}")
        elif self._released(wish.door):
            self._lights[node].show(wish.colour, door=wish.door, flash=wish.flash)
        return NOTHING

    async def _base(self, invocation: Invocation) -> Nothing:
        wish = invocation.params
        assert isinstance(wish, BaseParams)
        node = self._find(wish.reader, "reader.base")
        if node not in self._lights:
            raise Unsupported("reader.base.reader", f"reader {wish.reader!r} has no light")
        self._lights[node].stand_on(wish.pattern)
        return NOTHING

    async def _beep(self, invocation: Invocation) -> Nothing:
        wish = invocation.params
        assert isinstance(wish, BeepParams)
        node = self._find(wish.reader, "reader.beep")
        if node not in self._beepers:
            raise Unsupported("reader.beep.reader", f"reader {wish.reader!r} has no beeper")
        try:
            self._beepers[node].on() if wish.on else self._beepers[node].off()
        except HalError as error:
            raise Unavailable("reader.beep", str(error)) from error
        return NOTHING

    def _find(self, name: str, action: str) -> str:
        """The node of a reader by node name or alias, while the lights run. Raises NotFound, Unavailable."""
        node = self._nodes.get(name, name)
        if node not in self._readers:
            names = sorted({*self._readers, *self._nodes})
            raise NotFound(f"{action}.reader", f"no reader {name!r}{nearest(name, names)}")
        if not self._open:
            raise Unavailable(action, "the readers' lights are not running")
        return node
