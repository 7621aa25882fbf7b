"""The link as media and network have it: joins the hub in control and lives as long as the hub does.

Retained states and facts of the other roles appear on the role's own bus; its own facts go up. When
control goes away `run` raises: the role ends and its supervisor starts it again.
"""

from __future__ import annotations

import asyncio
import logging
import os
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from firmware.core.actions import Action, ActionTable
from firmware.core.bus import Bus
from firmware.core.errors import Invalid, Unavailable
from firmware.core.events import Notice
from firmware.core.link.channel import Channel, Connect, connect_unix
from firmware.core.link.face import ActionInfo
from firmware.core.link.local import info_of
from firmware.core.link.outbox import Outbox
from firmware.core.link.peer import Peer
from firmware.core.link.routed import RoutedLink
from firmware.core.link.serving import answer
from firmware.core.link.wire import (
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
    notice_of,
)
from firmware.core.params import Params
from firmware.core.values import decode
from hal.clock import Clock

T = TypeVar("T")

# Control may still be starting: how long and how often to knock.
CONNECT_S = 10.0
KNOCK_S = 0.02

log = logging.getLogger(__name__)


class LinkClient(RoutedLink):
    """The link of a role that is not control; a service."""

    name: ClassVar[str] = "link"
    vital: ClassVar[bool] = True
    needs: ClassVar[frozenset[str]] = frozenset()

    def __init__(
        self,
        bus: Bus,
        actions: ActionTable,
        params: Params,
        clock: Clock,
        connect: Connect | Path,
        patience_s: float = CONNECT_S,
    ) -> None:
        """`connect` is the hub's socket, knocked at for `patience_s`, or `Hub.join` of a hub in this process."""
        super().__init__(actions, params)
        self._patience_s = patience_s
        self._bus = bus
        self._clock = clock
        self._connect = connect
        self._outbox = Outbox()
        self._peer: Peer | None = None
        self._incoming: Notice | None = None
        bus.tap(self._tell)
        actions.watch(self._offer)
        params.watch(lambda group: self._outbox.message(OfferGroup(group=group)))

    # life

    async def start(self) -> None:
        """Join: afterwards the bus has every retained state. Raises Unavailable."""
        peer = self._peer = Peer(await self._knock(), self._clock, self._outbox, name="control")
        try:
            await peer.say(Hello(role=self._bus.role, boot=self._bus.boot, pid=os.getpid()))
            while not isinstance(message := await peer.next(), Settled):
                if message is None:
                    raise Unavailable("link", "control did not let this role in; its log says why")
                if not isinstance(message, Fact):
                    raise WireError(f"control began with {type(message).__name__}")
                self._hear(message)
        except (WireError, ConnectionError) as error:
            raise Unavailable("link", str(error)) from error

    async def run(self) -> None:
        """Carry facts, questions and answers. Raises Unavailable when control goes away."""
        peer = self._joined()
        why = "control went away"
        try:
            async with asyncio.TaskGroup() as group:
                sending = group.create_task(peer.send(), name="link to control")
                while (message := await peer.next()) is not None:
                    self._take(peer, message, group)
                sending.cancel()
        except* (WireError, ConnectionError) as errors:
            why = f"the link broke: {errors.exceptions[0]}"
        finally:
            peer.close()
        raise Unavailable("link", why)

    async def stop(self) -> None:
        """Leave."""
        if self._peer is not None:
            self._peer.close()

    def ready(self) -> None:
        """This role's services have started."""
        self._outbox.message(Ready())

    # the face

    async def actions(self) -> tuple[ActionInfo, ...]:
        """All listed actions of all roles, by name."""
        return decode(tuple[ActionInfo, ...], await self._joined().ask(Op.ACTIONS), where="actions")

    async def groups(self) -> tuple[str, ...]:
        """All parameter groups of all roles, by name."""
        return decode(tuple[str, ...], await self._joined().ask(Op.GROUPS), where="groups")

    def _action_owner(self, name: str, *, private: bool = True) -> Peer | None:
        """Control knows the owners of all that is not this role's own."""
        return None if name in self._table else self._joined()

    def _group_owner(self, group: str) -> Peer | None:
        return None if group in self._params else self._joined()

    # the connection

    async def _knock(self) -> Channel:
        if not isinstance(self._connect, Path):
            return await self._connect()
        last = self._clock.now_ns() + round(self._patience_s * 1e9)
        while True:
            try:
                return await connect_unix(self._connect)
            except OSError as error:
                if self._clock.now_ns() >= last:
                    raise Unavailable(
                        "link", f"control does not listen at {self._connect} ({error.strerror or error})"
                    ) from error
            await self._clock.sleep(KNOCK_S)

    def _joined(self) -> Peer:
        if self._peer is None:
            raise Unavailable("link", "this role has not joined yet")
        return self._peer

    def _take(self, peer: Peer, message: Message, group: asyncio.TaskGroup) -> None:
        match message:
            case Fact():
                self._hear(message)
            case Ask():
                peer.serve(message, self._serve, group)
            case Answer() | Fault():
                peer.answered(message)
            case _:
                raise WireError(f"{type(message).__name__} does not fit here")

    async def _serve(self, ask: Ask) -> Any:
        return await answer(self._local, ask)

    def _hear(self, fact: Fact) -> None:
        try:
            self._incoming = notice_of(fact)
        except Invalid as error:
            log.error("control said what this role cannot read: %s", error)
            return
        try:
            self._bus.deliver(self._incoming)
        finally:
            self._incoming = None

    def _tell(self, notice: Notice) -> None:
        """Tap: what this role says goes up, what came down does not."""
        if notice is not self._incoming:
            self._outbox.fact(notice)

    def _offer(self, action: Action) -> None:
        self._outbox.message(OfferAction(action=info_of(action), private=action.private))
