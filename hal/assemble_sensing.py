"""The part of `hal.assemble` that opens what a board feels, sees and hears by: shocks, light, the filter before the
lens, the lines around a microphone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

from hal.assemble_opened import Opened
from hal.board.sensing import IlluminationNode, IrCutNode, Lis3dhNode, Opt3001Node
from hal.board.sound import AudioInNode
from hal.clock import Clock
from hal.drivers.button import PushButton
from hal.drivers.digital import DigitalOutput
from hal.drivers.input_lines import AudioInputLines, Choice
from hal.drivers.ir_cut import HeldFilter, PulsedFilter
from hal.drivers.lis3dh import Lis3dh
from hal.drivers.opt3001 import Opt3001
from hal.sounds import InputType, PowerType
from hal.types import LineRef
from hal.wires import Gpio, I2c, OutputLines

SensingNode = Lis3dhNode | Opt3001Node | IrCutNode | IlluminationNode | AudioInNode


class SensingAssembly:
    """Opens the nodes of this kind, one after the other, with the lines and buses it is handed."""

    def __init__(
        self,
        opened: Opened,
        clock: Clock,
        place: Callable[[LineRef], Awaitable[tuple[Gpio, int]]],
        controller: Callable[[str], Awaitable[I2c]],
    ) -> None:
        self._opened = opened
        self._clock = clock
        self._place = place
        self._controller = controller
        self.accelerometers: dict[str, Lis3dh] = {}
        self.light_sensors: dict[str, Opt3001] = {}
        self.cut_filters: dict[str, HeldFilter | PulsedFilter] = {}
        self.illuminations: dict[str, DigitalOutput] = {}
        self.microphone_lines: dict[str, AudioInputLines] = {}

    async def open(self, name: str, node: SensingNode) -> None:
        """Open the driver of one node. Raises HalError."""
        match node:
            case Lis3dhNode():
                await self._accelerometer(name, node)
            case Opt3001Node():
                sensor = Opt3001(name, await self._controller(node.bus), node.address, self._clock)
                self._opened.listening(name, sensor)
                self._opened.work.append(sensor.run)
                self.light_sensors[name] = sensor
            case IrCutNode():
                await self._cut_filter(name, node)
            case IlluminationNode():
                self.illuminations[name] = await self._switch(name, node.line, active_high=node.active == "high")
            case AudioInNode():
                await self._microphone(name, node)

    async def _accelerometer(self, name: str, node: Lis3dhNode) -> None:
        interrupt = None if node.interrupt is None else await self._place(node.interrupt)
        i2c = await self._controller(node.bus)
        sensor = await Lis3dh.open(
            name, i2c, node.address, self._clock, interrupt=interrupt, poll_s=node.poll_ms / 1000
        )
        self._opened.listening(name, sensor)
        self._opened.work.append(sensor.run)
        self.accelerometers[name] = sensor

    async def _cut_filter(self, name: str, node: IrCutNode) -> None:
        active_high = node.active == "high"
        if node.line is not None:
            self.cut_filters[name] = HeldFilter(await self._switch(name, node.line, active_high=active_high))
            return
        assert node.before is not None
        assert node.away is not None
        gpio, before = await self._place(node.before)
        cut_filter = await PulsedFilter.open(
            name,
            gpio,
            before,
            node.away.offset,
            self._clock,
            active_high=active_high,
            pulse_s=node.pulse_ms / 1000,
        )
        self._opened.driving(name, cut_filter)
        self.cut_filters[name] = cut_filter

    async def _microphone(self, name: str, node: AudioInNode) -> None:
        """The lines around it, where there are any; its card is opened in another process."""
        if not node.has_lines:
            return
        async with AsyncExitStack() as undo:
            types, powers = tuple(map(InputType, node.input_types)), tuple(map(PowerType, node.power_types))
            inputs = Choice(name, "input type", types, await self._line(name, node.select))
            undo.callback(inputs.close)
            powered = Choice(name, "power type", powers, await self._line(name, node.power))
            undo.callback(powered.close)
            switch = None
            if node.disable is not None:
                gpio, offset = await self._place(node.disable)
                high, pull = node.disable_active == "high", node.disable_pull
                switch = await PushButton.open(name, gpio, offset, self._clock, active_high=high, pull=pull)
            undo.pop_all()
        lines = AudioInputLines(name, inputs, powered, switch)
        self._opened.driving(name, lines)
        self.microphone_lines[name] = lines

    async def _line(self, name: str, line: LineRef | None) -> OutputLines | None:
        if line is None:
            return None
        gpio, offset = await self._place(line)
        return await gpio.outputs(name, [offset], initial=[False])

    async def _switch(self, name: str, line: LineRef, *, active_high: bool) -> DigitalOutput:
        gpio, offset = await self._place(line)
        output = await DigitalOutput.open(name, gpio, offset, self._clock, active_high=active_high)
        self._opened.driving(name, output)
        return output
