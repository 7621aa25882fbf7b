"""What a driver sees below it: line groups, I2C, UART, analogue inputs, sound.

Each Protocol has three implementations: `hal.buses` (real libraries), `hal.sim` (in one process)
and `hal.sim.remote` (the simulated world in the board process). Handlers are called on the event
loop, in order; opening is asynchronous, driving a line is not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from hal.errors import BusError
from hal.pictures import CameraMode, CameraSettings, Frame, Tuning
from hal.sounds import PcmBlock
from hal.types import ChipIdentity, Drive, Edge, EdgeKind, Pull, PulseTrain, WiegandTiming

EdgeHandler = Callable[[Edge], None]
ByteHandler = Callable[[int, bytes], None]
LostHandler = Callable[[BusError], None]
PcmHandler = Callable[[PcmBlock], None]
FrameHandler = Callable[[Frame], None]


class InputLines(Protocol):
    """A group of 1 to n input lines requested at once: one order of edges for all of them."""

    def levels(self) -> tuple[bool, ...]:
        """The level of every line now, in the order of the request."""

    def watch(self, handler: EdgeHandler | None) -> None:
        """Call `handler` for every edge from now on; None stops it. One handler at a time."""

    def close(self) -> None:
        """Give the lines back; closing twice is harmless."""


class OutputLines(Protocol):
    """A group of 1 to n output lines, driven together."""

    def set(self, *levels: bool) -> None:
        """Drive all lines, in the order of the request, in one call. Raises BusError."""

    def levels(self) -> tuple[bool, ...]:
        """The levels last driven."""

    def close(self) -> None:
        """Give the lines back without moving them; closing twice is harmless."""


class Gpio(Protocol):
    """A chip that offers lines by offset: the processor's own, or a port expander."""

    async def inputs(
        self,
        owner: str,
        offsets: Sequence[int],
        *,
        pull: Pull = Pull.NONE,
        edges: EdgeKind = EdgeKind.BOTH,
        debounce_us: int = 0,
    ) -> InputLines:
        """Request lines as inputs for `owner`. Raises LineInUse, BusError."""

    async def outputs(
        self,
        owner: str,
        offsets: Sequence[int],
        *,
        initial: Sequence[bool],
        drive: Drive = Drive.PUSH_PULL,
    ) -> OutputLines:
        """Request lines as outputs, with their first level set in the same step (hardening row 14)."""


class PulseOut(Protocol):
    """Two data lines, D0 and D1, that rest but for pulses of microseconds; whoever drives them measures every one.

    On hardware and in a simulated world in real time this is a process of its own that runs one pulse code; in
    virtual time it is a pair of output lines. All keep the limits of `hal.pulse`.
    """

    @property
    def realtime(self) -> bool:
        """Whether the sender comes before all other processes."""

    @property
    def reason(self) -> str:
        """Why it does not, or empty."""

    async def send(self, bits: str, timing: WiegandTiming) -> PulseTrain:
        """Try once to send a frame; it is broken off when a pulse or gap goes out of bounds.

        Raises BusError when the sender is not there or dies meanwhile.
        """

    async def run(self) -> None:
        """Keep the sender alive; ends only by cancellation."""

    def close(self) -> None:
        """Bring both lines to rest, then give them back; closing twice is harmless."""


class I2c(Protocol):
    """An SMBus controller. Registers are 0-255, words little-endian as on the wire, blocks 1-32 bytes.

    Every call raises NoReply when the chip does not acknowledge, BusError otherwise.
    """

    async def read_byte(self, address: int, register: int) -> int:
        """One byte of a register."""

    async def write_byte(self, address: int, register: int, value: int) -> None:
        """Write one byte."""

    async def read_word(self, address: int, register: int) -> int:
        """Two bytes, the first on the wire is the low one."""

    async def read_words(self, address: int, registers: Sequence[int]) -> tuple[int, ...]:
        """Two bytes of each register, one after the other: whoever asks waits once."""

    async def write_word(self, address: int, register: int, value: int) -> None:
        """Write two bytes, low one first."""

    async def read_block(self, address: int, register: int, length: int) -> bytes:
        """`length` bytes from consecutive registers."""

    async def write_block(self, address: int, register: int, data: bytes) -> None:
        """Write consecutive registers."""

    def close(self) -> None:
        """Give the bus back."""


class Uart(Protocol):
    """A serial port, raw bytes, 8N1."""

    def write(self, data: bytes) -> None:
        """Queue bytes for sending; never blocks. Raises BusError when the port is gone."""

    def receive(self, handler: ByteHandler | None) -> None:
        """Call `handler(t_ns, data)` for arriving bytes; None stops it."""

    def set_baud(self, baud: int) -> None:
        """Change the line rate. Raises BusError for a rate the port cannot do."""

    def on_lost(self, handler: LostHandler | None) -> None:
        """Tell `handler` once when the port goes (unplugged); at once when it has gone already."""

    def close(self) -> None:
        """Give the port back."""


