"""Every board's data for the device and I/O rooms is valid for the services that read it."""

from __future__ import annotations

import pytest

from firmware.core.values import decode
from firmware.device import DeviceConfig
from firmware.device.config import Condition
from firmware.io import IoConfig
from hal.board import load_board
from hal.types import Pattern

BOARDS = ("door_station", "horn_speaker", "network_speaker", "plate_camera", "ptz_dome")


@pytest.mark.parametrize("name", BOARDS)
def test_the_device_room_of_every_board_has_a_control_button_and_a_status_light(name):
    config = decode(DeviceConfig, board_room(name, "device"), where="rooms.device")
    assert config.buttons["control"].node == "control"
    assert config.lights["status"].node == "status"
    words = {line.when for line in config.lights["status"].table}
    assert {Condition.STARTING, Condition.NORMAL} <= words
    assert all(isinstance(line.show, Pattern) for light in config.lights.values() for line in light.table)


@pytest.mark.parametrize("name", BOARDS)
def test_the_io_room_of_every_board_lists_only_terminals_of_that_board(name):
    config = decode(IoConfig, board_room(name, "io"), where="rooms.io")
    board = load_board(name)
    terminals = {node for node, model in board.nodes.items() if model.kind == "port"}
    assert set(config.ports or terminals) == terminals


def board_room(name, room):
    return dict(load_board(name).rooms.get(room, {}))
