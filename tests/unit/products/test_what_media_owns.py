"""What control knows of the media role before it has come: the actions and groups of its services, and no more."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

import firmware.audio
import firmware.video
from firmware.core.params import Group
from firmware.roles import DUTIES, awaited_on, roles_for
from hal.board import load_board
from tools.reference.vocabulary import actions

ROOMS = (firmware.audio, firmware.video)
MEDIA = [duty for duty in DUTIES if duty.role == "media"]


def test_every_action_of_the_media_role_is_awaited_from_it() -> None:
    registered = [action for room in ("firmware/audio", "firmware/video") for action in actions(room)]
    assert {action.name for action in registered if not action.private} == {
        name for duty in MEDIA for name in duty.actions
    }
    assert {action.name for action in registered if action.private} == {name for duty in MEDIA for name in duty.private}


def test_every_group_of_the_media_role_is_awaited_from_it() -> None:
    modules = {
        importlib.import_module(found.name)
        for room in ROOMS
        for found in pkgutil.walk_packages(room.__path__, f"{room.__name__}.")
    }
    declared = {
        cls.group
        for module in modules
        for cls in vars(module).values()
        if isinstance(cls, type) and issubclass(cls, Group) and cls.__module__ == module.__name__
    }
    assert declared == {name for duty in MEDIA for name in duty.groups}


@pytest.mark.parametrize("board", ["door_station", "horn_speaker", "network_speaker", "plate_camera", "ptz_dome"])
def test_a_board_awaits_what_its_own_services_will_have(board: str) -> None:
    loaded = load_board(board)
    awaited = awaited_on(loaded)
    owners = {*awaited.actions.values(), *awaited.private_actions.values(), *awaited.groups.values()}
    assert owners <= set(roles_for(loaded))
    assert ("tampering.relearn" in awaited.actions) is ("camera" in loaded.capabilities)
    assert ("clip.play" in awaited.actions) is ("speaker" in loaded.capabilities)
    assert ("audio" in awaited.groups) is bool({"speaker", "microphone"} & loaded.capabilities)
