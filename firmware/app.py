"""Composition root: the only file that knows everybody. Builds the roles of a device.

A role (`parts.py`) is a core (bus, actions, parameters, stores, link) with the services its board needs. The same
builders serve a child process (`firmware.child`), `--role all`, and the tests, which hand in their own wires.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
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
from firmware.core.values import decode
from firmware.core.vocabulary.device import BootState, DeviceInfo
from firmware.heart import HeartService
from firmware.network import network_services, picture_places
from firmware.notify import watchdog_s
from firmware.parts import Parts, Role, alarm_on, damaged_params, new_stores, started
from firmware.roles import awaited_on, duties_on, explain_services, roles_for
from firmware.rooms import (
    access_config,
    access_services,
    controller_services,
    doors_services,
    osdp_readers_services,
    osdp_trace_services,
    sensing_services,
)
from firmware.upgrade.boot_tryboot import TrybootBoot
from firmware.upgrade.ports import Boot, Engine
from hal.board import describe_board, load_board

if TYPE_CHECKING:
    from firmware.device import DeviceConfig, DeviceService
    from hal.assemble import Assembled
    from hal.wires import Wires


log = logging.getLogger("firmware.app")


def explain(board_name: str) -> str:
    """The resolved board, why each service is on or off, what its buttons do. Raises BoardError, Invalid."""
    from firmware.device import DeviceConfig

    board = load_board(board_name)
    room = decode(DeviceConfig, dict(board.rooms.get("device", {})), where="rooms.device")
    return f"{describe_board(board).rstrip()}\n{explain_services(board)}{explain_buttons(room)}{explain_reset(room)}"


def explain_buttons(room: DeviceConfig) -> str:
    """What a press of each button asks for, as stable text."""
    lines = []
    for name, button in room.buttons.items():
        wishes = [] if button.short is None else [f"press for {button.short}"]
        wishes += [] if button.long is None else [f"hold {button.long_s:g} s for {button.long}"]
        lines.append(f"button {name}: {', '.join(wishes) or 'a fact for rules'}\n")
    return "".join(lines)


def explain_reset(room: DeviceConfig) -> str:
    """How the buttons reset this product, as stable text."""
    hold = room.procedure
    if hold is None:
        return "factory reset: not by button\n"
    both = f" and {hold.together}" if hold.together else ""
    return f"factory reset: hold {hold.button}{both} at power-on, let go after {hold.from_s:g} to {hold.to_s:g} s\n"


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
    store, shared = new_stores(parts, "control", alarm_on(bus))
    async with started(store, shared):
        actions = ActionTable()
        params = Params(store, bus, damaged_params(bus))
        hub = Hub(bus, actions, params, parts.clock, path=link_path, awaited=awaited_on(parts.board))
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
            chain += heart(parts, services)
            yield Role(core=core, services=chain, ready=ready)
        finally:
            await assembled.close()


def heart(parts: Parts, services: tuple[Service, ...]) -> tuple[Service, ...]:
    """What feeds the supervisor's watchdog, where there is one: the readers' work, or at least the loop's."""
    every_s = watchdog_s()
    if every_s is None:
        return ()
    from firmware.access import ReadersService

    readers = next((service for service in services if isinstance(service, ReadersService)), None)

    async def loop_turns() -> None:
        await parts.clock.sleep(0)

    return (HeartService(parts.clock, every_s, loop_turns if readers is None else readers.beat),)


async def device_info(parts: Parts, wires: Wires) -> DeviceInfo:
    """What this device is: from the board, the chip and the running version."""
    identity = await wires.identity()
    return DeviceInfo(
        product=parts.board.product.name,
        model=parts.board.product.model,
        board=parts.board.name,
        version=VERSION,
        slot=parts.slot,
        serial=identity.serial,
        chip_id=identity.chip_id,
        simulated=parts.simulated,
        capabilities=tuple(sorted(parts.board.capabilities)),
        hardware_revision=parts.board.product.hardware_revision,
    )


def control_services(
    parts: Parts, core: Core, assembled: Assembled, info: DeviceInfo
) -> tuple[DeviceService, tuple[Service, ...]]:
    """The services of control that this board needs, in the order of their start."""
    from firmware.device import ButtonsService, DeviceConfig, DeviceService, LightsService
    from firmware.io import IoConfig, PortsService, RelaysService, VirtualInputsService
    from firmware.rules import RulesService
    from firmware.upgrade.maintenance import MaintenanceService

    hardware = assembled.hardware
    rooms = parts.board.rooms
    device_config = decode(DeviceConfig, dict(rooms.get("device", {})), where="rooms.device")
    io_config = decode(IoConfig, dict(rooms.get("io", {})), where="rooms.io")
    access = access_config(rooms)
    strikes = frozenset() if access is None else frozenset(door.relay for door in access.doors.values())
    ports = tuple(hardware.terminals) if io_config.ports is None else io_config.ports
    device = DeviceService(core, info)
    makers: dict[str, Callable[[], tuple[Service, ...]]] = {
        "clock": lambda: clock_services(parts, core),
        "network": lambda: network_setup_services(parts, core),
        "lights": lambda: (LightsService(core, hardware, device_config),),
        "buttons": lambda: (ButtonsService(core, hardware, device_config, parts.powered_ns),),
        "io": lambda: (PortsService(core, hardware, io_config),),
        "relays": lambda: (RelaysService(core, hardware, strikes),),
        "virtual_inputs": lambda: (VirtualInputsService(core),),
        "doors": lambda: doors_services(core, hardware, access),
        "access": lambda: access_services(core, hardware, access),
        "osdp_readers": lambda: osdp_readers_services(core, hardware),
        "osdp_trace": lambda: osdp_trace_services(core, hardware),
        "controller": lambda: controller_services(core, hardware, ports),
        "shocks": lambda: sensing_services("shocks", core, hardware),
        "light": lambda: sensing_services("light", core, hardware),
        "day_night": lambda: sensing_services("day_night", core, hardware),
        "input_lines": lambda: sensing_services("input_lines", core, hardware),
        "rules": lambda: (RulesService(core),),
        "upgrade": lambda: upgrade_services(parts, core),
        "maintenance": lambda: (MaintenanceService(core, parts.restart, boot_facts(parts.boot)),),
    }
    on = duties_on(parts.board, "control")
    services = [service for name, make in makers.items() if name in on for service in make()]
    return device, tuple(services)


