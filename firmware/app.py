"""Composition root: the only file that knows everybody. Builds the roles of a device and runs them.

A role is a core (bus, actions, parameters, stores, link) with the services its board needs. The same
builders serve a child process (`firmware.child`), `--role all`, and the tests, which hand in their own wires.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from firmware import VERSION
from firmware.core.actions import ActionTable
from firmware.core.bus import Bus
from firmware.core.context import Core
from firmware.core.errors import Unavailable
from firmware.core.journal import Journal
from firmware.core.link.channel import Connect
from firmware.core.link.client import LinkClient
from firmware.core.link.hub import Hub
from firmware.core.params import Params
from firmware.core.service import Service
from firmware.core.services import Services
from firmware.core.store import Alarm, Store
from firmware.core.store_disk import Disk
from firmware.core.values import decode
from firmware.core.vocabulary.device import DeviceInfo
from firmware.core.vocabulary.station import StorageAlarm, StorageProblem
from firmware.paths import SLOT, StateDir
from firmware.roles import duties_on, explain_services
from hal.board import Board, describe_board, load_board
from hal.clock import Clock

if TYPE_CHECKING:
    from firmware.device import DeviceService
    from hal.assemble import Assembled
    from hal.wires import Wires


def explain(board_name: str) -> str:
    """The resolved board and why each service is on or off. Raises BoardError."""
    board = load_board(board_name)
    return f"{describe_board(board).rstrip()}\n{explain_services(board)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a role is built from, whichever way the device runs."""

    board: Board
    state: StateDir
    clock: Clock
    simulated: bool
    disk: Disk | None = None  # None: the file system of this machine


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """A role that is built: its core, and its services in the order of their start."""

    core: Core
    services: tuple[Service, ...]
    ready: Callable[[], None]

    async def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Run the services until cancelled; `ready` is called once all have started. Raises what a vital one raises."""

        def started() -> None:
            self.ready()
            ready()

        await Services(self.core.bus, self.core.clock, self.core.role).run(self.services, started)


@asynccontextmanager
async def stores(parts: Parts, role: str, alarm: Alarm) -> AsyncIterator[tuple[Store, Store]]:
    """The two stores of a role, started, and closed at the end."""
    async with AsyncExitStack() as stack:
        opened = []
        for root in (parts.state.settings(SLOT, role), parts.state.shared(role)):
            store = Store(root, parts.clock, alarm=alarm, disk=parts.disk)
            await store.start()
            stack.push_async_callback(store.close)
            opened.append(store)
        yield opened[0], opened[1]


def alarm_on(bus: Bus) -> Alarm:
    """Storage trouble as states on a bus."""

    def alarm(what: str, problem: StorageProblem | None, detail: str) -> None:
        if problem is None:
            bus.forget(StorageAlarm, bus.role, what)
        else:
            bus.publish(StorageAlarm(role=bus.role, what=what, problem=problem, detail=detail))

    return alarm


def damaged_params(bus: Bus) -> Callable[[str, str], None]:
    """Saved parameters that cannot be used, as an alarm."""
    return lambda file, why: alarm_on(bus)(file, StorageProblem.DAMAGED, why)


class HardwareService:
    """The drivers' own work as a vital service: when it fails the process ends and every output is safe."""

    name: ClassVar[str] = "hardware"
    vital: ClassVar[bool] = True
    needs: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, assembled: Assembled) -> None:
        self._assembled = assembled

    async def start(self) -> None:
        """The ports were opened when the role was built."""

    async def run(self) -> None:
        """Let the drivers work."""
        await self._assembled.run()

    async def stop(self) -> None:
        """Every output safe, everything given back."""
        await self._assembled.close()


@asynccontextmanager
async def control_role(parts: Parts, wires: Wires, link_path: Path | None = None) -> AsyncIterator[Role]:
    """Build control on these wires; the other roles join at `link_path`. Raises BoardError, BusError, Invalid."""
    from hal.assemble import assemble

    bus = Bus(parts.clock, role="control", boot=secrets.token_hex(4))
    async with stores(parts, "control", alarm_on(bus)) as (store, shared):
        actions = ActionTable()
        params = Params(store, bus, damaged_params(bus))
        hub = Hub(bus, actions, params, parts.clock, path=link_path)
        core = Core(
            role="control",
            clock=parts.clock,
            bus=bus,
            actions=actions,
            link=hub,
            params=params,
            store=store,
            shared=shared,
        )
        journal = Journal(bus, shared, parts.clock, actions=actions)
        info = await device_info(parts, wires)
        assembled = await assemble(parts.board, wires, parts.clock)
        try:
            device, services = control_services(parts, core, assembled, info)

            def ready() -> None:
                hub.ready()
                device.mark_ready()

            # Who joins over the hub finds the device's identity there: `device` starts before it.
            chain: tuple[Service, ...] = (device, hub, journal, HardwareService(assembled), *services)
            yield Role(core=core, services=chain, ready=ready)
        finally:
            await assembled.close()


