"""What a service sees of the hardware: named ports with polarity, limits and states already applied.

A port reports facts to one handler, on the event loop. `watch` replaces the handler.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from hal.errors import BusError
from hal.pictures import CameraMode, CameraSettings, CameraStatus, Frame
from hal.senses import Accelerometer, CutFilter, LightSensor
from hal.sounds import InputType, PowerType, SoundBlock, SoundLevel
from hal.types import (
    BusFrame,
    Colour,
    Direction,
    FoundPeer,
    LinkSettings,
    LinkStatus,
    LoopState,
    PanelFact,
    PanelKey,
    Pattern,
    PeerCondition,
    ReaderFact,
    SecureRead,
    SentFrame,
    WiegandOutStatus,
    WiegandTiming,
)


@dataclass(frozen=True, slots=True)
class InputChange:
    """A button became pressed (active) or released at `t_ns`."""

    t_ns: int
    active: bool


@dataclass(frozen=True, slots=True)
class LoopChange:
    """An input loop changed its state at `t_ns`."""

    t_ns: int
    state: LoopState


@dataclass(frozen=True, slots=True)
class OutputChange:
    """An output was switched at `t_ns`; `reason` is `command`, `longest on-time`, or `closing`."""

    t_ns: int
    on: bool
    reason: str


@dataclass(frozen=True, slots=True)
class OutputTrouble:
    """The readback of an output contradicts (`stuck` true) or again follows (false) its command."""

    t_ns: int
    stuck: bool
    commanded: bool


class Port(Protocol):
    """Anything with a node name."""

    @property
    def name(self) -> str:
        """The node's name in the board file."""


class Button(Port, Protocol):
    """A push button; gestures are made above, from these changes."""

    def pressed(self) -> bool:
        """Whether it is held down now."""

    def watch(self, handler: Callable[[InputChange], None] | None) -> None:
        """Report press (active) and release."""


class Loop(Port, Protocol):
    """An input loop, supervised where the board has end-of-line resistors."""

    @property
    def supervised(self) -> bool:
        """Whether cut and short can be told from open and closed."""

    def state(self) -> LoopState:
        """The loop's state now."""

    def watch(self, handler: Callable[[LoopChange], None] | None) -> None:
        """Report every change."""


class Output(Port, Protocol):
    """A digital output."""

    def on(self) -> None:
        """Switch on."""

    def off(self) -> None:
        """Switch off."""

    def is_on(self) -> bool:
        """What it was last told, after any cut-off."""

    def watch(self, handler: Callable[[OutputChange], None] | None) -> None:
        """Report every switch, whoever caused it."""


class Relay(Output, Protocol):
    """An output that moves a strike: never on longer than its limit, off at open and close."""

    @property
    def max_on_s(self) -> float:
        """The longest on-time in seconds; then the driver itself switches off."""

    def on_trouble(self, handler: Callable[[OutputTrouble], None] | None) -> None:
        """Report a contact that does not follow its command (hardening row 13)."""


class Led(Port, Protocol):
    """A light that shows patterns."""

    @property
    def colours(self) -> frozenset[Colour]:
        """What it can show, always with off."""

    def show(self, pattern: Pattern) -> None:
        """Start a pattern now, replacing the one before. Raises OutOfRange for a colour it lacks."""

    def shown(self) -> Pattern:
        """The pattern it was last told."""


class CardReader(Port, Protocol):
    """A reader of cards, perhaps with keypad, light and beeper."""

    @property
    def led(self) -> Led | None:
        """The reader's light."""

    @property
    def beeper(self) -> Output | None:
        """The reader's beeper."""

    def watch(self, handler: Callable[[ReaderFact], None] | None) -> None:
        """Report card bits, keys and discarded frames."""


class ChipReader(CardReader, Protocol):
    """A reader of chips: it tells type and serial number of a card, and data that it was asked to read."""

    def read_also(self, reads: Sequence[SecureRead]) -> None:
        """Read these from every card of their chip type, from now on. Raises OutOfRange for what it cannot."""


