"""What is presented from afar, as actions: check credentials, QR texts of the camera, the latest card, the call key."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from firmware.access.desk import Desk, Shared
from firmware.access.entry_forms import bits_of_uid, card_of
from firmware.access.latest import shown
from firmware.access.visit import Presented
from firmware.core.actions import Invocation, Level
from firmware.core.cards.credential import encode
from firmware.core.errors import Busy, Invalid, NotFound, Unsupported
from firmware.core.vocabulary.access import By, SpeedDialled
from firmware.core.vocabulary.entries import (
    Dialled,
    DialParams,
    LatestCard,
    LatestParams,
    PresentAnswer,
    PresentParams,
)
from hal.errors import nearest

CHECK = "access.check"
PRESENT = "access.present"
LATEST = "access.latest"
DIAL = "keypad.dial"


class PresentingCommands:
    """Owns `access.check`, `access.present`, `access.latest` and `keypad.dial`."""

    def __init__(self, shared: Shared, desks: Mapping[str, Desk]) -> None:
        self._shared = shared
        self._desks = desks

    def register(self) -> None:
        """Offer the actions."""
        actions = self._shared.core.actions
        actions.register(
            CHECK,
            PresentParams,
            self._check,
            summary="Present a card, UID, PIN or QR text as if at the reader; it answers as it would there.",
            level=Level.ADMIN,
            answer=PresentAnswer,
        )
        actions.register(
            PRESENT,
            PresentParams,
            self._present,
            summary="A credential that was seen at a reader by another part of the device.",
            level=Level.SYSTEM,
            answer=PresentAnswer,
            private=True,
        )
        actions.register(
            LATEST, LatestParams, self._latest, summary="The card read last, for enrolment.", answer=LatestCard
        )
        actions.register(
            DIAL,
            DialParams,
            self._dial,
            summary="The call key was pressed: the digits typed at a keypad are a number to call.",
            answer=Dialled,
        )

    async def _check(self, invocation: Invocation) -> PresentAnswer:
        return await self._put(invocation, CHECK, By.CHECK)

    async def _present(self, invocation: Invocation) -> PresentAnswer:
        return await self._put(invocation, PRESENT, By.ENTRIES)

    async def _put(self, invocation: Invocation, action: str, by: By) -> PresentAnswer:
        wish = invocation.params
        assert isinstance(wish, PresentParams)
        given = [each for each in (wish.card, wish.uid, wish.pin, wish.qr) if each is not None]
        if len(given) != 1:
            raise Invalid(action, f"give exactly one of card, uid, pin and qr, not {len(given)}")
        bits = ""
        if wish.card is not None:
            bits = encode(card_of(wish.card, f"{action}.card"))
        elif wish.uid is not None:
            bits = _bits_of_uid(wish.uid, f"{action}.uid")
        desk = self._with_door(wish.reader, f"{action}.reader")
        done: asyncio.Future[PresentAnswer] = asyncio.get_running_loop().create_future()
        if not desk.put(Presented(by, done, bits, wish.pin, wish.qr)):
            raise Busy(action, "too much waits at this reader already; try again")
        return await done

    async def _latest(self, invocation: Invocation) -> LatestCard:
        wish = invocation.params
        assert isinstance(wish, LatestParams)
        reader = self._desk(wish.reader, f"{LATEST}.reader").name if wish.reader else ""
        seen = self._shared.latest.of(reader)
        if seen is None:
            raise NotFound(LATEST, "no card was read since the start; hold one to the reader and ask again")
        return shown(seen, self._shared.entries, reverse=wish.reverse)

    async def _dial(self, invocation: Invocation) -> Dialled:
        wish = invocation.params
        assert isinstance(wish, DialParams)
        keypads = {name: desk for name, desk in self._desks.items() if desk.has_keypad}
        if not keypads:
            raise Unsupported(DIAL, "no reader of this device has a keypad")
        desks = [self._desk(wish.reader, f"{DIAL}.reader")] if wish.reader else list(keypads.values())
        for desk in desks:
            number = desk.dial()
            if number:
                self._shared.core.bus.publish(SpeedDialled(reader=desk.name, number=number), cause=invocation.cause)
                return Dialled(number=number)
        return Dialled(number="")

    def _desk(self, name: str, where: str) -> Desk:
        for desk in self._desks.values():
            if name in desk.names:
                return desk
        known = [each for desk in self._desks.values() for each in desk.names]
        raise NotFound(where, f"no reader {name!r}{nearest(name, known)}")

    def _with_door(self, name: str, where: str) -> Desk:
        if name:
            desk = self._desk(name, where)
            if not desk.door:
                raise Invalid(where, f"reader {name!r} serves no door and decides nothing")
            return desk
        found = next((desk for desk in self._desks.values() if desk.door), None)
        if found is None:
            raise Unsupported(where, "no reader of this device serves a door")
        return found


def _bits_of_uid(uid: str, where: str) -> str:
    try:
        return bits_of_uid(uid)
    except ValueError as error:
        raise Invalid(where, str(error)) from None
