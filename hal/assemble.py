"""Board and wires in, named ports out: opens the driver of every node, and closes all of them safely.

Only what the board needs is opened; cards and cameras are not: another process opens them (`hal.assemble_sound`,
`hal.assemble_cameras`), and of a microphone only the lines around it are here. Chips come first, then whatever drives
something, then whatever listens; closing makes every output safe before anything else is given back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from hal.assemble_opened import Opened
from hal.assemble_sensing import SensingAssembly
from hal.assemble_serial import SerialAssembly
from hal.board import (
    Ads1115Node,
    AudioInNode,
    AudioOutNode,
    BicolourLedNode,
    Board,
    ButtonNode,
    CameraNode,
    CardModuleNode,
    DigitalInputNode,
    DigitalOutputNode,
    IoPortNode,
    LedNode,
    Mcp23017Node,
    Node,
    OsdpPortNode,
    OsdpReaderNode,
    RelayNode,
    RgbLedNode,
    SupervisedInputNode,
    WiegandOutNode,
    WiegandReaderNode,
)
from hal.board.sensing import IlluminationNode, IrCutNode, Lis3dhNode, Opt3001Node
from hal.clock import Clock
from hal.drivers.ads1115 import Ads1115
from hal.drivers.button import PushButton
from hal.drivers.digital import DigitalInput, DigitalOutput, Readback, Relay
from hal.drivers.light import Light
from hal.drivers.loop import SupervisedLoop
from hal.drivers.mcp23017 import Mcp23017
from hal.drivers.terminal import IoTerminal
from hal.drivers.wiegand import WiegandReader
from hal.drivers.wiegand_out import WiegandOutput
from hal.errors import HalError
from hal.ports import CardReader, Hardware
from hal.types import Colour, LineRef
from hal.wires import AnalogIn, Gpio, I2c, Wires

# Drivers first by what they do to the world: what moves a strike is brought to its safe level before the rest.
ORDER = (
    "expander",
    "adc",
    "relay",
    "output",
    "port",
    "wiegand_out",
    "led",
    "reader",
    "panel",
    "input",
    "button",
    "camera",
    "illumination",
    "ir_cut",
    "accelerometer",
    "light_sensor",
    "microphone",
    "speaker",
)

# Full scale of a converter, in volts: the smaller one is finer, the larger one is for loops on a 5 V supply.
FINE_V, WIDE_V = 4.096, 6.144


class Assembled:
    """The hardware of a board, and its life. The wires stay their owner's to close."""

    def __init__(self, hardware: Hardware, opened: Opened) -> None:
        self.hardware = hardware
        self._opened = opened

    async def run(self) -> None:
        """Let the drivers work that must ask their wires; ends only by cancellation or a driver's crash."""
        async with asyncio.TaskGroup() as group:
            for work in self._opened.work:
                group.create_task(work())
            await asyncio.get_running_loop().create_future()

    async def close(self) -> None:
        """Make every output safe, then close the rest, the last opened first; closing twice is harmless."""
        await self._opened.close()


async def assemble(board: Board, wires: Wires, clock: Clock) -> Assembled:
    """Open every node of the board but cards and cameras.

    Raises BoardError, BusError, DeviceError with the name of the node; then nothing stays open.
    """
    assembly = _Assembly(board, wires, clock)
    try:
        for name, node in sorted(board.nodes.items(), key=lambda item: ORDER.index(item[1].kind)):
            with named(name):
                await assembly.open(name, node)
    except BaseException:
        await assembly.opened.close()
        raise
    return Assembled(assembly.hardware(), assembly.opened)


@contextmanager
def named(node: str) -> Iterator[None]:
    """Errors of the wires name the wire; here they get the name of the node too."""
    try:
        yield
    except HalError as error:
        if error.where.split(".")[0] == node:
            raise
        raise type(error)(node, str(error)) from error


