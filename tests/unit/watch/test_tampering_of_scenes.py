"""The tampering detector before the simulated scene: what people do to a camera, and what only looks like it."""

from __future__ import annotations

import random

import pytest

from firmware.core.vocabulary.watch import TamperKind, TamperPhase
from firmware.video.tamper_rules import TamperRules, TamperWatch
from hal.pictures import CameraSettings, Size
from tests.effort import examples
from tests.unit.watch.scenes import Watched, armed

SEEDS = range(examples(3))
TAMPERINGS = {
    "covered": TamperKind.COVERED,
    "sprayed": TamperKind.MOVED,
    "blurred": TamperKind.BLURRED,
    "turned": TamperKind.MOVED,
}
DECOYS: dict[str, tuple[tuple[str, ...], dict[str, object]]] = {
    "a lamp is switched on": (("lamp",), {}),
    "the lights go out": (("dark",), {}),
    "the lights go out but one": ((), {"lux": 40}),
    "infrared light at night": ((), {"lux": 0.5, "infrared": True}),
    "rain": (("rain",), {}),
    "people": (("people",), {}),
    "people under a lamp in the rain": (("people", "lamp", "rain"), {}),
    "a contrast of 25": ((), {"settings": CameraSettings(contrast=25)}),
}


@pytest.mark.parametrize("kind", TAMPERINGS)
@pytest.mark.parametrize("seed", SEEDS)
def test_row_51_a_camera_that_is_tampered_with_says_so_within_ten_seconds(kind: str, seed: int) -> None:
    luck = random.Random(f"{kind} {seed}")
    size = luck.choice([Size(320, 180), Size(640, 360), Size(640, 480)])
    with_it = luck.choice([(), ("people",), ("rain",)])
    watched = armed(at_s=luck.uniform(0, 1000), size=size)
    found = watched.see(10, kind, *with_it, size=size)
    assert [finding.detected for _, finding in found] in ([TAMPERINGS[kind]], [TamperKind.MOVED]), found
    assert 5 <= found[0][0] <= 10
    assert watched.watch.tampered is found[0][1].detected


@pytest.mark.parametrize("decoy", DECOYS)
@pytest.mark.parametrize("seed", SEEDS)
def test_row_51_what_only_looks_like_tampering_is_none(decoy: str, seed: int) -> None:
    luck = random.Random(f"{decoy} {seed}")
    size = luck.choice([Size(320, 180), Size(640, 360), Size(640, 480)])
    faults, how = DECOYS[decoy]
    watched = armed(at_s=luck.uniform(0, 1000), size=size)
    assert watched.see(12, *faults, size=size, **how) == []
    assert watched.see(2, size=size) == []


@pytest.mark.parametrize("kind", TAMPERINGS)
def test_tampering_ends_when_the_scene_is_back_and_the_next_one_is_found_too(kind: str) -> None:
    watched = armed()
    for _ in range(2):
        assert [finding.detected for _, finding in watched.see(8, kind)] == [TAMPERINGS[kind]]
        (after_s, finding), *more = watched.see(5)
        assert finding.ended
        assert not finding.relearned
        assert not more
        assert after_s <= 3
        assert watched.watch.tampered is None


@pytest.mark.parametrize("kind", TAMPERINGS)
def test_tampering_under_infrared_light_is_found(kind: str) -> None:
    night: dict[str, object] = {"lux": 0.5, "infrared": True}
    watched = armed()
    assert watched.see(10, **night) == []
    found = watched.see(10, kind, **night)
    assert len(found) == 1
    assert found[0][1].detected is not None


def test_a_dark_picture_is_tampering_only_where_that_is_wished() -> None:
    assert armed(TamperRules(on_dark=False)).see(30, lux=0.5) == []
    found = armed(TamperRules(on_dark=True)).see(30, lux=0.5)
    assert [finding.detected for _, finding in found] == [TamperKind.DARK]


@pytest.mark.parametrize("delay_s", [1, 5, 8, 30])
def test_nothing_is_said_before_the_trigger_delay(delay_s: float) -> None:
    watched = armed(TamperRules(delay_s=delay_s))
    ((after_s, finding),) = watched.see(delay_s + 5, "covered")
    assert after_s - 1 <= delay_s <= after_s
    assert finding.after_s >= delay_s


