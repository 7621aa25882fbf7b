"""A door controller on two wires: cards and keys as Wiegand frames, its light and beeper lines as I/O ports.

The wires have no answer (hardening row 8): whoever taps them reads, replays and makes cards. See docs/controller.md.
"""

from __future__ import annotations

import asyncio
from typing import ClassVar

from firmware.controller.colours import colour_of
from firmware.controller.deciding import preferred
from firmware.controller.face import Said, Stands
from firmware.controller.feedback import Feedback
from firmware.controller.settings import ControllerParams
from firmware.core.bus import Bus
from firmware.core.cards.keypress import key_frame, pin_frames
from firmware.core.cards.output import encode_card
from firmware.core.events import Operation
from firmware.core.vocabulary.controller import (
    ControllerPhase,
    ControllerProtocol,
    ControllerRisk,
    ControllerWarning,
    ForwardParams,
    Verdict,
)
from firmware.core.vocabulary.io import PortState
from hal.errors import HalError
from hal.ports import WiegandOut
from hal.types import Direction, Pattern


def frames_of(question: ForwardParams, params: ControllerParams) -> tuple[str, ...]:
    """The frames of a credential, card first. Raises ValueError for what would arrive as something else.

    A single key goes out as it is pressed; in a format that sends whole PINs it makes no frame.
    """
    frames: list[str] = []
    if question.bits:
        frames.append(encode_card(question.bits, preferred(question), params.output()).bits)
    if question.key and params.keypress_format.layout is None:
        frames.append(key_frame(question.key, params.keypress_format))
    if question.pin:
        frames += pin_frames(question.pin, params.keypress_format, params.keypress_facility_code)
        if params.pin_end_key and params.keypress_format.layout is None:
            frames.append(key_frame(params.pin_end_key, params.keypress_format))
    return tuple(frames)


class WiegandController:
    """Sends frames and follows the I/O ports that the controller drives."""

    protocol: ClassVar[ControllerProtocol] = ControllerProtocol.WIEGAND

    def __init__(self, bus: Bus, port: WiegandOut, feedback: Feedback, stands: Stands) -> None:
        self._bus = bus
        self._port = port
        self._feedback = feedback
        self._stands = stands
        self._params = ControllerParams()
        self._states: dict[str, PortState] = {}
        self._sending = asyncio.Lock()

    async def open(self, params: ControllerParams) -> None:
        """Take the parameters; the wires are idle until the first frame."""
        await self.apply(params)

    async def apply(self, params: ControllerParams) -> None:
        """Send and show by these parameters from now on."""
        self._params = params
        try:
            self._port.set_timing(params.timing())
        except HalError as error:
            self._stands(ControllerPhase.LOST, str(error))
        else:
            self._stands(ControllerPhase.CONNECTED, "")
        self._show()

    async def run(self) -> None:
        """Follow the I/O ports until cancelled."""
        with self._bus.subscribe(PortState) as changes:
            async for notice in changes:
                state = notice.event
                assert isinstance(state, PortState)
                if notice.operation is Operation.DELETED:
                    self._states.pop(state.port, None)
                else:
                    self._states[state.port] = state
                if state.port in self._params.inputs().values():
                    self._show()

    async def close(self) -> None:
        """Take the light and the beeper back."""
        self._bus.forget(ControllerWarning, ControllerRisk.INPUT.value)
        self._feedback.clear()

    async def ask(self, question: ForwardParams) -> Said:
        """Send a credential's frames in order, none of another one between them."""
        try:
            frames = frames_of(question, self._params)
        except ValueError as error:  # Unsendable, or a credential that no layout holds
            return Said(Verdict.DENIED, f"nothing was sent: {error}")
        if not frames:
            return Said(Verdict.OFF, "keys are sent as a whole PIN")
        try:
            async with self._sending:
                for frame in frames:
                    await self._port.send(frame)
        except HalError as error:
            self._stands(ControllerPhase.LOST, str(error))
            return Said(Verdict.LOST, str(error))
        self._stands(ControllerPhase.CONNECTED, "")
        return Said(Verdict.SENT)

    def _show(self) -> None:
        params = self._params
        active = {port: state.active for port, state in self._states.items() if state.direction is Direction.INPUT}
        self._feedback.show(Pattern.steady(colour_of(params, active)))
        self._feedback.beep(active.get(params.beeper_input, False))
        self._warn()

    def _warn(self) -> None:
        """Say which of the ports is used as an output, and so cannot be driven by the controller."""
        outputs = sorted(
            f"{name} {port!r}"
            for name, port in self._params.inputs().items()
            if port in self._states and self._states[port].direction is Direction.OUTPUT
        )
        if outputs:
            detail = f"{' and '.join(outputs)} is set as an output (parameter group ports)"
            self._bus.publish(ControllerWarning(risk=ControllerRisk.INPUT, detail=detail))
        else:
            self._bus.forget(ControllerWarning, ControllerRisk.INPUT.value)
