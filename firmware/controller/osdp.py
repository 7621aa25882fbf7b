"""A door controller whose OSDP reader we are: cards and keys up, its light, beeper and texts down.

A secure channel is required. Without a key we tell a panel who we are and nothing else, unless the parameter
`osdp_insecure` allows clear text; once a key was taken, clear text is over for good (hardening rows 2 and 3).
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from datetime import datetime, timedelta
from typing import ClassVar

from firmware.controller.face import Said, Stands
from firmware.controller.feedback import Feedback
from firmware.controller.keyring import Keyring
from firmware.controller.settings import ControllerParams
from firmware.core.actions import Caller, Level
from firmware.core.context import Core
from firmware.core.errors import Refused, StationError
from firmware.core.events import Event
from firmware.core.pace import Pace
from firmware.core.vocabulary.controller import (
    ControllerLink,
    ControllerOutput,
    ControllerPhase,
    ControllerProtocol,
    ControllerText,
    ForwardParams,
    Verdict,
)
from firmware.core.vocabulary.osdp import ReaderCondition
from hal.clock import Timer
from hal.errors import HalError
from hal.ports import PanelPort
from hal.types import (
    LinkPhase,
    LinkSettings,
    LinkStatus,
    PanelBuzz,
    PanelFact,
    PanelKey,
    PanelLight,
    PanelOutput,
    PanelPlace,
    PanelText,
)

PHASES = {
    LinkPhase.OFF: ControllerPhase.OFF,
    LinkPhase.CONNECTING: ControllerPhase.CONNECTING,
    LinkPhase.CONNECTED: ControllerPhase.CONNECTED,
    LinkPhase.NOT_CONNECTED: ControllerPhase.LOST,
}
PANEL = Caller("panel", Level.SYSTEM, "osdp")
# Counters alone are told this often: a journal line for every lost byte would fill the journal.
COUNTS_EVERY_S = 60.0

log = logging.getLogger("firmware.controller")


class OsdpController:
    """The reader that somebody's panel sees."""

    protocol: ClassVar[ControllerProtocol] = ControllerProtocol.OSDP

    def __init__(self, core: Core, port: PanelPort, feedback: Feedback, stands: Stands) -> None:
        self._core = core
        self._port = port
        self._feedback = feedback
        self._stands = stands
        self._keys = Keyring(core)
        self._wishes: Pace[Event] = Pace(core.clock, core.bus.publish)
        self._params = ControllerParams()
        self._served: LinkSettings | None = None
        self._armed: Timer | None = None
        self._armed_until: datetime | None = None
        self._told_ns = 0
        self._place: PanelPlace | None = None
        self._proved = False
        self._stale = False  # the port still knows a key that was given up
        self._wake = asyncio.Event()

    async def open(self, params: ControllerParams) -> None:
        """Read the key and answer the panel; install mode is closed, whatever it was before. Raises Unavailable."""
        await self._keys.load()
        self._params = params
        self._port.on_key(self._key_set)
        self._port.on_link(self._link)
        self._port.watch(self._heard)
        self._serve()

    async def run(self) -> None:
        """Keep what the panel changes of our place and keys, and tell it of opened housings, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep_changes())
            tasks.create_task(self._tell_tampers())

    async def _keep_changes(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                await self._keep()
            except StationError as error:
                log.error("what the panel has changed holds until the next start only: %s", error)

    async def _tell_tampers(self) -> None:
        """A reader of ours whose housing is open is our own housing to the panel."""
        with self._core.bus.subscribe(ReaderCondition) as conditions:
            async for _ in conditions:
                self._port.tamper(any(state.tamper for state in self._core.bus.states(ReaderCondition)))

    async def _keep(self) -> None:
        place, self._place = self._place, None
        if place is not None:
            patch = {"osdp_address": place.address, "osdp_baud": place.baud}
            await self._core.params.change(ControllerParams.group, patch, PANEL)
        if self._proved:
            self._proved = False
            await self._keys.proved()
            self._stale = True
        # Serving anew drops the link: that waits until it is down, or until somebody comes with the old key.
        if self._stale and not (self._connected() and self._port.link.key == 0):
            self._serve()

    async def apply(self, params: ControllerParams) -> None:
        """Serve by these parameters; the link is left alone when nothing of it changes."""
        self._params = params
        if self._served is None or replace(self._settings(), keys=self._served.keys) != self._served:
            self._serve()

    async def close(self) -> None:
        """Fall silent, close install mode, and give the light back."""
        self._disarm()
        self._port.on_link(None)
        self._port.on_key(None)
        self._port.watch(None)
        self._port.stop()
        self._wishes.close()
        self._served = None
        self._core.bus.forget(ControllerLink)
        for output in self._core.bus.states(ControllerOutput):
            self._core.bus.forget(ControllerOutput, str(output.number))
        self._feedback.clear()

    async def ask(self, question: ForwardParams) -> Said:
        """Hand a card or keys to the panel; it shows its answer by light and beeper."""
        if not self._connected():
            return Said(Verdict.LOST, self._port.link.reason or "the panel is not connected")
        keys = question.key or (question.pin + self._params.pin_end_key if question.pin else "")
        try:
            if question.bits:
                self._port.card(question.bits)
            if keys:
                self._port.keys(keys)
        except HalError as error:
            return Said(Verdict.LOST, str(error))
        return Said(Verdict.SENT)

    # keys

    def arm(self, for_s: float) -> None:
        """Let the panel set our first key for a time. Raises Refused while we hold one (hardening row 3)."""
        if self._keys.held:
            raise Refused(
                "controller.install", "this device holds a key already; controller.forget_key gives it up first"
            )
        self._disarm()
        self._armed = self._core.clock.call_later(for_s, self._time_is_up)
        self._armed_until = self._core.clock.utc() + timedelta(seconds=for_s)
        self._serve(install=True)

    async def forget_key(self) -> None:
        """Give up the key: the panel that set it is refused until it sets another one. Raises Unavailable."""
        await self._keys.forget()
        self._disarm()
        self._serve()

    async def _key_set(self, fact: PanelKey) -> bool:
        """Keep a key before the panel is told; the first one closes install mode."""
        if not await self._keys.keep(fact.key):
            return False
        self._disarm()
        # The port goes on with the channel that stands and proves the new key at the next one: no new start.
        self._served = self._settings()
        self._tell(self._port.link)
        return True

    def _time_is_up(self) -> None:
        self._armed = None
        self._serve()

    def _disarm(self) -> None:
        if self._armed is not None:
            self._armed.cancel()
            self._armed = None

    # the link

    def _settings(self) -> LinkSettings:
        params = self._params
        return LinkSettings(
            address=params.osdp_address,
            baud=params.osdp_baud,
            keys=self._keys.keys,
            plain=params.osdp_insecure and not self._keys.held,
        )

    def _serve(self, *, install: bool = False) -> None:
        settings = self._settings()
        self._served, self._stale = settings, False
        try:
            self._port.serve(settings, install=install)
        except HalError as error:
            self._stands(ControllerPhase.LOST, str(error))
            return
        self._link(self._port.link)

    def _connected(self) -> bool:
        return self._port.link.phase is LinkPhase.CONNECTED

    def _link(self, status: LinkStatus) -> None:
        self._tell(status)
        if self._keys.trouble and status.phase is not LinkPhase.CONNECTED:
            self._stands(ControllerPhase.LOST, self._keys.trouble)
        else:
            self._stands(PHASES[status.phase], status.reason)
        if status.phase is not LinkPhase.CONNECTED:
            self._feedback.clear()  # what a panel wanted that is gone is no news any more
        elif status.secure and status.key == 0 and len(self._keys.keys) > 1:
            self._proved = True
        if self._proved or self._stale:
            self._wake.set()

    def _tell(self, status: LinkStatus) -> None:
        now_ns = self._core.clock.now_ns()
        before = self._core.bus.state(ControllerLink)
        now = ControllerLink(
            port=self._port.name,
            phase=status.phase,
            reason=status.reason,
            secure=status.secure,
            keyed=self._keys.held,
            address=status.address,
            baud=status.baud,
            retries=status.retries,
            check_errors=status.check_errors,
            refusals=status.refusals,
            install_until=None if self._armed is None else self._armed_until,
        )
        only_counts = before is not None and _but_counts(now) == _but_counts(before)
        if only_counts and now_ns - self._told_ns < COUNTS_EVERY_S * 1e9:
            return
        self._told_ns = now_ns
        self._core.bus.publish(now)

    # what the panel wants

    def _heard(self, fact: PanelFact) -> None:
        match fact:
            case PanelLight(light=0):
                self._feedback.show(fact.pattern)
            case PanelLight():
                pass  # we told the panel that we have one light
            case PanelBuzz():
                self._feedback.beep(fact.on)
            case PanelText():
                self._wishes.put("text", ControllerText(text=fact.text, for_s=fact.for_s))
            case PanelOutput():
                self._wishes.put(f"output {fact.number}", ControllerOutput(number=fact.number, on=fact.on))
            case PanelPlace():
                self._moved(fact)

    def _moved(self, place: PanelPlace) -> None:
        if self._served is not None:
            self._served = replace(self._served, address=place.address, baud=place.baud)
        self._place = place
        self._wake.set()


def _but_counts(link: ControllerLink) -> tuple[object, ...]:
    return (
        link.port,
        link.phase,
        link.reason,
        link.secure,
        link.keyed,
        link.address,
        link.baud,
        link.install_until,
    )
