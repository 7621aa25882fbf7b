"""Service `tampering` on the pictures of a simulated camera, from the driver up, in virtual time (hardening row 51)."""

from __future__ import annotations

from pathlib import Path

import pytest

from firmware.core.errors import Invalid, NotFound
from firmware.core.vocabulary.watch import (
    TamperingDetected,
    TamperingEnded,
    TamperingState,
    TamperKind,
    TamperPhase,
)
from tests.unit.watch.station import Station, on_a_station


async def armed(station: Station) -> None:
    await station.patch("video", camera1={"resolution": "320x180", "fps": 2})
    await station.sleep(12)
    assert state(station).phase is TamperPhase.ARMED


def state(station: Station) -> TamperingState:
    return station.state(TamperingState, "camera1")


@pytest.mark.parametrize("kind", ["covered", "sprayed", "blurred", "turned"])
def test_row_51_tampering_with_a_camera_is_an_event_and_a_state_within_ten_seconds(tmp_path: Path, kind: str) -> None:
    async def scene(station: Station) -> None:
        await armed(station)
        station.camera.fault(kind)
        began_s = station.bench.world.now_s
        while not station.told(TamperingDetected):
            await station.sleep(0.1)
            assert station.bench.world.now_s - began_s < 10
        (detected,) = station.told(TamperingDetected)
        assert detected.camera == "camera1"
        assert (state(station).tampered, state(station).what) == (True, detected.what)
        assert state(station).cause == detected.id
        station.camera.clear()
        await station.sleep(4)
        (ended,) = station.told(TamperingEnded)
        assert not ended.relearned
        assert not state(station).tampered

    on_a_station(tmp_path, scene, pictures=True)


def test_row_51_lights_day_night_and_infrared_are_no_tampering(tmp_path: Path) -> None:
    async def scene(station: Station) -> None:
        await armed(station)
        for happens in ("lamp", "dark", "rain", "people"):
            station.camera.fault(happens)
            await station.sleep(12)
            station.camera.clear()
            await station.sleep(3)
        station.bench.light_chip.light(0.5)  # night: the filter goes, the infrared lamp comes
        await station.sleep(30)
        station.bench.light_chip.light(500)
        await station.sleep(30)
        assert station.told(TamperingDetected) == []

    on_a_station(tmp_path, scene, pictures=True)


def test_no_signal_is_a_state_of_its_own_and_the_scene_stays_known(tmp_path: Path) -> None:
    async def scene(station: Station) -> None:
        await armed(station)
        station.camera.unplug()
        await station.sleep(20)
        assert state(station).phase is TamperPhase.NO_SIGNAL
        assert station.told(TamperingDetected) == []
        station.camera.fault("turned")
        station.camera.plug()
        await station.sleep(14)
        (detected,) = station.told(TamperingDetected)
        assert detected.what is TamperKind.MOVED

    on_a_station(tmp_path, scene, pictures=True)


def test_a_dark_picture_counts_from_the_moment_the_option_is_on(tmp_path: Path) -> None:
    async def scene(station: Station) -> None:
        await armed(station)
        await station.patch("day_night", allow_illumination=False, ir_cut_filter="on")
        await station.patch("tampering", camera1={"trigger_delay_s": 2})
        station.bench.light_chip.light(0.1)
        await station.sleep(10)
        assert state(station).dark
        assert station.told(TamperingDetected) == []
        await station.patch("tampering", camera1={"trigger_on_dark": True})
        await station.sleep(3)
        (detected,) = station.told(TamperingDetected)
        assert detected.what is TamperKind.DARK

    on_a_station(tmp_path, scene, pictures=True)


def test_learning_anew_by_name_ends_tampering(tmp_path: Path) -> None:
    async def scene(station: Station) -> None:
        await armed(station)
        station.camera.fault("turned")
        await station.sleep(8)
        assert state(station).tampered
        await station.act("tampering.relearn", camera="entrance")
        (ended,) = station.told(TamperingEnded)
        assert ended.relearned
        await station.sleep(13)
        assert (state(station).phase, state(station).tampered) == (TamperPhase.ARMED, False)
        with pytest.raises(NotFound, match=r"no camera 'entrence'; did you mean 'entrance'\?"):
            await station.act("tampering.relearn", camera="entrence")

    on_a_station(tmp_path, scene, pictures=True)


@pytest.mark.parametrize("delay_s", [0, 601, float("nan"), "soon"])
def test_a_delay_that_is_none_is_refused_with_its_range(tmp_path: Path, delay_s: object) -> None:
    async def scene(station: Station) -> None:
        with pytest.raises(Invalid, match=r"tampering\.camera1"):
            await station.patch("tampering", camera1={"trigger_delay_s": delay_s})

    on_a_station(tmp_path, scene, pictures=True)
