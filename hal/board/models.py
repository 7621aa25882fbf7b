"""What can be soldered to a board: one frozen model per kind of bus and per `compatible`.

Limits stand at the declaration, units in the names. `active` is the level at which a thing is on;
lines are written `BUS:NUMBER`, where the bus is a GPIO chip or a port expander of the same board.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from hal.board.fields import (
    Channel,
    Debounce,
    Device,
    LampColour,
    Level,
    Line,
    Milliseconds,
    ModelName,
    Name,
    Ohm,
    PullName,
    Volt,
    Words,
    read_between,
    read_list,
)
from hal.board.sensing import IlluminationNode, IrCutNode, Lis3dhNode, Opt3001Node
from hal.board.soldered import Frozen, Soldered
from hal.board.sound import AudioInNode, AudioOutNode
from hal.types import Colour, LineRef, Pull


class Product(Frozen):
    """What the board is sold as; `require` names the services without which it must not start.

    `hardware_revision` is what firmware bundles ask for when they are not for every revision.
    """

    name: Words
    model: ModelName
    hardware_revision: int = Field(1, ge=1, le=9999)
    require: Annotated[tuple[Name, ...], BeforeValidator(read_list)] = ()


class GpioBus(Frozen):
    """A GPIO chip by its device file; `size` lines, numbered from 0, are led out to the board."""

    kind: Literal["gpio"]
    chip: Device
    size: int = Field(28, ge=1, le=512)

    @property
    def lines(self) -> tuple[LineRef, ...]:
        """A chip offers lines and takes none."""
        return ()

    @property
    def path(self) -> str:
        """The device file."""
        return self.chip


class I2cBus(Frozen):
    """An I2C controller; `lines` are the GPIO lines it takes for itself."""

    kind: Literal["i2c"]
    device: Device
    lines: Annotated[tuple[Line, ...], BeforeValidator(read_list)] = ()

    @property
    def path(self) -> str:
        """The device file."""
        return self.device


class UartBus(Frozen):
    """A serial port, as RS-485 where a transceiver follows it; `lines` are the GPIO lines it takes for itself."""

    kind: Literal["uart"]
    device: Device
    rs485: bool = False
    lines: Annotated[tuple[Line, ...], BeforeValidator(read_list)] = ()

    @property
    def path(self) -> str:
        """The device file."""
        return self.device


class CsiBus(Frozen):
    """A connector for an image sensor on a ribbon; `port` counts the sensors as libcamera does, from 0."""

    kind: Literal["csi"]
    port: int = Field(0, ge=0, le=3)

    @property
    def lines(self) -> tuple[LineRef, ...]:
        """A ribbon has lines of its own."""
        return ()

    @property
    def path(self) -> str:
        """The port, which is no file."""
        return f"csi:{self.port}"


class VideoBus(Frozen):
    """A camera with a driver of its own, such as one on USB, by its device file."""

    kind: Literal["video"]
    device: Device

    @property
    def lines(self) -> tuple[LineRef, ...]:
        """It takes no line."""
        return ()

    @property
    def path(self) -> str:
        """The device file."""
        return self.device


class ButtonNode(Soldered):
    """A push button to ground or to supply."""

    kind: ClassVar[str] = "button"
    line_fields: ClassVar[tuple[str, ...]] = ("line",)

    compatible: Literal["button"]
    line: Line
    active: Level = "low"
    pull: PullName = Pull.UP
    debounce_ms: Debounce = 20


class LedNode(Soldered):
    """A lamp of one colour."""

    kind: ClassVar[str] = "led"
    line_fields: ClassVar[tuple[str, ...]] = ("line",)

    compatible: Literal["led"]
    line: Line
    colour: LampColour = Colour.GREEN
    active: Level = "high"


class BicolourLedNode(Soldered):
    """A lamp of red and green; both together are amber."""

    kind: ClassVar[str] = "led"
    line_fields: ClassVar[tuple[str, ...]] = ("red", "green")
    group_fields: ClassVar[tuple[tuple[str, ...], ...]] = (("red", "green"),)

    compatible: Literal["bicolour-led"]
    red: Line
    green: Line
    active: Level = "high"


class RgbLedNode(Soldered):
    """A lamp of red, green and blue."""

    kind: ClassVar[str] = "led"
    line_fields: ClassVar[tuple[str, ...]] = ("red", "green", "blue")
    group_fields: ClassVar[tuple[tuple[str, ...], ...]] = (("red", "green", "blue"),)

    compatible: Literal["rgb-led"]
    red: Line
    green: Line
    blue: Line
    active: Level = "high"


class RelayNode(Soldered):
    """A relay that moves a strike: off by itself after `max_on_s`; `readback` watches its contact."""

    kind: ClassVar[str] = "relay"
    line_fields: ClassVar[tuple[str, ...]] = ("line", "readback")

    compatible: Literal["relay"]
    line: Line
    active: Level = "high"
    max_on_s: float = Field(60.0, ge=0.1, le=3600)
    readback: Line | None = None
    readback_active: Level = "high"


class DigitalOutputNode(Soldered):
    """A plain output."""

    kind: ClassVar[str] = "output"
    line_fields: ClassVar[tuple[str, ...]] = ("line",)

    compatible: Literal["digital-output"]
    line: Line
    active: Level = "high"


class DigitalInputNode(Soldered):
    """A plain contact; `active` is the level of a closed circuit."""

    kind: ClassVar[str] = "input"
    line_fields: ClassVar[tuple[str, ...]] = ("line",)

    compatible: Literal["digital-input"]
    line: Line
    active: Level = "low"
    pull: PullName = Pull.UP
    debounce_ms: Debounce = 10


class Supervised(Soldered):
    """The measuring side of a loop with end-of-line resistors.

    One `eol_ohm` in series and one parallel to the contact: closed reads `eol_ohm`, open twice that,
    cut infinite, short 0. The converter sees `supply_v` through `pullup_ohm`, divided by the loop.
    """

    eol_ohm: Ohm = 4700
    pullup_ohm: Ohm = 10_000
    supply_v: Volt = 3.3
    poll_ms: Milliseconds = 20


class SupervisedInputNode(Supervised):
    """A contact behind end-of-line resistors."""

    kind: ClassVar[str] = "input"
    channel_fields: ClassVar[tuple[str, ...]] = ("adc",)

    compatible: Literal["supervised-input"]
    adc: Channel


class IoPortNode(Supervised):
    """A terminal: `output` drives an open-drain transistor (high closes the circuit to ground), `adc` or `input` reads.

    Configurable where it has both directions; supervised where it reads through a converter.
    """

    kind: ClassVar[str] = "port"
    line_fields: ClassVar[tuple[str, ...]] = ("output", "input")
    channel_fields: ClassVar[tuple[str, ...]] = ("adc",)

    compatible: Literal["io-port"]
    output: Line | None = None
    input: Line | None = None
    adc: Channel | None = None

    @model_validator(mode="after")
    def _one_way_to_read(self) -> Self:
        if self.adc is not None and self.input is not None:
            raise ValueError("a terminal reads through adc or through input, not both")
        if self.output is None and self.adc is None and self.input is None:
            raise ValueError("a terminal needs output, input or adc")
        return self


class Ads1115Node(Soldered):
    """A four-channel analogue converter on I2C."""

    kind: ClassVar[str] = "adc"
    offers: ClassVar[int] = 4

    compatible: Literal["ads1115"]
    bus: Name
    address: Annotated[int, read_between(0x48, 0x4B)] = 0x48


class Mcp23017Node(Soldered):
    """A port expander of sixteen lines on I2C; without `interrupt` its inputs are polled."""

    kind: ClassVar[str] = "expander"
    line_fields: ClassVar[tuple[str, ...]] = ("interrupt",)
    offers: ClassVar[int] = 16

    compatible: Literal["mcp23017"]
    bus: Name
    address: Annotated[int, read_between(0x20, 0x27)] = 0x20
    interrupt: Line | None = None
    poll_ms: Milliseconds = 10


class WiegandReaderNode(Soldered):
    """A card reader on two data lines, with its lamp and beeper; a frame ends after `idle_ms` of silence.

    Card frames have `min_bits` to `max_bits` bits; frames of 4 and 8 bits are keys where there is a keypad.
    """

    kind: ClassVar[str] = "reader"
    line_fields: ClassVar[tuple[str, ...]] = ("d0", "d1", "led_red", "led_green", "beeper")
    group_fields: ClassVar[tuple[tuple[str, ...], ...]] = (("d0", "d1"), ("led_red", "led_green"))

    compatible: Literal["wiegand-reader"]
    d0: Line
    d1: Line
    led_red: Line | None = None
    led_green: Line | None = None
    beeper: Line | None = None
    led_active: Level = "low"
    idle_ms: int = Field(25, ge=20, le=100)
    keypad: bool = True
    min_bits: int = Field(24, ge=9, le=256)
    max_bits: int = Field(256, ge=9, le=256)

    @model_validator(mode="after")
    def _bits_are_a_range(self) -> Self:
        if self.min_bits > self.max_bits:
            raise ValueError(f"min_bits {self.min_bits} is above max_bits {self.max_bits}")
        return self


class WiegandOutNode(Soldered):
    """Two data lines to somebody's controller, each through a transistor; we are its reader.

    `active` is the level of the processor's line that pulls the data line low: the level of a pulse. At the other
    level the transistor lets go and the data line is idle, pulled to 5 V by the controller.
    """

    kind: ClassVar[str] = "wiegand_out"
    line_fields: ClassVar[tuple[str, ...]] = ("d0", "d1")
    group_fields: ClassVar[tuple[tuple[str, ...], ...]] = (("d0", "d1"),)

    compatible: Literal["wiegand-out"]
    d0: Line
    d1: Line
    active: Level = "high"


class CardModuleNode(Soldered):
    """A built-in reader of chips on a serial port of its own (hal/drivers/card_lines.py says how it talks)."""

    kind: ClassVar[str] = "reader"

    compatible: Literal["card-module"]
    bus: Name
    keypad: bool = True


class OsdpReaderNode(Soldered):
    """A card reader on a serial bus that speaks OSDP to us, its panel; several may share a bus.

    Its address, rate and keys are parameters, because they are not soldered.
    """

    kind: ClassVar[str] = "reader"

    compatible: Literal["osdp-reader"]
    bus: Name
    keypad: bool = True
    led: bool = True
    beeper: bool = True


class OsdpPortNode(Soldered):
    """A serial bus on which we are the reader of somebody's panel."""

    kind: ClassVar[str] = "panel"

    compatible: Literal["osdp-port"]
    bus: Name


