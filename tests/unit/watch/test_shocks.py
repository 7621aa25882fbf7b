"""Service `shocks` on the real driver and a simulated chip."""

from __future__ import annotations

from pathlib import Path

import pytest

from firmware.core.errors import Invalid
from firmware.core.vocabulary.watch import SensorPhase, ShockDetected, ShockState
from firmware.sensing.settings import threshold_g
from tests.unit.watch.station import Station, on_a_station


def test_a_hit_is_an_event_and_a_state_that_lasts_a_while(tmp_path: Path) -> None:
    async def scene(station: Station) -> None:
        await station.patch("shock", enabled=True)
        await station.sleep(0.5)
        station.bench.shock_chip("lid").bump(4)
        await station.sleep(0.2)
        (shock,) = station.told(ShockDetected)
        assert shock.sensor == "lid"
        assert 2 < shock.peak_g <= 4.5
        state = station.state(ShockState, "lid")
        assert (state.phase, state.active) == (SensorPhase.WORKING, True)
        assert state.cause == shock.id
        assert not station.state(ShockState, "shock1").active
        await station.sleep(3.5)
        assert not station.state(ShockState, "lid").active

    on_a_station(tmp_path, scene)


def test_a_second_hit_makes_the_state_last_longer(tmp_path: Path) -> None:
    async def scene(station: Station) -> None:
        await station.patch("shock", enabled=True)
        await station.sleep(0.5)
        for _ in range(3):
            station.bench.shock_chip("lid").bump(4)
            await station.sleep(2)
            assert station.state(ShockState, "lid").active
        assert len(station.told(ShockDetected)) == 3

    on_a_station(tmp_path, scene)


def test_it_is_off_until_somebody_wishes_it(tmp_path: Path) -> None:
    async def scene(station: Station) -> None:
        station.bench.shock_chip("lid").bump(8)
        await station.sleep(2)
        assert station.told(ShockDetected) == []
        assert station.state(ShockState, "lid").phase is SensorPhase.OFF
        await station.patch("shock", enabled=True)
        await station.sleep(0.5)
        await station.patch("shock", enabled=False)
        station.bench.shock_chip("lid").bump(8)
        await station.sleep(2)
        assert station.told(ShockDetected) == []

    on_a_station(tmp_path, scene)


@pytest.mark.parametrize(("sensitivity", "bump_g", "heard"), [(0, 3, False), (0, 12, True), (50, 0.3, False),
                                                           (50, 3, True), (100, 0.3, True)])  # fmt: skip
def test_a_low_sensitivity_takes_a_powerful_hit_and_a_high_one_a_mild(
    tmp_path: Path, sensitivity: int, bump_g: float, heard: bool
) -> None:
    async def scene(station: Station) -> None:
        await station.patch("shock", enabled=True, sensitivity=sensitivity)
        await station.sleep(0.5)
        station.bench.shock_chip("shock1").bump(bump_g)
        await station.sleep(1)
        assert bool(station.told(ShockDetected)) is heard

    on_a_station(tmp_path, scene)


def test_every_step_of_sensitivity_is_softer_and_all_can_be_told() -> None:
    steps = [threshold_g(sensitivity) for sensitivity in range(101)]
    assert steps == sorted(steps, reverse=True)
    assert len(set(steps)) == 101
    assert steps[0] == pytest.approx(6.0)
    assert steps[100] == pytest.approx(0.124)


def test_a_chip_that_is_away_is_a_clear_state_and_comes_back(tmp_path: Path) -> None:
    async def scene(station: Station) -> None:
        await station.patch("shock", enabled=True)
        station.bench.world.fault("accelerometer:lid", "absent")
        await station.sleep(3)
        state = station.state(ShockState, "lid")
        assert (state.phase, state.reason) == (SensorPhase.FAILED, "no accelerometer answers")
        assert station.state(ShockState, "shock1").phase is SensorPhase.WORKING
        station.bench.world.clear("accelerometer:lid")
        await station.sleep(2.5)
        assert station.state(ShockState, "lid").phase is SensorPhase.WORKING

    on_a_station(tmp_path, scene)


@pytest.mark.parametrize("sensitivity", [-1, 101, "hard"])
def test_a_sensitivity_that_is_none_is_refused_with_its_range(tmp_path: Path, sensitivity: object) -> None:
    async def scene(station: Station) -> None:
        with pytest.raises(Invalid, match=r"shock\.sensitivity"):
            await station.patch("shock", sensitivity=sensitivity)

    on_a_station(tmp_path, scene)
