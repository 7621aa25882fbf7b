"""All wires of a real board, by the bus names of its board file.

Every hardware library is imported only when a bus asks for it, so a board without I2C needs no smbus2.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, Protocol

from hal.buses.identity import read_identity
from hal.clock import Clock
from hal.errors import BoardError, BusError, nearest
from hal.types import ChipIdentity
from hal.wires import Gpio, I2c, PcmIn, PcmMixer, PcmOut, PulseOut, Uart

if TYPE_CHECKING:
    from hal.buses.gpio import FactoryGpio
    from hal.buses.pins import PinFactory

GpioFactoryName = Literal["lintel", "lgpio"]


class BusSettings(Protocol):
    """A bus of the board file: `kind` is gpio, i2c or uart, and says which other field there is.

    gpio: `chip` (path or label). i2c: `device`. uart: `device`, `rs485`.
    """

    @property
    def kind(self) -> str:
        """The kind of wire."""


class RealWires:
    """The wires on real libraries; implements Wires. A bus is opened when it is first asked for."""

    def __init__(
        self,
        board_buses: Mapping[str, BusSettings],
        clock: Clock,
        *,
        gpio_factory: GpioFactoryName = "lintel",
    ) -> None:
        self._buses = board_buses
        self._clock = clock
        self._gpio_factory = gpio_factory
        self._gpios: dict[str, FactoryGpio] = {}
        self._i2cs: dict[str, I2c] = {}
        self._uarts: dict[str, Uart] = {}
        self._closers: list[Callable[[], None]] = []

    async def gpio(self, bus: str) -> Gpio:
        """The GPIO chip of that name; the same one every time. Raises BoardError, BusError."""
        chip = self._setting(bus, "gpio", "chip")
        if bus not in self._gpios:
            with _library(bus, "gpiozero"):
                from hal.buses.gpio import FactoryGpio
            gpio = FactoryGpio(self._pin_factory(bus, chip), self._clock, bus)
            self._gpios[bus] = gpio
            self._closers.append(gpio.close)
        return self._gpios[bus]

    def _pin_factory(self, bus: str, chip: str) -> PinFactory:
        if self._gpio_factory == "lgpio":
            with _library(bus, "lgpio"):
                from hal.buses.lgpio_factory import LgpioFactory
            return LgpioFactory(chip, name=bus)
        with _library(bus, "gpiod"):
            from hal.buses.gpiod_factory import GpiodFactory
            from hal.buses.readiness import LoopReadiness
        reads = LoopReadiness(asyncio.get_running_loop())
        return GpiodFactory(chip, name=bus, clock=self._clock, reads=reads)

    async def i2c(self, bus: str) -> I2c:
        """The I2C bus of that name; the same one every time. Raises BoardError, BusError."""
        device = self._setting(bus, "i2c", "device")
        if bus not in self._i2cs:
            from hal.buses.i2c import open_i2c

            with _library(bus, "smbus2"):
                i2c = open_i2c(bus, device, self._clock)
            self._i2cs[bus] = i2c
            self._closers.append(i2c.close)
        return self._i2cs[bus]

    async def uart(self, bus: str, *, baud: int) -> Uart:
        """The serial port of that name, for one user. Raises BoardError, LineInUse, BusError."""
        device = self._setting(bus, "uart", "device")
        rs485 = bool(getattr(self._buses[bus], "rs485", False))
        with _library(bus, "pyserial"):
            from hal.buses.serial import SerialUart
        uart = SerialUart(bus, device, self._clock, baud=baud, rs485=rs485)
        self._uarts[bus] = uart  # one before it was closed, or the port would be in use
        return uart

    async def pulses(self, bus: str, owner: str, d0: int, d1: int, *, active_high: bool) -> PulseOut:
        """Two lines driven by a process of their own. Raises BoardError, LineInUse, BusError."""
        from hal.buses.pulse_child import PulseChild
        from hal.buses.pulse_process import Work

        chip, gpio = self._setting(bus, "gpio", "chip"), await self.gpio(bus)

        async def rest() -> None:
            # The kernel has the lines back from a sender that died, perhaps in the middle of a pulse.
            lines = await gpio.outputs(owner, (d0, d1), initial=(not active_high, not active_high))
            lines.close()

        work = Work(socket=-1, parent=-1, owner=owner, bus=bus, chip=chip, d0=d0, d1=d1, active_high=active_high)
        child = PulseChild(work, self._clock, rest=rest)
        await child.open()
        self._closers.append(child.close)
        return child

    async def pcm_out(self, owner: str, device: str, *, rate_hz: int, channels: int) -> PcmOut:
        """A device of the ALSA configuration that plays; its user closes it. Raises LineInUse, BusError."""
        with _library(owner, "pyalsaaudio"):
            from hal.buses.alsa import AlsaOut

            return await AlsaOut.open(owner, device, self._clock, rate_hz=rate_hz, channels=channels)

    async def pcm_in(self, owner: str, device: str, *, rate_hz: int, channels: int) -> PcmIn:
        """A device of the ALSA configuration that records; its user closes it. Raises LineInUse, BusError."""
        with _library(owner, "pyalsaaudio"):
            from hal.buses.alsa import AlsaIn

            return await AlsaIn.open(owner, device, self._clock, rate_hz=rate_hz, channels=channels)

    async def pcm_mixer(self, owner: str, device: str, control: str, *, capture: bool) -> PcmMixer | None:
        """A control of the card's own mixer; its user closes it. Raises BusError."""
        with _library(owner, "pyalsaaudio"):
            from hal.buses.alsa_mixer import AlsaMixer

            return AlsaMixer.open(owner, device, control, capture=capture)

    async def identity(self) -> ChipIdentity:
        """Serial number and chip id of this machine. Raises BusError when it has none."""
        return read_identity()

    async def close(self) -> None:
        """Give every bus back: serial ports first, of the others the last opened first."""
        for uart in self._uarts.values():
            uart.close()
        self._uarts.clear()
        while self._closers:
            self._closers.pop()()
        self._gpios.clear()
        self._i2cs.clear()

    def _setting(self, bus: str, kind: str, field: str) -> str:
        if bus not in self._buses:
            raise BoardError("buses", f"no bus {bus!r}{nearest(bus, self._buses)}")
        settings = self._buses[bus]
        if settings.kind != kind:
            fitting = [name for name, other in self._buses.items() if other.kind == kind]
            raise BoardError(f"buses.{bus}", f"is a {settings.kind} bus, not {kind}{nearest(bus, fitting)}")
        return str(getattr(settings, field))


@contextmanager
def _library(bus: str, package: str) -> Iterator[None]:
    """Turns a missing library into one clear error that names the bus and what to install."""
    try:
        yield
    except ImportError as error:
        raise BusError(
            bus, f"needs the Python library {error.name or package}; install it with: pip install {package}"
        ) from error