class AnalogIn(Protocol):
    """A converter with numbered channels, offered by a driver to other drivers."""

    async def read_v(self, channel: int) -> float:
        """The voltage of a channel in volts. Raises BusError."""


class PcmOut(Protocol):
    """A sound card that plays: 16-bit little-endian frames, channels interleaved. Real time only.

    The card's clock paces whoever writes: a few periods wait at most.
    """

    @property
    def period_frames(self) -> int:
        """Frames of one period, 10 ms."""

    @property
    def underruns(self) -> int:
        """How often the card ran dry while it was playing."""

    async def write(self, samples: bytes) -> None:
        """Play whole frames after those that wait, and suspend until they are handed on.

        Raises BusError when the card is gone.
        """

    async def drain(self) -> None:
        """Suspend until the card has taken everything that was written. Raises BusError."""

    async def close(self) -> None:
        """Stop, drop what waits before the card, and give the card back; closing twice is harmless."""


class PcmIn(Protocol):
    """A sound card that records, from its opening on. Real time only."""

    @property
    def period_frames(self) -> int:
        """Frames of one block, 10 ms."""

    def receive(self, handler: PcmHandler | None) -> None:
        """Call `handler` for every block from now on; None drops them."""

    def on_lost(self, handler: LostHandler | None) -> None:
        """Tell `handler` once when the card goes (unplugged); at once when it has gone already."""

    async def close(self) -> None:
        """Stop and give the card back; closing twice is harmless."""


class PcmMixer(Protocol):
    """The volume that a sound card has of its own."""

    @property
    def range_db(self) -> tuple[float, float]:
        """The lowest and the highest gain."""

    def set(self, db: float) -> float:
        """Set the step of the card that is next to `db`, at once; answers what the gain is now. Raises BusError.

        For playing it is none below, for recording none above, as far as the card can.
        """

    def close(self) -> None:
        """Give the control back, the volume as it is; closing twice is harmless."""


class SoundWires(Protocol):
    """The wires of a board's sound, real or simulated: what `assemble_sound` is handed."""

    async def pcm_out(self, owner: str, device: str, *, rate_hz: int, channels: int) -> PcmOut:
        """Open the ALSA device of that name for playing. Raises LineInUse, BusError."""

    async def pcm_in(self, owner: str, device: str, *, rate_hz: int, channels: int) -> PcmIn:
        """Open the ALSA device of that name for recording. Raises LineInUse, BusError."""

    async def pcm_mixer(self, owner: str, device: str, control: str, *, capture: bool) -> PcmMixer | None:
        """A control of the mixer of the card that a device belongs to; None where cards have none (in simulation).

        Raises BusError, which names the controls that there are.
        """

    async def close(self) -> None:
        """Give every bus back; cards are closed by whoever opened them."""


class Wires(Protocol):
    """All wires of one board, real or simulated: what `assemble` is handed."""

    async def gpio(self, bus: str) -> Gpio:
        """The GPIO chip of that bus name. Raises BoardError for an unknown name."""

    async def i2c(self, bus: str) -> I2c:
        """The I2C controller of that bus name."""

    async def uart(self, bus: str, *, baud: int) -> Uart:
        """The serial port of that bus name, opened at `baud`."""

    async def pulses(self, bus: str, owner: str, d0: int, d1: int, *, active_high: bool) -> PulseOut:
        """Two lines of a GPIO chip as data lines; `active_high` is the level that makes a pulse.

        Both rest from the request on, in the same step (hardening row 14). Raises BoardError, LineInUse, BusError.
        """

    async def identity(self) -> ChipIdentity:
        """Serial number and chip id burnt into the hardware."""

    async def close(self) -> None:
        """Give every bus back."""


class Frames(Protocol):
    """A camera as a stream of frames: an image sensor on its ribbon, a USB camera, or a simulated scene.

    Off until `start`. After it failed, was lost or was stopped, it can be started again.
    """

    @property
    def tunings(self) -> frozenset[Tuning]:
        """What can be set; known while it runs, empty otherwise."""

    @property
    def refused(self) -> str:
        """Why what the camera sent last is no picture; empty where it is one, or where nothing came."""

    async def start(
        self, mode: CameraMode, settings: CameraSettings, handler: FrameHandler, lost: LostHandler
    ) -> CameraMode:
        """Open the camera and call `handler` for every frame; answers the mode it really delivers.

        `lost` is called at most once, when the camera goes; `stop` has to follow. Settings it lacks are left alone.
        Raises Absent, BusError; then nothing stays open.
        """

    async def tune(self, settings: CameraSettings) -> None:
        """Apply settings while it runs. Raises BusError."""

    async def stop(self) -> None:
        """Close the camera; no frame comes after that. Stopping twice is harmless."""


class CameraWires(Protocol):
    """The cameras of one board, which only the media role opens; control is never handed these."""

    async def frames(self, bus: str) -> Frames:
        """The camera on the bus of that name, not yet started. Raises BoardError for an unknown name."""

    async def close(self) -> None:
        """Stop every camera."""