def clock_services(parts: Parts, core: Core) -> tuple[Service, ...]:
    """Time zone, time servers and clock: of this machine, or of a simulated one."""
    from firmware.system import ClockService, SimTime

    if not parts.machine:
        return (ClockService(core, SimTime()),)
    from firmware.system.time_daemon import TimeDaemon

    return (ClockService(core, TimeDaemon()),)


def network_setup_services(parts: Parts, core: Core) -> tuple[Service, ...]:
    """Who applies the network settings: to this machine, or to a simulated one."""
    from firmware.system import NetworkService, SimNetwork

    if not parts.machine:
        return (NetworkService(core, SimNetwork(parts.clock)),)
    from firmware.system.network_manager import NetworkManager

    return (NetworkService(core, NetworkManager(parts.clock)),)


def boot_facts(boot: Boot | None) -> BootState | None:
    """What the boot loader says of this start; None where there is none that knows slots."""
    if not isinstance(boot, TrybootBoot):
        return None
    try:
        return boot.facts()
    except OSError as error:
        log.error("the boot loader cannot be asked: %s", error)
        return None


def upgrade_services(parts: Parts, core: Core) -> tuple[Service, ...]:
    """The upgrade service, where there is boot control and its record could be read."""
    if parts.upgrade is None:
        return ()
    from firmware.upgrade.certificate_service import NAME, CertificateService
    from firmware.upgrade.early import CERTIFICATE, REVOCATIONS
    from firmware.upgrade.saved_time import SavedTime
    from firmware.upgrade.service import Places, UpgradeService

    saved = SavedTime(parts.state.identity)
    certificate = parts.state.root / CERTIFICATE
    places = Places(
        spool=parts.state.spool,
        keyring=parts.state.keyring,
        certificate=certificate / NAME,
        saved_time=saved.read,
        revocations=parts.state.root / REVOCATIONS,
        roles=frozenset(roles_for(parts.board)),
    )
    return (
        UpgradeService(core, parts.upgrade, places),
        CertificateService(core, certificate, parts.state.keyring, saved),
    )


def kept_by_restore() -> dict[str, frozenset[str]]:
    """The parameters that a restore keeps, of every role; they are needed before any role declares its own."""
    from firmware.interfaces.cloud.settings import CloudSettings
    from firmware.system.network_settings import NetworkSettings
    from firmware.upgrade.early import kept_names

    return kept_names((NetworkSettings, CloudSettings))


def rauc_engine(parts: Parts) -> Engine:
    """On a real board RAUC writes the slots."""
    from firmware.upgrade.engine_rauc import RaucEngine
    from firmware.upgrade.medium import FileMedium

    return RaucEngine(FileMedium(parts.state.root))


def early_start(parts: Parts) -> Parts:
    """What control does before it opens anything: upgrades and resets that were under way are brought to an end.

    A medium that fails leaves the device without upgrades, and the door at work.
    """
    from firmware.upgrade.early import Device, begin

    if parts.boot is None:
        return parts
    device = Device(
        root=parts.state.root,
        version=VERSION,
        boot=parts.boot,
        kept=kept_by_restore(),
        crashed=parts.powered_ns is None,
        engine=None if parts.simulated else rauc_engine(parts),
    )
    try:
        return replace(parts, upgrade=begin(device))
    except OSError as error:
        log.error("no upgrades until the next start: %s", error)
        if parts.boot.trying():
            parts.boot.restart()  # new firmware that cannot read its record has failed: back to the old one
        return parts


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
    store, shared = new_stores(parts, role, alarm_on(bus))
    actions = ActionTable()
    params = Params(store, bus, damaged_params(bus))
    link = LinkClient(bus, actions, params, parts.clock, connect)
    # Control lets nobody join before it has brought the settings in order: nothing of them is touched until then.
    await link.start()
    try:
        async with started(store, shared):
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
            info = bus.state(DeviceInfo)
            if info is None:
                raise Unavailable("link", "control does not say which device this is")
            yield Role(core=core, services=(Joined(link), *make(core, info)), ready=link.ready)
    finally:
        await link.stop()


__all__ = [
    "Parts",
    "Role",
    "control_role",
    "early_start",
    "explain",
    "guest_role",
    "network_services",
    "picture_places",
]
