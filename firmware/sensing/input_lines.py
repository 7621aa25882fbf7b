"""Service `input_lines`: the lines around microphones, moved as the audio room wants them, and their switch told.

The sound cards belong to media, which must touch no line; it says in `InputState` what it wants of an input. A
microphone that nobody listens to is not fed.
"""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from firmware.core.context import Core
from firmware.core.events import Operation
from firmware.core.vocabulary.audio import InputLinesState, InputState
from hal.ports import Hardware, InputChange, MicrophoneLines


class InputLinesService:
    """Follows `InputState`; publishes `InputLinesState`."""

    name: ClassVar[str] = "input_lines"
    vital: ClassVar[bool] = False
    needs: ClassVar[frozenset[str]] = frozenset({"microphone"})

    def __init__(self, core: Core, hardware: Hardware) -> None:
        self._core = core
        self._lines = dict(hardware.microphone_lines)

    async def start(self) -> None:
        """Move what has to be moved, and say how the switches stand. Raises BusError."""
        for node, lines in self._lines.items():
            lines.watch(partial(self._thrown, node))
            self._follow(node, self._core.bus.state(InputState, node))

    async def run(self) -> None:
        """Follow what is wanted until cancelled. Raises BusError."""
        with self._core.bus.subscribe(InputState) as notices:
            async for notice in notices:
                if isinstance(notice.event, InputState) and notice.event.input in self._lines:
                    wanted = None if notice.operation is Operation.DELETED else notice.event
                    self._follow(notice.event.input, wanted, notice.event.id)

    async def stop(self) -> None:
        """Feed no microphone; nobody says any more how a switch stands, so nobody hears anything."""
        for node, lines in self._lines.items():
            lines.watch(None)
            self._core.bus.forget(InputLinesState, node)
        for lines in self._lines.values():  # after that: a line that cannot be driven keeps no ear open
            _choose(lines, None)

    def _follow(self, node: str, wanted: InputState | None, cause: str | None = None) -> None:
        _choose(self._lines[node], wanted)
        self._publish(node, cause)

    def _thrown(self, node: str, _change: InputChange) -> None:
        self._publish(node)

    def _publish(self, node: str, cause: str | None = None) -> None:
        lines = self._lines[node]
        state = InputLinesState(
            input=node, switched_off=lines.switched_off, input_type=lines.input_type, power_type=lines.power_type
        )
        self._core.bus.publish(state, cause=cause)


def _choose(lines: MicrophoneLines, wanted: InputState | None) -> None:
    """What the input wants while its card is there, else what the board begins with."""
    there = wanted is not None and wanted.present
    input_type = wanted.input_type if wanted is not None and there else lines.input_types[0]
    power_type = wanted.power_type if wanted is not None and there else lines.power_types[0]
    if lines.input_type is not input_type:
        lines.set_input_type(input_type)
    if lines.power_type is not power_type:
        lines.set_power_type(power_type)