class CameraNode(Soldered):
    """A camera on a bus of kind csi or video; `width`, `height` and `fps` are the most it delivers.

    The media role opens it; size, rate and settings in use are parameters.
    """

    kind: ClassVar[str] = "camera"

    compatible: Literal["camera"]
    bus: Name
    width: int = Field(1920, ge=64, le=8192, multiple_of=2)
    height: int = Field(1080, ge=48, le=8192, multiple_of=2)
    fps: int = Field(30, ge=1, le=240)


Bus = GpioBus | I2cBus | UartBus | CsiBus | VideoBus
Node = (
    ButtonNode
    | LedNode
    | BicolourLedNode
    | RgbLedNode
    | RelayNode
    | DigitalOutputNode
    | DigitalInputNode
    | SupervisedInputNode
    | IoPortNode
    | Ads1115Node
    | Mcp23017Node
    | WiegandOutNode
    | WiegandReaderNode
    | CardModuleNode
    | OsdpReaderNode
    | OsdpPortNode
    | AudioInNode
    | AudioOutNode
    | CameraNode
    | IlluminationNode
    | IrCutNode
    | Lis3dhNode
    | Opt3001Node
)

BUSES: dict[str, type[Bus]] = {"gpio": GpioBus, "i2c": I2cBus, "uart": UartBus, "csi": CsiBus, "video": VideoBus}
NODES: dict[str, type[Node]] = {
    "ads1115": Ads1115Node,
    "audio-in": AudioInNode,
    "audio-out": AudioOutNode,
    "bicolour-led": BicolourLedNode,
    "button": ButtonNode,
    "camera": CameraNode,
    "card-module": CardModuleNode,
    "digital-input": DigitalInputNode,
    "digital-output": DigitalOutputNode,
    "illumination": IlluminationNode,
    "io-port": IoPortNode,
    "ir-cut": IrCutNode,
    "led": LedNode,
    "lis3dh": Lis3dhNode,
    "mcp23017": Mcp23017Node,
    "opt3001": Opt3001Node,
    "osdp-port": OsdpPortNode,
    "osdp-reader": OsdpReaderNode,
    "relay": RelayNode,
    "rgb-led": RgbLedNode,
    "supervised-input": SupervisedInputNode,
    "wiegand-out": WiegandOutNode,
    "wiegand-reader": WiegandReaderNode,
}
