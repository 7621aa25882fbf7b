"""One serial bus with readers that speak OSDP: the panel's engine joined to a port, shared by several readers.

The engine is told of bytes and instants and says what to send; this file gives it a port that may go away, and
hands its facts to the reader they belong to. Nothing here ends the firmware: a bus that fails is a reason in words.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

from hal.clock import Clock, Timer
from hal.drivers.osdp_search import Search
from hal.drivers.serial_line import OpenPort, SerialLine
from hal.errors import DeviceError, NoReply, OutOfRange
from hal.osdp.codes import BAUDS, LAST_ADDRESS
from hal.osdp.facts import Fact, Finished, Outcome, ReaderSettings, Step
from hal.osdp.finder import Finder
from hal.osdp.panel import Panel
from hal.osdp.payload import Payload
from hal.types import FoundPeer, LinkSettings, LinkStatus

log = logging.getLogger("hal.drivers")

# After an error of our own the engine is made anew, but not in a rush.
ANEW_S = 1.0
LOST_OFF = "the link was switched off"
BROKEN = "%s: the protocol engine failed, it is made anew"
OWN_ERROR = "an error of our own; see the log"

Done = Callable[[Finished], None]


class Engine(Protocol):
    """What drives a line: a panel, or a search for readers."""

    def receive(self, t_ns: int, data: bytes) -> None:
        """Take bytes that arrived by `t_ns`."""

    def step(self, t_ns: int) -> Step:
        """Say what to do now."""


class Member(Protocol):
    """A reader on the bus."""

    @property
    def name(self) -> str:
        """Its node name."""

    @property
    def traced(self) -> bool:
        """Whether it wants to see every frame."""

    def fact(self, fact: Fact) -> None:
        """Something about this reader."""

    def away(self, reason: str) -> None:
        """The port is not there, for this reason; empty while it is being opened."""


@dataclass(slots=True)
class Seat:
    """A member's place on the bus."""

    member: Member
    settings: LinkSettings
    secure_seen: bool = False

    def engine_settings(self) -> ReaderSettings:
        """The same for the engine."""
        wish = self.settings
        return ReaderSettings(
            address=wish.address,
            keys=wish.keys,
            plain=wish.plain and not self.secure_seen,
            secure_seen=self.secure_seen,
        )


