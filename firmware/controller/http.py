"""A door controller on the network, as control sees it: questions go over the link to the role that has a network.

Whatever the network role does or does not do, the door's own decisions go on: the caller's time limit stands.
"""

from __future__ import annotations

from typing import ClassVar

from firmware.controller.face import Said, Stands
from firmware.controller.settings import ControllerParams
from firmware.core.actions import Invocation
from firmware.core.context import Core
from firmware.core.errors import StationError
from firmware.core.events import Operation
from firmware.core.vocabulary.controller import (
    AskAnswer,
    AskParams,
    ControllerPeer,
    ControllerPhase,
    ControllerProtocol,
    ForwardParams,
    Verdict,
)

# Of the time that is left the network role gets this part, so that its own reason arrives before ours.
SHARE = 0.9
AWAY = "the network part of this device is not running"


class HttpController:
    """Asks `controller.ask` of the network role."""

    protocol: ClassVar[ControllerProtocol] = ControllerProtocol.HTTP

    def __init__(self, core: Core, stands: Stands) -> None:
        self._core = core
        self._stands = stands
        self._params = ControllerParams()

    async def open(self, params: ControllerParams) -> None:
        """Say that nothing is known yet: the network role looks as soon as it hears of it."""
        self._params = params
        self._stands(ControllerPhase.CONNECTING, "")

    async def apply(self, params: ControllerParams) -> None:
        """Nothing to change: address and log-in are the network role's."""
        self._params = params

    async def run(self) -> None:
        """Follow what the network role knows of the controller, until cancelled."""
        with self._core.bus.subscribe(ControllerPeer) as changes:
            async for notice in changes:
                peer = notice.event
                assert isinstance(peer, ControllerPeer)
                if notice.operation is Operation.DELETED:
                    self._stands(ControllerPhase.LOST, AWAY)
                elif peer.reachable:
                    self._stands(ControllerPhase.CONNECTED, "")
                else:
                    self._stands(ControllerPhase.LOST, peer.reason)

    async def close(self) -> None:
        """The network role stops looking by itself."""

    async def ask(self, question: ForwardParams) -> Said:
        """Ask and wait; a single key is not asked about, the PIN is."""
        if not question.bits and not question.pin:
            return Said(Verdict.OFF, "keys are sent as a whole PIN")
        within_s = self._params.timeout_s * SHARE
        invocation = Invocation(action="controller.ask", params=AskParams(question=question, within_s=within_s))
        try:
            answer = await self._core.link.invoke(invocation, AskAnswer)
        except StationError as error:
            self._stands(ControllerPhase.LOST, AWAY)
            return Said(Verdict.LOST, f"{AWAY} ({error.code})")
        if answer.lost:
            self._stands(ControllerPhase.LOST, answer.reason)
            return Said(Verdict.LOST, answer.reason)
        self._stands(ControllerPhase.CONNECTED, "")
        return Said(Verdict.GRANTED if answer.granted else Verdict.DENIED, answer.reason)
