"""Every address of the compatible face, and every method of its envelopes, with every role and without log-in."""

from __future__ import annotations

from collections.abc import Callable

from firmware.core.actions import Level
from firmware.core.vocabulary.speaker_test import SpeakerTestState
from firmware.core.vocabulary.watch import DayNight, DayNightState
from firmware.interfaces.vapix.face import OPEN
from tests.unit.face.conftest import ADMIN, Face

ROLES = {Level.VIEWER: ("vera", "viewer-pass"), Level.OPERATOR: ("otto", "operator-pass"), Level.ADMIN: ADMIN}
BARRED = {401, 403}
# Making the first administrator is over once there is one.
STILL_OPEN = {path for path in OPEN if not path.endswith("/pwdgrp.cgi")}


async def make_roles(face: Face) -> None:
    await face.set_up()
    face.bus.publish(DayNightState(mode=DayNight.DAY, why="setting", illumination=False))
    face.bus.publish(SpeakerTestState())
    for level, (name, password) in ROLES.items():
        if level is not Level.ADMIN:
            await face.account(name, password, level.name.lower())


def test_row_44_every_address_asks_for_its_level_and_a_stranger_gets_only_what_is_open(
    play: Callable[..., None],
) -> None:
    async def main(face: Face) -> None:
        await make_roles(face)
        routes = [each for each in face.vapix.face().levels.items() if each[0][0] != "WS"]
        assert len(routes) > 60
        async with face.client() as stranger:
            for (method, path), level in routes:
                answer = await stranger.request(method, path)
                assert (answer.status_code == 401) is (path not in STILL_OPEN), (method, path, level)
        for has, auth in ROLES.items():
            async with face.client(auth) as client:
                for (method, path), level in routes:
                    answer = await client.request(method, path)
                    if has < level:
                        assert answer.status_code == 403, (method, path, has)
                    elif path not in OPEN:
                        assert answer.status_code not in BARRED, (method, path, has)
                    # What is not there at all (a door that no service answers for) is said, and nothing breaks.
                    assert answer.status_code != 500, (method, path, has, answer.text)

    play(main)


def test_row_44_every_method_of_an_envelope_asks_for_its_own_level(play: Callable[..., None]) -> None:
    async def main(face: Face) -> None:
        await make_roles(face)
        for has, auth in ROLES.items():
            async with face.client(auth) as client:
                for api in face.vapix.apis():
                    for name, method in api.methods.items():
                        request = {"apiVersion": api.version, "method": name}
                        answer = await client.post(api.path, json=request)
                        denied = answer.status_code == 403 or (
                            answer.json().get("error", {}).get("code") == api.codes.forbidden
                        )
                        assert denied is (has < method.level), (api.path, name, has, answer.text)

    play(main)