class SerialReader(CardReader, Protocol):
    """A reader on RS-485 that speaks OSDP; we are its panel. Off until `connect`."""

    @property
    def link(self) -> LinkStatus:
        """How the link stands now."""

    def connect(self, settings: LinkSettings) -> None:
        """Talk to the reader from now on with these settings. Raises OutOfRange for one the port cannot do."""

    def disconnect(self) -> None:
        """Stop talking."""

    def on_link(self, handler: Callable[[LinkStatus], None] | None) -> None:
        """Report every change of phase, reason or security at once, changed counts at most once a second."""

    def on_condition(self, handler: Callable[[PeerCondition], None] | None) -> None:
        """Report tamper, power, inputs and outputs when they change."""

    def on_frame(self, handler: Callable[[BusFrame], None] | None) -> None:
        """Report every frame of this reader, with keys masked; None stops it."""

    async def install(self, key: bytes) -> None:
        """Give a factory-fresh reader its first key, over the published install key, then use it.

        The caller has kept `key` already. Raises DeviceError when the reader refuses, NoReply when it is away.
        """

    async def set_key(self, key: bytes) -> None:
        """Give the reader a new key inside the secure channel that stands. Raises DeviceError, NoReply."""

    async def show_text(self, text: str, *, for_s: float = 0.0) -> None:
        """Show a text of at most 32 printable ASCII characters. Raises DeviceError, NoReply."""

    async def set_output(self, number: int, on: bool, *, for_s: float = 0.0) -> None:
        """Switch an output of the reader; `for_s` 0 is for good. Raises OutOfRange, DeviceError, NoReply."""

    async def find(self, addresses: Sequence[int], bauds: Sequence[int]) -> tuple[FoundPeer, ...]:
        """Ask every address at every rate who is there, while the link is off. Raises DeviceError while it is on."""


class PanelPort(Port, Protocol):
    """A serial port on which we are the reader of somebody's panel. Off until `serve`."""

    @property
    def link(self) -> LinkStatus:
        """How the link stands now."""

    def serve(self, settings: LinkSettings, *, install: bool = False) -> None:
        """Answer a panel from now on; `install` lets it set our first key over the published install key."""

    def stop(self) -> None:
        """Fall silent."""

    def on_link(self, handler: Callable[[LinkStatus], None] | None) -> None:
        """Report every change of phase, reason or security at once, changed counts at most once a second."""

    def on_frame(self, handler: Callable[[BusFrame], None] | None) -> None:
        """Report every frame, with keys masked; None stops it."""

    def on_key(self, handler: Callable[[PanelKey], Awaitable[bool]] | None) -> None:
        """Ask `handler` to keep a key that the panel sets; only when it answers true is the panel told so."""

    def watch(self, handler: Callable[[PanelFact], None] | None) -> None:
        """Report what the panel wants of light, buzzer, text, outputs, and where it has moved us."""

    def card(self, bits: str) -> None:
        """Report a card to the panel. Raises DeviceError when nobody listens or too much is waiting."""

    def keys(self, text: str) -> None:
        """Report keys (0-9 * #) to the panel. Raises DeviceError when nobody listens or too much is waiting."""

    def tamper(self, open: bool) -> None:
        """Say whether our housing is open."""


class WiegandOut(Port, Protocol):
    """Two data lines to somebody's controller, driven by a process of their own."""

    @property
    def timing(self) -> WiegandTiming:
        """How pulses are sent."""

    def set_timing(self, timing: WiegandTiming) -> None:
        """Send with this timing from the next frame on. Raises OutOfRange with value and valid range."""

    @property
    def status(self) -> WiegandOutStatus:
        """How it does: priority of its process, frames sent, broken off and failed."""

    async def send(self, bits: str) -> SentFrame:
        """Send 1 to 512 bits, after the frames that wait already.

        Raises OutOfRange for no such frame, DeviceError when too many wait, when the frame went wrong every time, or
        when the process that sends died: then nobody knows whether the controller has the frame.
        """


class Terminal(Port, Protocol):
    """A configurable I/O terminal (manual 001, I/O connector): input loop or open-drain output."""

    @property
    def configurable(self) -> bool:
        """Whether the direction can be changed."""

    @property
    def can_supervise(self) -> bool:
        """Whether end-of-line resistors can be measured."""

    @property
    def direction(self) -> Direction:
        """Which way it works now."""

    async def configure(self, direction: Direction, *, supervised: bool) -> None:
        """Turn the terminal round; an output starts open. Raises OutOfRange when the board cannot."""

    def circuit(self) -> LoopState:
        """The circuit at the terminal now; an output is closed when it is driven."""

    def close_circuit(self, closed: bool) -> None:
        """Drive an output closed (connected to ground) or open. Raises OutOfRange on an input."""

    def watch(self, handler: Callable[[LoopChange], None] | None) -> None:
        """Report every change of the circuit."""


class Sound(Port, Protocol):
    """What a speaker and a microphone have in common: a format, a gain, a mute and a level.

    Sound is bytes: whole frames of 16-bit little-endian samples, channels interleaved.
    """

    @property
    def rate_hz(self) -> int:
        """Frames per second."""

    @property
    def channels(self) -> int:
        """Samples per frame."""

    @property
    def gain_range_db(self) -> tuple[float, float]:
        """The lowest and the highest gain that the board allows."""

    @property
    def gain_db(self) -> float:
        """The gain now; it stays what it is while muted."""

    def set_gain(self, db: float) -> None:
        """Change the gain, by a ramp while sound goes through. Raises OutOfRange with value and limits."""

    @property
    def muted(self) -> bool:
        """Whether it was muted by `mute`."""

    def mute(self, muted: bool) -> None:
        """Silence it, or let it sound again, by a ramp while sound goes through."""

    @property
    def level(self) -> SoundLevel:
        """How loud the last block was, after gain and mute."""

    @property
    def clipped(self) -> int:
        """How many samples the gain has driven beyond full scale since opening."""