def test_a_hand_before_the_lens_for_less_than_the_delay_is_nothing() -> None:
    watched = armed()
    for _ in range(5):
        assert watched.see(4, "covered") == []
        assert watched.see(3) == []


def test_a_glimpse_of_the_scene_does_not_begin_the_delay_again() -> None:
    watched = armed()
    assert watched.see(3, "covered") == []
    assert watched.see(0.5) == []
    ((after_s, _),) = watched.see(5, "covered")
    assert after_s <= 2.5


def test_it_arms_after_ten_seconds_of_a_scene_that_stays() -> None:
    watched = Watched(TamperWatch())
    assert watched.watch.phase is TamperPhase.NO_SIGNAL
    watched.see(9.5)
    assert watched.watch.phase is TamperPhase.LEARNING
    watched.see(2)
    assert watched.watch.phase is TamperPhase.ARMED


def test_a_camera_that_is_still_being_pointed_does_not_arm() -> None:
    watched = Watched(TamperWatch())
    for _ in range(4):
        watched.see(6)
        watched.see(6, "turned")
        assert watched.watch.phase is TamperPhase.LEARNING
    watched.see(6, "turned")
    assert watched.watch.phase is TamperPhase.ARMED


def test_before_a_scene_without_contours_it_says_that_it_cannot_watch() -> None:
    watched = Watched(TamperWatch())
    assert watched.see(30, "covered") == []
    assert watched.watch.phase is TamperPhase.NO_CONTOURS
    watched.see(25)
    assert watched.watch.phase is TamperPhase.ARMED


def test_it_does_not_learn_the_dark() -> None:
    watched = Watched(TamperWatch())
    watched.see(30, lux=0.5)
    assert watched.watch.phase is TamperPhase.LEARNING
    assert watched.watch.dark


def test_a_camera_that_was_turned_while_it_had_no_cable_is_found_out() -> None:
    watched = armed()
    watched.watch.no_signal()
    assert watched.watch.phase is TamperPhase.NO_SIGNAL
    watched.t_s += 60
    found = watched.see(10, "turned")
    assert [finding.detected for _, finding in found] == [TamperKind.MOVED]


def test_tampering_outlasts_a_loss_of_the_signal() -> None:
    watched = armed()
    watched.see(8, "turned")
    watched.watch.no_signal()
    assert watched.watch.tampered is TamperKind.MOVED
    assert watched.see(8, "turned") == []
    assert watched.watch.tampered is TamperKind.MOVED


def test_a_camera_that_was_mounted_anew_is_tampered_with_for_ten_minutes_and_then_watches_its_new_scene() -> None:
    watched = armed()
    found = watched.see(640, "turned", step_s=4)
    assert [finding.detected for _, finding in found[:1]] == [TamperKind.MOVED]
    after_s, finding = found[1]
    assert 600 <= after_s <= 620
    assert finding.ended
    assert finding.relearned
    assert watched.see(10, "turned", "covered")[0][1].detected is TamperKind.COVERED


def test_a_lens_that_stays_covered_is_never_taken_for_a_scene() -> None:
    watched = armed()
    watched.see(8, "covered")
    assert watched.see(700, "covered", step_s=5) == []
    assert watched.watch.tampered is TamperKind.COVERED


def test_learning_anew_ends_tampering() -> None:
    watched = armed()
    watched.see(8, "turned")
    finding = watched.watch.relearn()
    assert finding.ended
    assert finding.relearned
    watched.see(12, "turned")
    assert watched.watch.phase is TamperPhase.ARMED
    assert watched.watch.tampered is None


def test_row_51_a_day_of_weather_people_and_lamps_raises_no_alarm() -> None:
    # From noon to noon; looked at every six minutes, so two bad pictures in a row would be an alarm.
    luck = random.Random(51)
    watched = armed()
    every_s = 360 / examples(1)
    while watched.t_s < 86_400:
        hours = watched.t_s / 3600
        lux = 0.3 + 500 * abs(1 - hours / 12) ** 2
        happens = [kind for kind, chance in (("people", 0.3), ("rain", 0.2), ("lamp", 0.2)) if luck.random() < chance]
        watched.t_s += every_s
        found = watched.see(0.5, *happens, lux=lux, infrared=lux < 5)
        assert found == [], (hours, lux, happens, found)