class OsdpBus:
    """The panel of one bus. Its port is open while a reader is seated, or a search runs."""

    def __init__(self, name: str, open_port: OpenPort, clock: Clock) -> None:
        self.name = name
        self._clock = clock
        self._line = SerialLine(name, open_port, clock, heard=self._heard, changed=self._changed)
        self._seats: dict[int, Seat] = {}
        self._panel: Panel | None = None
        self._engine: Engine | None = None
        self._search: Search | None = None
        self._openings: list[asyncio.Future[None]] = []
        self._waiting: dict[int, Done] = {}
        self._timer: Timer | None = None
        self._due_ns = 0
        self._pumping = False
        self._again = False

    async def run(self) -> None:
        """Open the port whenever it is wanted; until cancelled."""
        await self._line.run()

    def close(self) -> None:
        """Fall silent and give the port back; closing twice is harmless."""
        for address in tuple(self._seats):
            self.leave(address)

    @property
    def busy(self) -> bool:
        """Whether a reader is seated."""
        return bool(self._seats)

    # seats

    def seat(self, member: Member, settings: LinkSettings) -> None:
        """Talk to a reader from now on. Raises OutOfRange for what the bus cannot do; then nothing changes."""
        check_settings(member.name, settings)
        before = next((seat for seat in self._seats.values() if seat.member is member), None)
        for seat in self._seats.values():
            if seat is not before:
                self._check_beside(member, settings, seat)
        fresh = Seat(member, settings, before is not None and before.secure_seen and same_place(before, settings))
        panel = self._panel or self._new_panel(settings.baud, without=before)
        panel.add(fresh.engine_settings())
        if before is not None and before.settings.address != settings.address:
            self.leave(before.settings.address, stay=True)
        self._seats[settings.address] = fresh
        self._begin(panel, settings.baud)

    def _new_panel(self, baud: int, *, without: Seat | None = None) -> Panel:
        return Panel([seat.engine_settings() for seat in self._seats.values() if seat is not without], baud=baud)

    def _check_beside(self, member: Member, settings: LinkSettings, seat: Seat) -> None:
        other = seat.settings
        if other.address == settings.address:
            raise OutOfRange(
                member.name, f"address {other.address} of {self.name} is already that of {seat.member.name}"
            )
        if other.baud != settings.baud:
            raise OutOfRange(
                member.name, f"{settings.baud} baud, but {seat.member.name} on the same bus has {other.baud}"
            )

    def _begin(self, panel: Panel, baud: int) -> None:
        if self._search is not None:
            self._search.fail(DeviceError(self.name, "the search was ended: a link was switched on"))
        self._panel = self._engine = panel
        self.trace_changed()
        moved = self._line.is_open and self._line.baud != baud
        self._line.want(baud)
        if moved:
            panel.set_baud(baud)
        if self._line.is_open:
            self.pump()
        else:
            self._tell_away()

    def leave(self, address: int, *, stay: bool = False) -> None:
        """Stop talking to a reader; with the last one the port is given back, unless we `stay`."""
        if self._seats.pop(address, None) is None:
            return
        if self._panel is not None:
            self._panel.remove(address)
            self.pump()
        if not self._seats and not stay:
            self._end(LOST_OFF)
            self._line.leave()

    def status(self, address: int) -> LinkStatus | None:
        """What the engine knows of a reader; None while there is no port."""
        if self._panel is None or not self._line.is_open:
            return None
        return self._panel.status(address)

    def trace_changed(self) -> None:
        """A member wants frames now, or no more."""
        if self._panel is not None:
            self._panel.set_trace(any(seat.member.traced for seat in self._seats.values()))

    def keyed(self, address: int) -> None:
        """A reader holds another key now: the engine knows which, and it counts also after the port came back."""
        assert self._panel is not None
        seat = self._seats[address]
        seat.settings = replace(seat.settings, keys=self._panel.keys(address))

    def perhaps(self, address: int, key: bytes) -> None:
        """Nobody knows whether a reader has taken this key: it is tried as well when the port came back."""
        seat = self._seats.get(address)
        if seat is not None and key not in seat.settings.keys:
            seat.settings = replace(seat.settings, keys=(*seat.settings.keys, key))

    def secured(self, address: int) -> None:
        """A reader has opened a secure channel: it never gets clear text again."""
        self._seats[address].secure_seen = True

    # commands

    async def opened(self) -> None:
        """Wait until the port that was just asked for is there. Raises NoReply when it is not."""
        if self._seats and not self._line.is_open and not self._line.trouble:
            opening: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._openings.append(opening)
            await opening
        if not self._line.is_open:
            raise NoReply(self.name, self._line.trouble or LOST_OFF)

    def submit(self, address: int, command: Payload, done: Done) -> None:
        """Have a command sent; `done` is told once how it ended. Raises NoReply, DeviceError, OutOfRange."""
        self._ask(lambda panel: panel.submit(address, command), done)

    def set_key(self, address: int, key: bytes, done: Done) -> None:
        """Rotate a key inside the secure channel. Raises as `submit`."""
        self._ask(lambda panel: panel.set_key(address, key), done)

    def install(self, address: int, key: bytes, for_s: float, done: Done) -> None:
        """Give a fresh reader its first key, within `for_s` seconds. Raises as `submit`."""
        now_ns = self._clock.now_ns()
        until_ns = now_ns + round(for_s * 1e9)
        self._ask(lambda panel: panel.install(address, key, t_ns=now_ns, until_ns=until_ns), done)

    def cancel_install(self, address: int) -> None:
        """Nobody waits for the installation any more."""
        if self._panel is not None and address in self._seats:
            self._panel.cancel_install(address)
            self.pump()

    def _ask(self, ask: Callable[[Panel], int], done: Done) -> None:
        if self._panel is None or not self._line.is_open:
            raise NoReply(self.name, self._line.trouble or "the port is not open")
        self._waiting[ask(self._panel)] = done
        self.pump()

    async def find(self, addresses: Sequence[int], bauds: Sequence[int]) -> tuple[FoundPeer, ...]:
        """Ask who is there. Raises OutOfRange, DeviceError while a link is on, NoReply without a port."""
        for baud in bauds:
            check_settings(self.name, LinkSettings(baud=baud))
        for address in addresses:
            check_settings(self.name, LinkSettings(address=address))
        if self._seats:
            owner = next(iter(self._seats.values())).member.name
            raise DeviceError(self.name, f"a search needs the bus for itself, and the link of {owner} is on")
        if self._search is not None:
            raise DeviceError(self.name, "a search is running already")
        search = self._search = Search(self.name)
        try:
            for baud in bauds:
                await search.at(baud, self._line, partial(self._ask_all, tuple(addresses), baud))
        finally:
            self._search = None
            if not self._seats:
                self._end("")
                self._line.leave()
        return tuple(search.found)

    def _ask_all(self, addresses: tuple[int, ...], baud: int) -> None:
        self._engine = Finder(addresses, baud=baud)
        self.pump()

    # the port

    def _heard(self, t_ns: int, data: bytes) -> None:
        if self._engine is None:
            return
        try:
            self._engine.receive(t_ns, data)
        except Exception:
            log.exception(BROKEN, self.name)
            self._broken()
            return
        self.pump()

    def _changed(self) -> None:
        """The port was opened, or lost: either way every link begins anew, and nobody waits for an answer."""
        self._end(self._line.trouble)
        if self._search is not None:
            self._search.port(self._line.trouble)
        if not self._seats:
            return
        if not self._line.is_open:
            self._tell_away()
            return
        self._panel = self._engine = self._new_panel(self._line.baud)
        self.trace_changed()
        self.pump()

    def _tell_away(self) -> None:
        for seat in tuple(self._seats.values()):
            seat.member.away(self._line.trouble)

    def _end(self, reason: str) -> None:
        """The engine ends; whoever waits for it hears that."""
        self._disarm()
        self._panel = self._engine = None
        waiting, self._waiting = self._waiting, {}
        for ticket, done in waiting.items():
            done(Finished(t_ns=self._clock.now_ns(), address=-1, ticket=ticket, outcome=Outcome.LOST, reason=reason))
        openings, self._openings = self._openings, []
        for opening in openings:
            if not opening.done():
                opening.set_result(None)

    def _broken(self) -> None:
        """The engine failed, which is an error of ours: say it, and begin anew a little later."""
        self._end(OWN_ERROR)
        self._due_ns = 0
        self._timer = self._clock.call_later(ANEW_S, self._changed)
        for seat in tuple(self._seats.values()):
            seat.member.away(OWN_ERROR)

    # stepping

    def pump(self) -> None:
        """Let the engine say what to do now, and do it."""
        if self._pumping:
            self._again = True
            return
        self._pumping = True
        try:
            self._again = True
            while self._again:
                self._again = False
                self._step()
        finally:
            self._pumping = False

    def _step(self) -> None:
        if self._engine is None or not self._line.is_open:
            return
        try:
            step = self._engine.step(self._clock.now_ns())
        except Exception:
            log.exception(BROKEN, self.name)
            self._broken()
            return
        self._arm(step.next_ns)
        if step.send:
            self._line.write(step.send)
        for fact in step.facts:
            self._hand_over(fact)

    def _arm(self, next_ns: int | None) -> None:
        """Step again at `next_ns`. It stays the same while an answer comes in byte by byte."""
        if next_ns == self._due_ns and self._timer is not None:
            return
        self._disarm()
        if next_ns is not None:
            self._due_ns = next_ns
            self._timer = self._clock.call_at(next_ns, self._due)

    def _due(self) -> None:
        self._timer = None
        self.pump()

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _hand_over(self, fact: Fact) -> None:
        if isinstance(fact, Finished):
            done = self._waiting.pop(fact.ticket, None)
            if done is not None:
                done(fact)
            return
        if self._search is not None:
            self._search.fact(fact)
        seat = self._seats.get(getattr(fact, "address", -1))
        if seat is not None:
            seat.member.fact(fact)


def same_place(seat: Seat, settings: LinkSettings) -> bool:
    """Whether the settings are for the reader that was seated already."""
    return seat.settings.address == settings.address


def check_settings(name: str, settings: LinkSettings) -> None:
    """Raises OutOfRange for an address or a rate no reader has, with the valid ones."""
    if not 0 <= settings.address <= LAST_ADDRESS:
        raise OutOfRange(name, f"address {settings.address} is not between 0 and {LAST_ADDRESS}")
    if settings.baud not in BAUDS:
        raise OutOfRange(name, f"{settings.baud} baud; valid: {', '.join(map(str, BAUDS))}")
