"""The hub, in control: where the roles of a device meet.

It gives a joining role the retained states, passes facts on, routes commands and parameters to their
owner, and takes back what a role said when it leaves. It never waits for a role: the door comes first.
Whoever sits at the device may come as well: it is shown the states and may ask, as an administrator, and say nothing.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Container, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from firmware.core.actions import ActionTable, Caller, Level
from firmware.core.bus import Bus
from firmware.core.errors import Invalid, NotFound, Refused, Unavailable
from firmware.core.events import Notice, Operation, State
from firmware.core.link.awaited import Awaited
from firmware.core.link.channel import Channel, StreamChannel, memory_pair
from firmware.core.link.face import ActionInfo
from firmware.core.link.guest import OFFERS, Guest
from firmware.core.link.outbox import Outbox
from firmware.core.link.peer import Peer
from firmware.core.link.routed import RoutedLink
from firmware.core.link.serving import answer
from firmware.core.link.wire import (
    CONSOLE,
    VERSION,
    Answer,
    Ask,
    Fact,
    Fault,
    Hello,
    Message,
    OfferAction,
    OfferGroup,
    Op,
    Ready,
    Settled,
    WireError,
)
from firmware.core.params import Params
from firmware.core.values import encode
from firmware.core.vocabulary.station import RoleState
from hal.clock import Clock
from hal.errors import nearest

T = TypeVar("T")

HELLO_S = 5.0
ROOT = 0  # who may do anything to this process anyway
# Whoever may reach the socket may be a role that was taken over: it cannot use control up with open connections.
CONSOLES = 8
NOTHING_AWAITED = Awaited()
AT_DEVICE = Caller(CONSOLE, Level.ADMIN, CONSOLE)
log = logging.getLogger(__name__)


class Hub(RoutedLink):
    """The link as control has it, and the server the other roles join; a service."""

    name: ClassVar[str] = "link"
    vital: ClassVar[bool] = True
    needs: ClassVar[frozenset[str]] = frozenset()

    def __init__(
        self,
        bus: Bus,
        actions: ActionTable,
        params: Params,
        clock: Clock,
        *,
        path: Path | None = None,
        roles: tuple[str, ...] = ("media", "network"),
        uids: frozenset[int] = frozenset(),
        awaited: Awaited = NOTHING_AWAITED,
    ) -> None:
        """Listens at `path` (None: only `join`) for `roles`, run by this user or one of `uids`; `awaited` is what
        they are going to own.
        """
        super().__init__(actions, params)
        self._bus = bus
        self._clock = clock
        self._path = path
        self._roles = roles
        self._awaited = awaited
        self._uids = uids | {os.getuid()}
        self._visitors = frozenset({ROOT}) - self._uids  # who may ask as the console, and be no role
        self._ready = False
        self._guests: dict[str, Guest] = {}
        self._consoles: list[Guest] = []
        self._server: asyncio.Server | None = None
        self._arriving: asyncio.Queue[tuple[Channel, bool]] = asyncio.Queue()  # and whether it may be a role
        self._incoming: tuple[Notice, Guest] | None = None
        bus.tap(self._forward)

    # life

    async def start(self) -> None:
        """Listen. Raises Unavailable when the socket cannot be made."""
        self._bus.publish(RoleState(role=self._bus.role, joined=True, pid=os.getpid()))
        if self._path is None:
            return
        try:
            self._server = await asyncio.start_unix_server(self._connected, str(self._path))
            self._path.chmod(0o600 if len(self._uids) == 1 else 0o666)
        except OSError as error:
            raise Unavailable("link", f"{self._path} cannot be opened ({error.strerror or error})") from error

    async def run(self) -> None:
        """Serve the roles until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                channel, may_join = await self._arriving.get()
                group.create_task(self._welcome(channel, may_join, group), name="link guest")

    async def stop(self) -> None:
        """Close the socket and every connection; the roles end by that."""
        if self._server is not None:
            self._server.close()
            self._server = None
            if self._path is not None:
                self._path.unlink(missing_ok=True)
        while not self._arriving.empty():
            self._arriving.get_nowait()[0].close()
        for guest in tuple(self._guests.values()):
            self._leave(guest, "the hub stops")

    def ready(self) -> None:
        """Control's own services have started."""
        self._ready = True
        self._bus.publish(RoleState(role=self._bus.role, joined=True, pid=os.getpid(), ready=True))

    async def join(self, limit: int = 1 << 16) -> Channel:
        """The far end of a connection inside this process: what a `LinkClient` connects with."""
        near, far = memory_pair(limit)
        self._arriving.put_nowait((near, True))
        return far

    # the face

    async def actions(self) -> tuple[ActionInfo, ...]:
        """All listed actions of all roles, by name."""
        found = list(await self._local.actions())
        for guest in self._guests.values():
            found += [offer.action for offer in guest.actions.values() if not offer.private]
        return tuple(sorted(found, key=lambda info: info.name))

    async def groups(self) -> tuple[str, ...]:
        """All parameter groups of all roles, by name."""
        return tuple(
            sorted({*self._params.names(), *(name for guest in self._guests.values() for name in guest.groups)})
        )

    # routing

    def _action_owner(self, name: str, *, private: bool = True) -> Peer | None:
        """The role that owns an action, None for this one. Raises NotFound, Unavailable while its role is away."""
        if name in self._table:
            return None
        for guest in self._guests.values():
            offer = guest.actions.get(name)
            if offer is not None and (private or not offer.private):
                return guest.peer
        known = [action.name for action in self._table.listed() if not action.private]
        for guest in self._guests.values():
            known += [offer.action.name for offer in guest.actions.values() if not offer.private]
        known += self._awaited.actions
        self._check_ready("action", name, self._awaited.action(name, private=private))
        raise NotFound("action", f"no action {name!r}{nearest(name, known)}")

    def _group_owner(self, group: str) -> Peer | None:
        if group in self._params:
            return None
        for guest in self._guests.values():
            if group in guest.groups:
                return guest.peer
        known = [*self._params.names(), *(name for guest in self._guests.values() for name in guest.groups)]
        known += self._awaited.groups
        self._check_ready("params", group, self._awaited.groups.get(group))
        raise NotFound("params", f"no group {group!r}{nearest(group, known)}")

    def _check_ready(self, where: str, name: str, role: str | None) -> None:
        """What is not there while control starts may be about to come, as what `role` will own. Raises Unavailable."""
        if not self._ready:
            raise Unavailable(where, f"nobody answers for {name!r} yet, the device is starting; try again")
        if role is None:
            return
        if role not in self._guests:
            raise Unavailable(where, f"nobody answers for {name!r} now: {role} is not there; try again")
        state = self._bus.state(RoleState, role)
        if state is None or not state.ready:
            raise Unavailable(where, f"nobody answers for {name!r} now: {role} is starting; try again")
        raise Unavailable(where, f"nobody answers for {name!r} now: {role} runs without it; try again")

    async def _serve(self, ask: Ask) -> Any:
        """Answer a role's question, or pass it on to the role that owns it."""
        match ask.op:
            case Op.ACTIONS:
                return [encode(action) for action in await self.actions()]
            case Op.GROUPS:
                return list(await self.groups())
            case Op.INVOKE | Op.COMMAND:
                owner = self._action_owner(ask.name, private=ask.op is Op.INVOKE)
            case _:
                owner = self._group_owner(ask.name)
        if owner is None:
            return await answer(self._local, ask)
        return await owner.ask(ask.op, ask.caller, name=ask.name, data=ask.data, cause=ask.cause)

    # guests

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        channel = StreamChannel(reader, writer)
        uid = channel.peer_uid()
        if uid not in self._uids and uid not in self._visitors:
            log.error("a process of user %d may not join the link", uid)
            channel.close()
            return
        self._arriving.put_nowait((channel, uid in self._uids))

    async def _welcome(self, channel: Channel, may_join: bool, group: asyncio.TaskGroup) -> None:
        """One connection from its first word to its end; trouble with it is never trouble of control."""
        peer = Peer(channel, self._clock, Outbox(), name="a process that has not said its role")
        guest: Guest | None = None
        why = "it ended"
        try:
            hello = await self._hello(peer)
            if not may_join and hello.role != CONSOLE:
                raise WireError(f"it is for no {hello.role}")
            guest = self._admit(hello, peer)
            async with asyncio.TaskGroup() as talk:
                sending = talk.create_task(peer.send(), name=f"link to {peer.name}")
                while (message := await peer.next()) is not None:
                    self._take(guest, message, group)
                sending.cancel()
        except* (WireError, Refused, TimeoutError, ConnectionError) as errors:
            why = str(errors.exceptions[0]) or "it did not say who it is"
        except* Exception as errors:  # whatever a role makes go wrong here ends its connection, not control
            why = "the hub failed with it"
            log.error("the link to %s failed", peer.name, exc_info=errors)
        finally:
            if guest is not None:
                self._leave(guest, why)
            elif may_join:
                log.error("the link turned %s away: %s", peer.name, why)
            else:
                log.error("a process of user %d may not join the link: %s", ROOT, why)
            peer.close()

    async def _hello(self, peer: Peer) -> Hello:
        async with asyncio.timeout(HELLO_S):
            first = await peer.next()
        if not isinstance(first, Hello):
            raise WireError(f"began with {type(first).__name__}, not Hello")
        return first

    def _admit(self, hello: Hello, peer: Peer) -> Guest:
        """Let a role in and queue what it has to know. Raises Refused."""
        peer.name = hello.role
        if hello.version != VERSION:
            raise Refused("link", f"{hello.role} speaks version {hello.version}, not {VERSION}")
        guest = Guest(hello, peer)
        if hello.role != CONSOLE:
            self._take_place(guest)
        elif len(self._consoles) >= CONSOLES:
            raise Refused("link", f"{CONSOLES} others sit at the device; try again when one of them is done")
        else:
            self._consoles.append(guest)
        for state in self._bus.states(State):
            peer.outbox.fact(Notice(Operation.INITIALISED, state))
        peer.tell(Settled())
        if hello.role != CONSOLE:
            self._bus.publish(RoleState(role=hello.role, joined=True, pid=hello.pid))
        return guest

    def _take_place(self, guest: Guest) -> None:
        """A role is from now on this process. Raises Refused."""
        if guest.role not in self._roles:
            raise Refused("link", f"no role {guest.role!r}{nearest(guest.role, self._roles)}")
        former = self._guests.get(guest.role)
        if former is not None:
            self._leave(former, "a new process took its place")
        self._guests[guest.role] = guest

    def _leave(self, guest: Guest, why: str) -> None:
        guest.peer.close()
        if guest in self._consoles:
            self._consoles.remove(guest)
        if self._guests.get(guest.role) is not guest:
            return
        del self._guests[guest.role]
        log.info("%s left the link: %s", guest.role, why)
        left = self._bus.publish(RoleState(role=guest.role, joined=False, pid=guest.hello.pid))
        guest.withdraw(self._bus, left)

    def _take(self, guest: Guest, message: Message, group: asyncio.TaskGroup) -> None:
        """One message of a role. Raises WireError, Refused for what ends the connection."""
        if guest.role == CONSOLE:
            if not isinstance(message, Ask):
                raise WireError(f"{type(message).__name__} is for roles; whoever sits at the device asks")
            guest.peer.serve(replace(message, caller=AT_DEVICE), self._serve, group)
            return
        match message:
            case Fact():
                self._hear(guest, message)
            case Ask():
                guest.peer.serve(message, self._serve, group)
            case Answer() | Fault():
                guest.peer.answered(message)
            case OfferAction():
                name = message.action.name
                self._may_own(guest, name, name in self._table, [g.actions for g in self._others(guest)])
                guest.actions[name] = message
            case OfferGroup():
                self._may_own(
                    guest, message.group, message.group in self._params, [g.groups for g in self._others(guest)]
                )
                guest.groups.add(message.group)
            case Ready():
                self._bus.publish(RoleState(role=guest.role, joined=True, pid=guest.hello.pid, ready=True))
            case Hello() | Settled():
                raise WireError(f"{type(message).__name__} does not fit here")

    def _others(self, guest: Guest) -> list[Guest]:
        return [other for other in self._guests.values() if other is not guest]

    @staticmethod
    def _may_own(guest: Guest, name: str, ours: bool, theirs: Sequence[Container[str]]) -> None:
        if ours or any(name in names for names in theirs):
            raise Refused("link", f"{name!r} has an owner already")
        if guest.offers() >= OFFERS:
            raise Refused("link", f"{guest.role} offers more than {OFFERS} actions and groups")

    def _hear(self, guest: Guest, fact: Fact) -> None:
        try:
            notice = guest.heard(fact, self._bus)
        except (Invalid, Refused) as error:
            guest.refused += 1
            log.error("%s may not say this (%d so far): %s", guest.role, guest.refused, error)
            return
        self._incoming = (notice, guest)
        try:
            self._bus.deliver(notice)
        finally:
            self._incoming = None

    def _forward(self, notice: Notice) -> None:
        """Tap: pass a fact on to every role but the one that said it."""
        for guest in self._guests.values():
            if self._incoming is None or self._incoming[0] is not notice or self._incoming[1] is not guest:
                guest.peer.outbox.fact(notice)