class _Assembly:
    """One pass over the nodes of a board, chips before those who use them."""

    def __init__(self, board: Board, wires: Wires, clock: Clock) -> None:
        self.opened = Opened()
        self._board = board
        self._wires = wires
        self._clock = clock
        self._chips: dict[str, Gpio] = {}
        self._controllers: dict[str, I2c] = {}
        self._converters: dict[str, AnalogIn] = {}
        self._relays: dict[str, Relay] = {}
        self._outputs: dict[str, DigitalOutput] = {}
        self._inputs: dict[str, DigitalInput | SupervisedLoop] = {}
        self._buttons: dict[str, PushButton] = {}
        self._leds: dict[str, Light] = {}
        self._readers: dict[str, CardReader] = {}
        self._terminals: dict[str, IoTerminal] = {}
        self._wiegand_outs: dict[str, WiegandOutput] = {}
        self._serial = SerialAssembly(self.opened, wires, clock, self._readers)
        self._sensing = SensingAssembly(self.opened, clock, self._place, self._controller)

    def hardware(self) -> Hardware:
        """The ports opened so far."""
        return Hardware(
            relays=self._relays,
            outputs=self._outputs,
            inputs=self._inputs,
            buttons=self._buttons,
            leds=self._leds,
            readers=self._readers,
            terminals=self._terminals,
            aliases=self._board.aliases,
            chip_readers=self._serial.chip_readers,
            wiegand_outs=self._wiegand_outs,
            serial_readers=self._serial.serial_readers,
            panels=self._serial.panels,
            accelerometers=self._sensing.accelerometers,
            light_sensors=self._sensing.light_sensors,
            cut_filters=self._sensing.cut_filters,
            illuminations=self._sensing.illuminations,
            microphone_lines=self._sensing.microphone_lines,
        )

    async def open(self, name: str, node: Node) -> None:
        """Open the driver of one node. Raises HalError."""
        match node:
            case Mcp23017Node():
                await self._expander(name, node)
            case Ads1115Node():
                await self._converter(name, node)
            case RelayNode():
                await self._relay(name, node)
            case DigitalOutputNode():
                await self._output(name, node)
            case IoPortNode():
                await self._terminal(name, node)
            case LedNode() | BicolourLedNode() | RgbLedNode():
                self._leds[name] = await self._light(name, lamps_of(node), active_high=node.active == "high")
            case WiegandReaderNode():
                await self._reader(name, node)
            case WiegandOutNode():
                await self._wiegand_out(name, node)
            case CardModuleNode() | OsdpReaderNode() | OsdpPortNode():
                await self._serial.open(name, node)
            case DigitalInputNode():
                await self._contact(name, node)
            case SupervisedInputNode():
                await self._loop(name, node)
            case ButtonNode():
                await self._button(name, node)
            case Lis3dhNode() | Opt3001Node() | IrCutNode() | IlluminationNode() | AudioInNode():
                await self._sensing.open(name, node)
            case CameraNode() | AudioOutNode():
                return  # the media role's: hal.assemble_cameras, hal.assemble_sound

    async def _expander(self, name: str, node: Mcp23017Node) -> None:
        interrupt = await self._line(node.interrupt)
        i2c = await self._controller(node.bus)
        expander = await Mcp23017.open(
            name, i2c, node.address, self._clock, interrupt=interrupt, poll_s=node.poll_ms / 1000
        )
        self.opened.expander(name, expander)
        self.opened.work.append(expander.run)
        self._chips[name] = expander

    async def _converter(self, name: str, node: Ads1115Node) -> None:
        highest_v = max(
            (
                user.supply_v
                for user in self._board.nodes.values()
                if isinstance(user, SupervisedInputNode | IoPortNode) and user.adc is not None and user.adc.bus == name
            ),
            default=0.0,
        )
        i2c = await self._controller(node.bus)
        full_scale_v = FINE_V if highest_v <= FINE_V else WIDE_V
        adc = await Ads1115.open(name, i2c, node.address, self._clock, full_scale_v=full_scale_v)
        self.opened.listening(name, adc)
        self._converters[name] = adc

    async def _relay(self, name: str, node: RelayNode) -> None:
        gpio, offset = await self._place(node.line)
        readback = None
        if node.readback is not None:
            readback = Readback(*await self._place(node.readback), active_high=node.readback_active == "high")
        relay = await Relay.open(
            name,
            gpio,
            offset,
            self._clock,
            active_high=node.active == "high",
            max_on_s=node.max_on_s,
            readback=readback,
        )
        self.opened.driving(name, relay)
        self._relays[name] = relay

    async def _output(self, name: str, node: DigitalOutputNode) -> None:
        self._outputs[name] = await self._switch(name, node.line, active_high=node.active == "high")

    async def _switch(self, name: str, line: LineRef, *, active_high: bool) -> DigitalOutput:
        gpio, offset = await self._place(line)
        output = await DigitalOutput.open(name, gpio, offset, self._clock, active_high=active_high)
        self.opened.driving(name, output)
        return output

    async def _terminal(self, name: str, node: IoPortNode) -> None:
        terminal = await IoTerminal.open(
            name,
            self._clock,
            output=await self._line(node.output),
            input=await self._line(node.input),
            adc=None if node.adc is None else (self._converters[node.adc.bus], node.adc.offset),
            eol_ohm=node.eol_ohm,
            pullup_ohm=node.pullup_ohm,
            supply_v=node.supply_v,
            poll_s=node.poll_ms / 1000,
        )
        self.opened.driving(name, terminal)
        self.opened.work.append(terminal.run)
        self._terminals[name] = terminal

    async def _light(self, name: str, lamps: Mapping[Colour, LineRef], *, active_high: bool) -> Light:
        gpio, _ = await self._place(next(iter(lamps.values())))
        channels = {colour: line.offset for colour, line in lamps.items()}
        light = await Light.open(name, gpio, channels, self._clock, active_high=active_high)
        self.opened.driving(name, light)
        return light

    async def _reader(self, name: str, node: WiegandReaderNode) -> None:
        active_high = node.led_active == "high"
        lamps = {
            colour: line
            for colour, line in ((Colour.RED, node.led_red), (Colour.GREEN, node.led_green))
            if line is not None
        }
        led = await self._light(f"{name}.led", lamps, active_high=active_high) if lamps else None
        beeper = None
        if node.beeper is not None:
            beeper = await self._switch(f"{name}.beeper", node.beeper, active_high=active_high)
        gpio, d0 = await self._place(node.d0)
        reader = await WiegandReader.open(
            name,
            gpio,
            d0,
            node.d1.offset,
            self._clock,
            led=led,
            beeper=beeper,
            idle_s=node.idle_ms / 1000,
            min_bits=node.min_bits,
            max_bits=node.max_bits,
            keypad=node.keypad,
        )
        self.opened.listening(name, reader)
        self._readers[name] = reader

    async def _wiegand_out(self, name: str, node: WiegandOutNode) -> None:
        pulses = await self._wires.pulses(
            node.d0.bus, name, node.d0.offset, node.d1.offset, active_high=node.active == "high"
        )
        output = WiegandOutput(name, pulses, self._clock)
        self.opened.driving(name, output)
        self.opened.work.append(output.run)
        self._wiegand_outs[name] = output

    async def _contact(self, name: str, node: DigitalInputNode) -> None:
        gpio, offset = await self._place(node.line)
        contact = await DigitalInput.open(
            name,
            gpio,
            offset,
            self._clock,
            closed_high=node.active == "high",
            pull=node.pull,
            debounce_s=node.debounce_ms / 1000,
        )
        self.opened.listening(name, contact)
        self._inputs[name] = contact

    async def _loop(self, name: str, node: SupervisedInputNode) -> None:
        loop = await SupervisedLoop.open(
            name,
            self._converters[node.adc.bus],
            node.adc.offset,
            self._clock,
            eol_ohm=node.eol_ohm,
            pullup_ohm=node.pullup_ohm,
            supply_v=node.supply_v,
            poll_s=node.poll_ms / 1000,
        )
        self.opened.listening(name, loop)
        self.opened.work.append(loop.run)
        self._inputs[name] = loop

    async def _button(self, name: str, node: ButtonNode) -> None:
        gpio, offset = await self._place(node.line)
        button = await PushButton.open(
            name,
            gpio,
            offset,
            self._clock,
            active_high=node.active == "high",
            pull=node.pull,
            debounce_s=node.debounce_ms / 1000,
        )
        self.opened.listening(name, button)
        self._buttons[name] = button

    async def _place(self, line: LineRef) -> tuple[Gpio, int]:
        if line.bus not in self._chips:
            self._chips[line.bus] = await self._wires.gpio(line.bus)
        return self._chips[line.bus], line.offset

    async def _line(self, line: LineRef | None) -> tuple[Gpio, int] | None:
        return None if line is None else await self._place(line)

    async def _controller(self, bus: str) -> I2c:
        if bus not in self._controllers:
            self._controllers[bus] = await self._wires.i2c(bus)
        return self._controllers[bus]


def lamps_of(node: LedNode | BicolourLedNode | RgbLedNode) -> dict[Colour, LineRef]:
    """The lamps of a light by their colour."""
    match node:
        case LedNode():
            return {node.colour: node.line}
        case BicolourLedNode():
            return {Colour.RED: node.red, Colour.GREEN: node.green}
        case RgbLedNode():
            return {Colour.RED: node.red, Colour.GREEN: node.green, Colour.BLUE: node.blue}