class Speaker(Sound, Protocol):
    """An audio output. One at a time plays: mixing is done above."""

    @property
    def underruns(self) -> int:
        """How often the card ran dry while it was playing."""

    async def play(self, samples: bytes) -> None:
        """Play whole frames after those before; the card paces the caller.

        Raises OutOfRange for half a frame, BusError when the card is gone.
        """

    async def drain(self) -> None:
        """Suspend until the card has taken everything. Raises BusError."""


class Microphone(Sound, Protocol):
    """An audio input; its blocks of 10 ms are the clock of whoever processes sound."""

    @property
    def silenced(self) -> bool:
        """Whether it hands over silence, whatever mute and gain say."""

    def silence(self, silenced: bool) -> None:
        """Hand over silence from now on, or sound again; at once, without a ramp."""

    def listen(self, handler: Callable[[SoundBlock], None] | None) -> None:
        """Call `handler` for every block from now on; None ends it."""

    def on_lost(self, handler: Callable[[BusError], None] | None) -> None:
        """Tell `handler` once when the card is gone."""


class MicrophoneLines(Port, Protocol):
    """The lines around an audio input: what is connected, how it is fed, and the microphone-disable switch."""

    @property
    def input_types(self) -> tuple[InputType, ...]:
        """What may be connected; the first is what it starts with."""

    @property
    def input_type(self) -> InputType:
        """What it is set to now."""

    def set_input_type(self, chosen: InputType) -> None:
        """Switch the input over. Raises OutOfRange for one the board lacks, BusError."""

    @property
    def power_types(self) -> tuple[PowerType, ...]:
        """How it can feed a microphone; the first is what it starts with."""

    @property
    def power_type(self) -> PowerType:
        """How it feeds a microphone now."""

    def set_power_type(self, chosen: PowerType) -> None:
        """Switch the feed over. Raises OutOfRange for one the board lacks, BusError."""

    @property
    def switched_off(self) -> bool:
        """Whether the microphone-disable switch is thrown: then nobody may hear anything (manual 002)."""

    def watch(self, handler: Callable[[InputChange], None] | None) -> None:
        """Report the switch: active is switched off. None ends it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundHardware:
    """The speakers and microphones of a board, by node name; made by `hal.assemble_sound`."""

    speakers: Mapping[str, Speaker]
    microphones: Mapping[str, Microphone]
    aliases: Mapping[str, str]


class Camera(Port, Protocol):
    """A camera. Off until `start`; from then on it comes back by itself whenever it was lost."""

    @property
    def largest(self) -> CameraMode:
        """The largest size and the highest rate the board's camera has."""

    @property
    def status(self) -> CameraStatus:
        """What it is doing now."""

    def start(self, mode: CameraMode, settings: CameraSettings) -> None:
        """Deliver frames from now on, instead of what it did. Raises OutOfRange with value and valid range."""

    def tune(self, settings: CameraSettings) -> None:
        """Change the settings without a break. Raises OutOfRange, also for a setting the running camera lacks."""

    def stop(self) -> None:
        """Close the camera."""

    def watch(self, handler: Callable[[Frame], None] | None) -> None:
        """Report every frame."""

    def on_status(self, handler: Callable[[CameraStatus], None] | None) -> None:
        """Report every change of phase or reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """Every port of a board, by node name; made by `hal.assemble`. `aliases` maps node name -> alias.

    A serial reader or a reader of chips stands in `readers` too: to whoever reads cards it is a reader like any other.
    """

    relays: Mapping[str, Relay]
    outputs: Mapping[str, Output]
    inputs: Mapping[str, Loop]
    buttons: Mapping[str, Button]
    leds: Mapping[str, Led]
    readers: Mapping[str, CardReader]
    terminals: Mapping[str, Terminal]
    aliases: Mapping[str, str]
    serial_readers: Mapping[str, SerialReader] = field(default_factory=dict)
    chip_readers: Mapping[str, ChipReader] = field(default_factory=dict)
    panels: Mapping[str, PanelPort] = field(default_factory=dict)
    wiegand_outs: Mapping[str, WiegandOut] = field(default_factory=dict)
    accelerometers: Mapping[str, Accelerometer] = field(default_factory=dict)
    light_sensors: Mapping[str, LightSensor] = field(default_factory=dict)
    cut_filters: Mapping[str, CutFilter] = field(default_factory=dict)
    illuminations: Mapping[str, Output] = field(default_factory=dict)
    microphone_lines: Mapping[str, MicrophoneLines] = field(default_factory=dict)

    def alias(self, node: str) -> str:
        """The name people use for a node: its alias, else the node's own name."""
        return self.aliases.get(node, node)