async def device_info(parts: Parts, wires: Wires) -> DeviceInfo:
    """What this device is: from the board, the chip and the running version."""
    identity = await wires.identity()
    return DeviceInfo(
        product=parts.board.product.name,
        model=parts.board.product.model,
        board=parts.board.name,
        version=VERSION,
        slot=SLOT,
        serial=identity.serial,
        chip_id=identity.chip_id,
        simulated=parts.simulated,
        capabilities=tuple(sorted(parts.board.capabilities)),
    )


def control_services(
    parts: Parts, core: Core, assembled: Assembled, info: DeviceInfo
) -> tuple[DeviceService, tuple[Service, ...]]:
    """The services of control that this board needs, in the order of their start."""
    from firmware.access import AccessConfig, DoorsService, EntryList, IndicateService, ReadersService
    from firmware.controller import ControllerService
    from firmware.device import ButtonsService, DeviceConfig, DeviceService, LightsService
    from firmware.io import IoConfig, PortsService, RelaysService, VirtualInputsService
    from firmware.rules import RulesService

    hardware = assembled.hardware
    rooms = parts.board.rooms
    device_config = decode(DeviceConfig, dict(rooms.get("device", {})), where="rooms.device")
    io_config = decode(IoConfig, dict(rooms.get("io", {})), where="rooms.io")
    access_config = decode(AccessConfig, dict(rooms.get("access", {})), where="rooms.access")
    strikes = frozenset(door.relay for door in access_config.doors.values())
    ports = tuple(hardware.terminals) if io_config.ports is None else io_config.ports
    device = DeviceService(core, info)
    entries = EntryList(core)
    makers: dict[str, Callable[[], tuple[Service, ...]]] = {
        "lights": lambda: (LightsService(core, hardware, device_config),),
        "buttons": lambda: (ButtonsService(core, hardware, device_config),),
        "io": lambda: (PortsService(core, hardware, io_config),),
        "relays": lambda: (RelaysService(core, hardware, strikes),),
        "virtual_inputs": lambda: (VirtualInputsService(core),),
        "doors": lambda: (DoorsService(core, hardware, access_config),),
        "access": lambda: (
            IndicateService(core, hardware),
            ReadersService(core, hardware, access_config, entries),
        ),
        "controller": lambda: (ControllerService(core, hardware, ports),),
        "rules": lambda: (RulesService(core),),
    }
    on = duties_on(parts.board, "control")
    services = [service for name, make in makers.items() if name in on for service in make()]
    return device, tuple(services)


class Joined:
    """The link of a guest role that has joined already, as the first of its services."""

    name: ClassVar[str] = "link"
    vital: ClassVar[bool] = True
    needs: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, link: LinkClient) -> None:
        self._link = link

    async def start(self) -> None:
        """It joined when the role was built."""

    async def run(self) -> None:
        """Carry facts, questions and answers."""
        await self._link.run()

    async def stop(self) -> None:
        """Leave."""
        await self._link.stop()


@asynccontextmanager
async def guest_role(
    parts: Parts, role: str, connect: Connect | Path, make: Callable[[Core, DeviceInfo], tuple[Service, ...]]
) -> AsyncIterator[Role]:
    """Build a role that joins control, with the services that `make` names. Raises Unavailable."""
    bus = Bus(parts.clock, role=role, boot=secrets.token_hex(4))
    async with stores(parts, role, alarm_on(bus)) as (store, shared):
        actions = ActionTable()
        params = Params(store, bus, damaged_params(bus))
        link = LinkClient(bus, actions, params, parts.clock, connect)
        core = Core(
            role=role,
            clock=parts.clock,
            bus=bus,
            actions=actions,
            link=link,
            params=params,
            store=store,
            shared=shared,
        )
        await link.start()
        try:
            info = bus.state(DeviceInfo)
            if info is None:
                raise Unavailable("link", "control does not say which device this is")
            yield Role(core=core, services=(Joined(link), *make(core, info)), ready=link.ready)
        finally:
            await link.stop()


def network_services(
    parts: Parts, host: str, port: int, *, web: bool
) -> Callable[[Core, DeviceInfo], tuple[Service, ...]]:
    """What the network role runs: accounts, and the API at an address (port 0: any that is free)."""

    def make(core: Core, info: DeviceInfo) -> tuple[Service, ...]:
        from firmware.interfaces.api.service import ApiService
        from firmware.interfaces.carrier import CarrierService
        from firmware.interfaces.controller import ControllerHttpService
        from firmware.security import AccountsService

        accounts = AccountsService(core, f"LINTEL_{info.serial}")
        api = ApiService(core, host, port, web=web)
        services: list[Service] = [accounts]
        if not parts.simulated:  # a simulated device has no cable of its own: it is on the network while its API is
            services.append(CarrierService(core))
        if "controller_net" in duties_on(parts.board, "network"):
            services.append(ControllerHttpService(core))
        return (*services, api)

    return make


def media_services(core: Core, info: DeviceInfo) -> tuple[Service, ...]:
    """What the media role runs: nothing yet; its services come with sound and pictures."""
    return ()


__all__ = [
    "Parts",
    "Role",
    "control_role",
    "explain",
    "guest_role",
    "media_services",
    "network_services",
]
