"""The wires of a board on a world in the same process: GPIO and serial through the same code as in real life."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hal.buses.gpio import FactoryGpio
from hal.buses.pins import InputWish, OutputWish, Pin
from hal.buses.serial import SerialUart
from hal.sim.chips import SimI2c
from hal.sim.pcm import SimPcm
from hal.sim.pins import SimFactory, SimLines
from hal.sim.pulses import open_pulses
from hal.sim.serial import CountedUart
from hal.sim.world import World
from hal.types import ChipIdentity
from hal.wires import Gpio, I2c, PulseOut, Uart


class OwnFactory:
    """One firmware's view of a chip: what it took is given back together, as the kernel does for a process."""

    def __init__(self, factory: SimFactory) -> None:
        self._factory = factory
        self._groups: list[SimLines] = []

    def request(self, offsets: Sequence[int], wish: InputWish | OutputWish, *, owner: str) -> SimLines:
        """Request lines as one group. Raises LineInUse, BusError."""
        group = self._factory.request(offsets, wish, owner=owner)
        self._groups = [*(kept for kept in self._groups if kept.is_open), group]
        return group

    def pin(self, name: Any) -> Pin:
        """A single pin of the chip."""
        pin: Pin = self._factory.pin(name)
        return pin

    def reserve_pins(self, requester: object, *names: Any) -> None:
        """Keep pins for a requester; raises GPIOPinInUse."""
        self._factory.reserve_pins(requester, *names)

    def release_pins(self, reserver: object, *names: Any) -> None:
        """End a reservation."""
        self._factory.release_pins(reserver, *names)

    def ticks(self) -> int:
        """The world's nanoseconds."""
        return self._factory.ticks()

    def ticks_diff(self, later: int, earlier: int) -> float:
        """Seconds between two ticks."""
        return self._factory.ticks_diff(later, earlier)

    def close(self) -> None:
        """Give every line back as it is."""
        for group in self._groups:
            group.close()
        self._groups.clear()


class SimWires(SimPcm):
    """`hal.wires.Wires` on a world. Closing them is what the death of a process is: lines stay as they are."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._clock = world.clock
        self._gpios: dict[str, FactoryGpio] = {}
        self._uarts: dict[str, CountedUart] = {}
        self._pulses: list[PulseOut] = []

    async def gpio(self, bus: str) -> Gpio:
        """The GPIO chip of that bus name. Raises BoardError."""
        if bus not in self._gpios:
            factory = OwnFactory(self._world.gpio(bus))
            self._gpios[bus] = FactoryGpio(factory, self._world.clock, bus)
        return self._gpios[bus]

    async def i2c(self, bus: str) -> I2c:
        """The I2C controller of that bus name. Raises BoardError."""
        return SimI2c(self._world.i2c(bus))

    async def uart(self, bus: str, *, baud: int) -> Uart:
        """The serial port of that bus name, opened at `baud`. Raises BoardError, BusError, LineInUse."""
        serial = self._world.uart(bus)
        # A pty cannot switch an RS-485 transceiver; the bus behind it is half-duplex all the same.
        uart = CountedUart(SerialUart(bus, serial.path, self._world.clock, baud=baud), serial)
        self._uarts[bus] = uart  # one before it was closed, or the port would be in use
        return uart

    async def pulses(self, bus: str, owner: str, d0: int, d1: int, *, active_high: bool) -> PulseOut:
        """Two lines for pulses: of a process of its own, or in virtual time. Raises BoardError, LineInUse, BusError."""
        lines = await (await self.gpio(bus)).outputs(owner, (d0, d1), initial=(not active_high,) * 2)
        assert isinstance(lines, SimLines)
        pulses = await open_pulses(owner, lines, self._world.clock, active_high=active_high)
        self._pulses.append(pulses)
        return pulses

    async def identity(self) -> ChipIdentity:
        """Who the simulated hardware is."""
        return self._world.identity

    async def close(self) -> None:
        """Give everything back as it is."""
        for pulses in self._pulses:
            pulses.close()
        for gpio in self._gpios.values():
            gpio.close()
        for uart in self._uarts.values():
            uart.close()
        self._gpios.clear()
        self._uarts.clear()
        self._pulses.clear()
