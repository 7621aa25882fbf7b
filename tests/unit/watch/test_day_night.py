"""Day and night: the decision by the light, and the service with sensor, filter, lamp and camera."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.core.errors import Invalid, Refused
from firmware.core.vocabulary.watch import AmbientLight, DayNight, DayNightState, SensorPhase
from firmware.sensing.dusk import BRIGHTER, Dusk
from firmware.sensing.light import noticed, rounded
from firmware.sensing.settings import day_night_group, night_below_lux
from hal.errors import BusError
from hal.planes import samples
from tests.unit.watch.station import Station, on_a_station

readings = st.lists(st.tuples(st.floats(0.1, 20), st.floats(0, 200)), min_size=1, max_size=60)


@given(readings, st.floats(0.5, 50), st.floats(1, 60))
def test_the_mode_changes_only_after_the_light_was_beyond_the_threshold_for_the_delay(
    readings: list[tuple[float, float]], below_lux: float, delay_s: float
) -> None:
    dusk, t_s = Dusk(), 0.0
    mode: DayNight | None = None
    dark_s = bright_s = None
    for gap_s, lux in readings:
        t_s += gap_s
        dark_s = None if lux >= below_lux else t_s if dark_s is None else dark_s
        bright_s = None if lux <= below_lux * BRIGHTER else t_s if bright_s is None else bright_s
        now = dusk.feed(round(t_s * 1e9), lux, below_lux=below_lux, delay_s=delay_s)
        if mode is not None and now is not mode:
            since_s = dark_s if now is DayNight.NIGHT else bright_s
            assert since_s is not None
            assert t_s - since_s >= delay_s - 1e-6
            dark_s = bright_s = None
        elif mode is DayNight.DAY and dark_s is not None:
            assert t_s - dark_s < delay_s + 1e-6
        mode = now


def test_the_threshold_towards_bright_is_night_earlier() -> None:
    lux = [night_below_lux(threshold) for threshold in range(101)]
    assert lux == sorted(lux)
    assert (lux[0], lux[50], lux[100]) == pytest.approx((0.5, 5, 50))


def lamp_on(station: Station) -> bool:
    return bool(station.bench.world.find("illumination:lamp1").traces[""].value)


def filters_in(station: Station) -> list[bool]:
    return [station.bench.filter(name).trace.value for name in ("filter1", "held")]


def test_when_it_gets_dark_the_filter_goes_the_lamp_comes_and_at_dawn_it_is_the_other_way_round(
    tmp_path: Path,
) -> None:
    async def scene(station: Station) -> None:
        await station.sleep(5)
        state = station.state(DayNightState)
        assert (state.mode, state.why, state.filter_in, state.illumination) == (DayNight.DAY, "light", True, False)
        station.bench.light_chip.light(1.0)
        await station.sleep(8)
        assert station.state(DayNightState).mode is DayNight.DAY  # not before the delay
        await station.sleep(8)
        state = station.state(DayNightState)
        assert (state.mode, state.filter_in, state.illumination) == (DayNight.NIGHT, False, True)
        assert filters_in(station) == [False, False]
        assert lamp_on(station)
        station.bench.light_chip.light(9)  # brighter than where night began, not by enough
        await station.sleep(60)
        assert station.state(DayNightState).mode is DayNight.NIGHT
        station.bench.light_chip.light(100)
        await station.sleep(15)
        assert station.state(DayNightState).mode is DayNight.DAY
        assert filters_in(station) == [True, True]
        assert not lamp_on(station)

    on_a_station(tmp_path, scene)


def test_a_light_that_flickers_does_not_change_the_picture_to_and_fro(tmp_path: Path) -> None:
    async def scene(station: Station) -> None:
        await station.sleep(3)
        before = len(station.told(DayNightState))
        for _ in range(30):
            station.bench.light_chip.light(0.1)
            await station.sleep(5)
            station.bench.light_chip.light(200)
            await station.sleep(5)
        assert len(station.told(DayNightState)) == before

    on_a_station(tmp_path, scene)


def test_the_filter_obeys_the_setting_whatever_the_light(tmp_path: Path) -> None:
    async def scene(station: Station) -> None:
        await station.patch("day_night", ir_cut_filter="off")
        await station.sleep(2)
        state = station.state(DayNightState)
        assert (state.mode, state.why) == (DayNight.NIGHT, "setting")
        assert filters_in(station) == [False, False]
        await station.patch("day_night", ir_cut_filter="on")
        station.bench.light_chip.light(0.1)
        await station.sleep(30)
        assert filters_in(station) == [True, True]
        assert not lamp_on(station)
        await station.patch("day_night", ir_cut_filter="auto")
        await station.sleep(2)
        assert station.state(DayNightState).mode is DayNight.NIGHT

    on_a_station(tmp_path, scene)


def test_the_lamp_is_switched_by_hand_until_night_or_day_comes(tmp_path: Path) -> None:
    async def scene(station: Station) -> None:
        await station.sleep(3)
        await station.act("illumination.set", on=True)
        assert lamp_on(station)
        await station.sleep(60)
        assert lamp_on(station)
        station.bench.light_chip.light(0.1)
        await station.sleep(20)
        assert lamp_on(station)
        await station.act("illumination.set", on=False)
        assert not lamp_on(station)
        station.bench.light_chip.light(500)
        await station.sleep(20)
        station.bench.light_chip.light(0.1)
        await station.sleep(20)
        assert lamp_on(station)  # what was said last night is forgotten

    on_a_station(tmp_path, scene)


def test_a_lamp_that_is_not_allowed_stays_dark_and_says_why(tmp_path: Path) -> None:
    async def scene(station: Station) -> None:
        await station.patch("day_night", allow_illumination=False, ir_cut_filter="off")
        await station.sleep(5)
        assert not lamp_on(station)
        with pytest.raises(Refused, match=r"day_night\.allow_illumination is off"):
            await station.act("illumination.set", on=True)
        assert not lamp_on(station)
        await station.patch("day_night", allow_illumination=True, synchronize_illumination=False)
        await station.sleep(5)
        assert not lamp_on(station)
        await station.act("illumination.set", on=True)
        assert lamp_on(station)
        await station.patch("day_night", allow_illumination=False)
        await station.sleep(2)
        assert not lamp_on(station)

    on_a_station(tmp_path, scene)


def test_without_its_light_sensor_it_stays_as_it_is_and_says_so(tmp_path: Path) -> None:
    async def scene(station: Station) -> None:
        station.bench.light_chip.light(0.1)
        await station.sleep(20)
        station.bench.world.fault("light_sensor:light1", "absent")
        station.bench.light_chip.light(500)
        await station.sleep(60)
        state = station.state(DayNightState)
        assert (state.mode, state.why) == (DayNight.NIGHT, "no light sensor")
        light = station.state(AmbientLight, "light1")
        assert (light.phase, light.lux) == (SensorPhase.FAILED, None)
        assert light.reason == "no light sensor answers"
        station.bench.world.clear("light_sensor:light1")
        await station.sleep(20)
        assert station.state(DayNightState).mode is DayNight.DAY
        assert station.state(AmbientLight, "light1").lux == 500

    on_a_station(tmp_path, scene)


def test_a_board_without_a_light_sensor_knows_day_and_night_by_hand_only() -> None:
    group, defaults = day_night_group(light_sensor=False)
    assert defaults.ir_cut_filter == "on"
    with pytest.raises(ValueError, match="the board has no light sensor: on or off"):
        group(ir_cut_filter="auto")


def test_a_filter_that_cannot_be_driven_is_told_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(station: Station) -> None:
        await station.sleep(2)
        lines = station.bench.hardware.cut_filters["filter1"]._lines  # type: ignore[attr-defined]
        really = lines.set

        def broken(*levels: bool) -> None:
            raise BusError("gpio0", "the chip is gone")

        monkeypatch.setattr(lines, "set", broken)
        await station.patch("day_night", ir_cut_filter="off")
        await station.sleep(3)
        assert "the chip is gone" in station.state(DayNightState).problem
        monkeypatch.setattr(lines, "set", really)
        await station.sleep(15)
        assert station.state(DayNightState).problem == ""
        assert filters_in(station) == [False, False]

    on_a_station(tmp_path, scene)


def test_the_state_goes_and_the_lamp_is_dark_when_nobody_watches(tmp_path: Path) -> None:
    stations: list[Station] = []

    async def scene(station: Station) -> None:
        await station.patch("day_night", ir_cut_filter="off")
        await station.sleep(2)
        assert lamp_on(station)
        stations.append(station)

    on_a_station(tmp_path, scene)
    (station,) = stations
    assert station.core.bus.state(DayNightState) is None
    assert not lamp_on(station)


@pytest.mark.parametrize("patch", [{"threshold": 101}, {"delay_s": 0}, {"delay_s": 601}, {"ir_cut_filter": "dusk"}])
def test_a_setting_that_is_none_is_refused(tmp_path: Path, patch: dict[str, object]) -> None:
    async def scene(station: Station) -> None:
        with pytest.raises(Invalid, match=f"day_night.{next(iter(patch))}"):
            await station.patch("day_night", **patch)

    on_a_station(tmp_path, scene)


def test_the_picture_is_grey_while_the_filter_is_away(tmp_path: Path) -> None:
    async def scene(station: Station) -> None:
        await station.patch("video", camera1={"resolution": "320x180", "fps": 2})
        await station.sleep(3)

        def colour() -> float:
            frame = station.camera_frame()
            return float(abs(samples(frame.main.u).astype(int) - 128).mean())

        assert colour() > 20
        station.bench.light_chip.light(0.5)
        await station.sleep(20)
        assert colour() == 0
        frame = station.camera_frame()
        assert float(samples(frame.main.y).mean()) > 60  # infrared light, which the eye would not see
        station.bench.light_chip.light(500)
        await station.sleep(20)
        assert colour() > 20

    on_a_station(tmp_path, scene, pictures=True)


@given(st.floats(0, 100_000), st.floats(0, 100_000))
def test_small_changes_of_light_are_not_worth_a_word(before: float, now: float) -> None:
    assert noticed(None, now)
    assert not noticed(now, now)
    if abs(now - before) > 0.1 and (now > 1.11 * before or now < 0.89 * before):
        assert noticed(before, now)
    assert rounded(now) == pytest.approx(now, rel=0.05, abs=0.0051)
