"""Service `controller`: what the entry list does not know is asked of somebody's door controller.

Owns `controller.forward`, `controller.install`, `controller.forget_key` and the parameter group `controller`. Every
question is answered within `timeout_s`, and a lost controller means what the parameters say: nothing, by default.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import ClassVar

from firmware.controller.deciding import NOBODY_ASKED, decide
from firmware.controller.face import Controller, Said, Stands
from firmware.controller.feedback import Feedback
from firmware.controller.http import HttpController
from firmware.controller.osdp import OsdpController
from firmware.controller.settings import BoardFacts, ControllerParams, WhenLost, controller_group
from firmware.controller.wiegand import WiegandController
from firmware.core.actions import NOTHING, Invocation, Level, Nothing
from firmware.core.context import Core
from firmware.core.errors import Refused
from firmware.core.vocabulary.controller import (
    ControllerAnswered,
    ControllerPhase,
    ControllerProtocol,
    ControllerRisk,
    ControllerState,
    ControllerWarning,
    ForwardAnswer,
    ForwardParams,
    InstallParams,
    Verdict,
)
from firmware.core.vocabulary.station import ParamsChanged
from hal.ports import Hardware
from hal.types import Colour

WAITING = 8
TOO_MANY = Said(Verdict.LOST, f"{WAITING} credentials wait for the controller already")
BROKEN = Said(Verdict.LOST, "this device failed with it; its log says why")
STOPPED = Said(Verdict.LOST, "the controller service is not running")

Maker = Callable[[Stands], Controller]

log = logging.getLogger("firmware.controller")


class ControllerService:
    """The door controller behind this device; restartable, the entry list decides without it."""

    name: ClassVar[str] = "controller"
    vital: ClassVar[bool] = False
    needs: ClassVar[frozenset[str]] = frozenset({"reader"})

    def __init__(self, core: Core, hardware: Hardware, ports: tuple[str, ...]) -> None:
        """`ports` are the I/O ports that people may use, by node name."""
        self._core = core
        self._feedback = Feedback(core, hardware)
        self._makers = _makers(core, hardware, self._feedback)
        self._group = controller_group(_facts(hardware, ports, frozenset(self._makers)))
        self._controller: Controller | None = None
        self._working: asyncio.Task[None] | None = None
        self._waiting = 0

    async def start(self) -> None:
        """Load the parameters and connect."""
        self._core.params.declare(self._group)
        await self._core.params.load(self._group)
        register = self._core.actions.register
        register(
            "controller.forward",
            ForwardParams,
            self._forward,
            summary="Ask the connected door controller about a credential.",
            level=Level.SYSTEM,
            answer=ForwardAnswer,
            private=True,
        )
        register(
            "controller.install",
            InstallParams,
            self._install,
            summary="Let the OSDP panel set this device's first key, for a time.",
            level=Level.ADMIN,
        )
        register(
            "controller.forget_key",
            Nothing,
            self._forget_key,
            summary="Give up the key of the OSDP panel; the panel is refused until a new one is set.",
            level=Level.ADMIN,
        )
        await self._connect()

    async def run(self) -> None:
        """Follow the parameters, whoever changes them, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._feedback.run(), name="controller feedback")
            with self._core.bus.subscribe(ParamsChanged, retained=False) as changes:
                await self._follow(tasks)
                async for notice in changes:
                    if isinstance(notice.event, ParamsChanged) and notice.event.group == self._group.group:
                        await self._follow(tasks)

    async def stop(self) -> None:
        """Disconnect; the readers show what they show without a controller."""
        await self._disconnect()
        await self._feedback.carry_out()
        self._core.bus.forget(ControllerState)
        self._core.bus.forget(ControllerWarning, ControllerRisk.GRANT_WHEN_LOST.value)
        self._core.bus.forget(ControllerWarning, ControllerRisk.INSECURE_OSDP.value)

    # the connection

    def _params(self) -> ControllerParams:
        return self._core.params.get(ControllerParams)

    async def _follow(self, tasks: asyncio.TaskGroup) -> None:
        """Bring the connection in line with the parameters."""
        params = self._params()
        self._feedback.choose(params.shown_on)
        if self._protocol() is not params.protocol:
            await self._disconnect()
            await self._connect()
        elif self._controller is not None:
            await self._controller.apply(params)
        self._warn(params)
        if self._controller is not None and self._working is None:
            self._working = tasks.create_task(self._controller.run(), name=f"controller {params.protocol}")

    def _protocol(self) -> ControllerProtocol:
        return ControllerProtocol.OFF if self._controller is None else self._controller.protocol

    async def _connect(self) -> None:
        params = self._params()
        self._feedback.choose(params.shown_on)
        make = self._makers.get(params.protocol)
        if make is None:
            self._stands(ControllerPhase.OFF, "")
        else:
            await self._open(make, params)
        self._warn(params)

    async def _open(self, make: Maker, params: ControllerParams) -> None:
        def stands(phase: ControllerPhase, reason: str) -> None:
            # An adapter that was given up may still be finishing a question: it says nothing any more.
            if self._controller is controller:
                self._stands(phase, reason)

        self._controller = controller = make(stands)
        await controller.open(params)

    async def _disconnect(self) -> None:
        working, self._working = self._working, None
        if working is not None:
            working.cancel()
            await asyncio.wait((working,))
        controller, self._controller = self._controller, None
        if controller is not None:
            await controller.close()

    def _stands(self, phase: ControllerPhase, reason: str) -> None:
        """How the connection stands now, told by the adapter."""
        protocol = self._protocol()
        before = self._core.bus.state(ControllerState)
        same = before is not None and (before.protocol, before.phase) == (protocol, phase)
        since = before.since if same and before is not None else self._core.clock.utc()
        self._core.bus.publish(ControllerState(protocol=protocol, phase=phase, reason=reason, since=since))

    def _warn(self, params: ControllerParams) -> None:
        standing = {
            ControllerRisk.GRANT_WHEN_LOST: (
                params.protocol is not ControllerProtocol.OFF and params.when_lost is WhenLost.GRANT,
                "while the controller is away any card of a known format opens the door (controller.when_lost)",
            ),
            ControllerRisk.INSECURE_OSDP: (
                params.protocol is ControllerProtocol.OSDP and params.osdp_insecure,
                "a panel without secure channel is served while no key is held (controller.osdp_insecure)",
            ),
        }
        for risk, (stands, detail) in standing.items():
            if stands:
                self._core.bus.publish(ControllerWarning(risk=risk, detail=detail))
            else:
                self._core.bus.forget(ControllerWarning, risk.value)

    # questions

    async def _forward(self, invocation: Invocation) -> ForwardAnswer:
        question = invocation.params
        assert isinstance(question, ForwardParams)
        params = self._params()
        if params.protocol is ControllerProtocol.OFF:
            return ForwardAnswer(verdict=Verdict.OFF, reason=NOBODY_ASKED)
        began_ns = self._core.clock.now_ns()
        if self._waiting >= WAITING:
            # A flood is no lost controller: it must not open what `when_lost` would open.
            answer = decide(TOO_MANY, question, WhenLost.DENY)
        else:
            answer = decide(await self._ask(question, params.timeout_s), question, params.when_lost)
        if question.key and answer.verdict is not Verdict.LOST:
            return answer  # a key as it is pressed is no fact of its own
        self._core.bus.publish(
            ControllerAnswered(
                reader=question.reader,
                door=question.door,
                protocol=params.protocol,
                verdict=answer.verdict,
                granted=answer.granted,
                reason=answer.reason,
                bits=len(question.bits),
                keys=len(question.pin) + len(question.key),
                took_ms=(self._core.clock.now_ns() - began_ns) // 1_000_000,
            ),
            cause=invocation.cause,
        )
        return answer

    async def _ask(self, question: ForwardParams, timeout_s: float) -> Said:
        """What the controller said, within the time, whatever it does."""
        controller = self._controller
        if controller is None:
            return STOPPED
        limit = asyncio.timeout(timeout_s)
        self._waiting += 1
        try:
            async with limit:
                return await controller.ask(question)
        except TimeoutError:
            if not limit.expired():
                log.exception("asking the door controller failed")
                return BROKEN
            reason = f"no answer within {timeout_s:g} s"
            if controller is self._controller:
                self._stands(ControllerPhase.LOST, reason)
            return Said(Verdict.LOST, reason)
        except Exception:  # a reader's desk waits: an adapter that fails is a lost controller, not a lost reader
            log.exception("asking the door controller failed")
            return BROKEN
        finally:
            self._waiting -= 1

    # the OSDP key

    async def _install(self, invocation: Invocation) -> Nothing:
        params = invocation.params
        assert isinstance(params, InstallParams)
        self._osdp("controller.install").arm(params.for_s)
        return NOTHING

    async def _forget_key(self, invocation: Invocation) -> Nothing:
        await self._osdp("controller.forget_key").forget_key()
        return NOTHING

    def _osdp(self, action: str) -> OsdpController:
        if not isinstance(self._controller, OsdpController):
            raise Refused(action, "the door controller is not connected by OSDP (controller.protocol)")
        return self._controller


