"""The call of a device that is to be found, in virtual time: when it plays, what, and how loud."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from firmware.audio import Priority
from firmware.audio.locate import LEVEL_DBFS, NOTES_HZ, LocateService, call
from firmware.core.vocabulary.device import IdentifyState
from hal.sim.sound.measure import level_db
from tests.unit.audio.chamber import RATE_HZ, Chamber, in_the_chamber


def service(chamber: Chamber) -> tuple[LocateService]:
    return (LocateService(chamber.core, chamber.sound),)


def show(chamber: Chamber, *, active: bool, sound: bool) -> None:
    """What control says of the device."""
    chamber.core.bus.publish(IdentifyState(active=active, sound=sound))


def played(chamber: Chamber, since: int) -> float:
    """The highest sample since a period."""
    return max((float(np.abs(block).max()) for block in chamber.air.given[since:]), default=0.0)


def test_it_calls_again_and_again_until_the_state_says_otherwise(tmp_path: Path) -> None:
    async def test(chamber: Chamber) -> None:
        show(chamber, active=True, sound=True)
        begun = len(chamber.air.given)
        await chamber.clock.sleep(3.5)
        sound = np.concatenate(chamber.air.given[begun:])
        loud = np.abs(sound.reshape(-1, 480)).max(axis=1) > 0.01
        assert int(np.count_nonzero(np.diff(loud.astype(int)) == 1)) == 3  # calls begun in 3.5 s
        first = sound[: round(0.6 * RATE_HZ)]
        for hz in NOTES_HZ:
            assert level_db(first, RATE_HZ, hz) > -40
        show(chamber, active=False, sound=False)
        await chamber.clock.sleep(0.3)
        assert "locate" not in chamber.mixer.playing
        ended = len(chamber.air.given)
        await chamber.clock.sleep(3)
        assert played(chamber, ended) == 0

    in_the_chamber(tmp_path, service, test)


def test_identifying_by_light_alone_is_silent(tmp_path: Path) -> None:
    async def test(chamber: Chamber) -> None:
        show(chamber, active=True, sound=False)
        await chamber.clock.sleep(3)
        assert played(chamber, 0) == 0

    in_the_chamber(tmp_path, service, test)


def test_it_has_the_volume_that_people_have_set_and_lowers_what_else_plays(tmp_path: Path) -> None:
    async def test(chamber: Chamber) -> None:
        await chamber.patch("audio", horn={"gain_db": -20.0})
        show(chamber, active=True, sound=True)
        begun = len(chamber.air.given)
        await chamber.clock.sleep(1.0)
        assert played(chamber, begun) == pytest.approx(10 ** ((LEVEL_DBFS - 20) / 20), rel=0.02)
        async with chamber.mixer.voice(Priority.CLIP) as voice:
            await voice.play(np.full(24_000, 0.5, np.float32))
        show(chamber, active=False, sound=False)
        await chamber.clock.sleep(0.3)
        between = len(chamber.air.given) - 90
        assert played(chamber, between) < 0.5 * 10 ** (-20 / 20)

    in_the_chamber(tmp_path, service, test)


def test_a_card_that_goes_ends_the_call_and_one_that_comes_back_goes_on_with_it(tmp_path: Path) -> None:
    async def test(chamber: Chamber) -> None:
        show(chamber, active=True, sound=True)
        await chamber.clock.sleep(1.0)
        chamber.air.unplug()
        await chamber.clock.sleep(2.0)
        chamber.air.gone = ""
        begun = len(chamber.air.given)
        await chamber.clock.sleep(6.0)
        assert played(chamber, begun) == pytest.approx(10 ** (LEVEL_DBFS / 20), rel=0.02)

    in_the_chamber(tmp_path, service, test)


def test_the_call_begins_and_ends_without_a_click() -> None:
    sound = call()
    assert abs(float(sound[0])) < 1e-3
    assert float(np.abs(np.diff(sound)).max()) < 0.25 * 2 * np.pi * max(NOTES_HZ) / RATE_HZ * 1.1
