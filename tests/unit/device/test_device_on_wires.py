"""Buttons and lights with the real drivers of a board, on simulated wires: what the finger does, what the eye sees."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

from firmware.core.actions import Caller, Level
from firmware.core.values import decode
from firmware.core.vocabulary.access import DoorState, Position
from firmware.core.vocabulary.device import ButtonGesture, DeviceInfo
from firmware.device import ButtonsService, DeviceConfig, DeviceService, LightsService
from hal.assemble import assemble
from hal.board import load_board
from hal.sim.wires import SimWires
from hal.sim.world import World

ADMIN = Caller("root", Level.ADMIN, "web")
INFO = DeviceInfo(
    product="a product",
    model="M",
    board="b",
    version="0",
    slot="A",
    serial="02A11CE00001",
    chip_id="1",
    simulated=True,
    capabilities=(),
)


@contextlib.asynccontextmanager
async def device_of(station, board_name):
    """A world, the board's hardware on it, and the services of the device room; gives world and device service."""
    board = load_board(board_name)
    config = decode(DeviceConfig, dict(board.rooms["device"]), where="rooms.device")
    world = World(station.clock, board)
    wires = SimWires(world)
    opened = await assemble(board, wires, station.clock)
    station.hardware = opened.hardware

    def device(core: Any, _: Any) -> DeviceService:
        return DeviceService(core, INFO)

    def buttons(core: Any, hardware: Any) -> ButtonsService:
        return ButtonsService(core, hardware, config)

    def lights(core: Any, hardware: Any) -> LightsService:
        return LightsService(core, hardware, config)

    try:
        async with station.boot(device, buttons, lights) as services:
            yield world, services[0]
    finally:
        await opened.close()
        await wires.close()
        world.close()


@pytest.mark.parametrize(("for_s", "gesture"), [(0.3, "short"), (3.5, "long"), (15.0, "long")])
def test_a_press_of_the_control_button_is_measured_to_the_nanosecond(on_station, for_s, gesture):
    async def body(station):
        async with device_of(station, "door_station") as (world, _):
            await world.find("button:control").press(for_s)
            await station.clock.sleep(1)
            seen = [(fact.gesture.value, fact.held_s) for fact in station.facts if isinstance(fact, ButtonGesture)]
            assert seen == [(gesture, for_s)]

    on_station(body)


@pytest.mark.parametrize("board", ["door_station", "horn_speaker", "network_speaker", "plate_camera", "ptz_dome"])
def test_the_control_button_of_every_board_is_held_by_an_administrator_who_is_elsewhere(on_station, board):
    async def body(station):
        async with device_of(station, board) as (world, _):
            await station.clock.sleep(1)
            await station.act("button.hold", caller=ADMIN, button="control")
            assert world.find("button:control").trace.value is False, "no wire moves"
            await station.clock.sleep(3.25)
            await station.act("button.let_go", caller=ADMIN, button="control")
            seen = [(fact.gesture.value, fact.held_s) for fact in station.facts if isinstance(fact, ButtonGesture)]
            assert seen == [("long", 3.25)]

    on_station(body)


def test_a_bouncing_press_is_one_gesture(on_station):
    async def body(station):
        async with device_of(station, "door_station") as (world, _):
            world.fault("button:control", "bounce")
            await station.clock.sleep(0.1)
            await world.find("button:control").press(1.0)
            await station.clock.sleep(1)
            (gesture,) = [fact for fact in station.facts if isinstance(fact, ButtonGesture)]
            assert gesture.held_s == pytest.approx(1.0, abs=0.01)

    on_station(body)


def test_the_status_light_of_a_speaker_is_amber_then_green_for_ten_seconds_then_dark(on_station):
    async def body(station):
        async with device_of(station, "network_speaker") as (world, device):
            await station.clock.sleep(3)
            device.mark_ready()
            await station.clock.sleep(30)
            assert world.find("led:status").trace.points == (
                (0.0, "off"),
                (0.0, "amber"),
                (3.0, "green"),
                (13.0, "off"),
            )

    on_station(body)


def test_identifying_flashes_red_and_green_in_eighths_of_a_second(on_station):
    async def body(station):
        async with device_of(station, "network_speaker") as (world, device):
            device.mark_ready()
            await station.clock.sleep(20)
            began_s = world.now_s
            await station.act("device.identify", active=True, for_s=0.4375)
            await station.clock.sleep(5)
            seen = [(t_s - began_s, colour) for t_s, colour in world.find("led:status").trace.since(began_s)]
            assert seen == [(0.0, "red"), (0.125, "green"), (0.25, "red"), (0.375, "green"), (0.4375, "off")]

    on_station(body)


def test_the_door_icon_is_lit_at_start_and_while_the_door_is_open(on_station):
    async def body(station):
        async with device_of(station, "door_station") as (world, device):
            icon = world.find("led:icon_door").trace
            await station.clock.sleep(1)
            assert icon.value == "green"
            device.mark_ready()
            await station.publish(DoorState(door="door", position=Position.CLOSED, released=True))
            assert icon.value == "off"
            await station.publish(DoorState(door="door", position=Position.OPEN, released=False))
            assert icon.value == "green"

    on_station(body)


@pytest.mark.parametrize("board", ["door_station", "horn_speaker", "network_speaker", "plate_camera", "ptz_dome"])
def test_the_lights_of_every_board_start_in_colours_they_have_and_end_dark(on_station, board):
    async def body(station):
        async with device_of(station, board) as (world, device):
            device.mark_ready()
            await station.clock.sleep(60)
            status = world.find("led:status")
        assert status.trace.value == "off"

    on_station(body)