def _makers(core: Core, hardware: Hardware, feedback: Feedback) -> dict[ControllerProtocol, Maker]:
    """The adapters this board has connectors for; of several connectors the first counts."""
    makers: dict[ControllerProtocol, Maker] = {ControllerProtocol.HTTP: lambda stands: HttpController(core, stands)}
    if hardware.wiegand_outs:
        out = next(iter(hardware.wiegand_outs.values()))
        makers[ControllerProtocol.WIEGAND] = lambda stands: WiegandController(core.bus, out, feedback, stands)
    if hardware.panels:
        panel = next(iter(hardware.panels.values()))
        makers[ControllerProtocol.OSDP] = lambda stands: OsdpController(core, panel, feedback, stands)
    return makers


def _facts(hardware: Hardware, ports: tuple[str, ...], protocols: frozenset[ControllerProtocol]) -> BoardFacts:
    lights = [reader.led.colours for reader in hardware.readers.values() if reader.led is not None]
    return BoardFacts(
        protocols=protocols | {ControllerProtocol.OFF},
        ports={name: port for port in ports for name in (port, hardware.alias(port))},
        readers={name: reader for reader in hardware.readers for name in (reader, hardware.alias(reader))},
        colours=frozenset({Colour.OFF}).union(*lights),
    )
