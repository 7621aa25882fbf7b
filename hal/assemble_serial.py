"""The part of `hal.assemble` that opens what is at a serial port: card modules, OSDP readers, ports of OSDP panels."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from hal.assemble_opened import Opened
from hal.board import CardModuleNode, OsdpPortNode, OsdpReaderNode
from hal.clock import Clock
from hal.ports import CardReader
from hal.wires import Wires

if TYPE_CHECKING:
    # Loaded where a board has one: OSDP and its cryptography are a quarter of what a door station loads.
    from hal.drivers.card_module import CardModule
    from hal.drivers.osdp_bus import OsdpBus
    from hal.drivers.osdp_peripheral import OsdpPort
    from hal.drivers.osdp_reader import OsdpReader

SerialNode = CardModuleNode | OsdpReaderNode | OsdpPortNode


class SerialAssembly:
    """Opens the nodes of this kind, one after the other; readers that share a port share its bus."""

    def __init__(self, opened: Opened, wires: Wires, clock: Clock, readers: dict[str, CardReader]) -> None:
        """`readers` are all of the board, also those that are elsewhere, in the order they were opened."""
        self._opened = opened
        self._wires = wires
        self._clock = clock
        self._buses: dict[str, OsdpBus] = {}
        self._readers = readers
        self.chip_readers: dict[str, CardModule] = {}
        self.serial_readers: dict[str, OsdpReader] = {}
        self.panels: dict[str, OsdpPort] = {}

    async def open(self, name: str, node: SerialNode) -> None:
        """Open the driver of one node. Raises HalError."""
        match node:
            case CardModuleNode():
                await self._card_module(name, node)
            case OsdpReaderNode():
                self._serial_reader(name, node)
            case OsdpPortNode():
                await self._panel(name, node)

    async def _card_module(self, name: str, node: CardModuleNode) -> None:
        from hal.drivers.card_module import BAUD, CardModule

        uart = await self._wires.uart(node.bus, baud=BAUD)
        module = CardModule(name, uart, keypad=node.keypad)
        self._opened.listening(name, module)
        self._readers[name] = self.chip_readers[name] = module

    def _serial_reader(self, name: str, node: OsdpReaderNode) -> None:
        """Nothing is opened before somebody connects it: a missing port is no reason not to start."""
        from hal.drivers.osdp_bus import OsdpBus
        from hal.drivers.osdp_reader import OsdpReader

        bus = self._buses.get(node.bus)
        if bus is None:
            bus = self._buses[node.bus] = OsdpBus(node.bus, partial(self._wires.uart, node.bus), self._clock)
            self._opened.listening(name, bus)
            self._opened.work.append(bus.run)
        reader = OsdpReader(name, bus, self._clock, keypad=node.keypad, led=node.led, beeper=node.beeper)
        self._opened.listening(name, reader)
        self._readers[name] = self.serial_readers[name] = reader

    async def _panel(self, name: str, node: OsdpPortNode) -> None:
        from hal.drivers.osdp_peripheral import OsdpPort, identity_of

        identity = identity_of(await self._wires.identity())
        port = OsdpPort(name, node.bus, partial(self._wires.uart, node.bus), self._clock, identity)
        self._opened.listening(name, port)
        self._opened.work.append(port.run)
        self.panels[name] = port
