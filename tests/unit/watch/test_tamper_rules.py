"""The decisions of the tampering detector, and its numbers from any picture there may be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware.core.vocabulary.watch import TamperKind, TamperPhase
from firmware.video.frames import small_luma
from firmware.video.scene_features import _gathered, _percentile, features_of
from firmware.video.scene_model import Look, SceneModel
from firmware.video.tamper_rules import (
    CLEAR_S,
    GLIMPSE_S,
    TamperRules,
    TamperWatch,
    cause_of,
    is_dark,
    is_well,
)
from hal.errors import OutOfRange
from hal.pictures import Frame, Plane, Size
from hal.planes import picture_of, scaled
from tests.effort import examples
from tests.unit.watch.scenes import KINDS, armed, of_kind

parts = st.floats(0, 1)
luma = st.floats(0, 255)
looks = st.builds(
    Look, visible=parts, kept=parts, soft=parts, lively=parts, contours=st.integers(8, 200), mean=luma, bright=luma
)
rules = st.builds(TamperRules, delay_s=st.floats(1, 600), on_dark=st.booleans())


@given(looks, rules)
def test_no_picture_is_both_well_and_wrong(look: Look, rules: TamperRules) -> None:
    assert not (is_well(look) and cause_of(look, rules) is not None)


@given(looks, rules)
def test_a_dark_picture_is_wrong_exactly_where_that_is_wished(look: Look, rules: TamperRules) -> None:
    if is_dark(look):
        assert (cause_of(look, rules) is TamperKind.DARK) is rules.on_dark
    else:
        assert cause_of(look, rules) is not TamperKind.DARK


@given(looks, looks, rules)
def test_less_of_the_scene_is_never_less_wrong(one: Look, other: Look, rules: TamperRules) -> None:
    lesser, greater = sorted((one, other), key=lambda look: look.kept)
    same = Look(
        kept=lesser.kept,
        visible=greater.visible,
        soft=greater.soft,
        lively=greater.lively,
        contours=greater.contours,
        mean=greater.mean,
        bright=greater.bright,
    )
    if cause_of(greater, rules) is not None:
        assert cause_of(same, rules) is not None


steps = st.lists(st.tuples(st.sampled_from(KINDS), st.floats(0.1, 4)), max_size=60)


@settings(max_examples=examples(50))
@given(steps, st.floats(1, 20), st.booleans())
def test_whatever_is_seen_in_whatever_order_alarms_come_after_the_delay_and_end_with_the_scene(
    story: list[tuple[str, float]], delay_s: float, on_dark: bool
) -> None:
    watch = armed_watch(TamperRules(delay_s=delay_s, on_dark=on_dark))
    t_s, alarm = 100.0, False
    wrong_from: float | None = None  # the first wrong picture since the last one that ended a run of wrong ones
    last_wrong = well_from = None
    for kind, after_s in story:
        t_s += after_s
        finding = watch.feed(round(t_s * 1e9), of_kind(kind))
        wrong = kind in ("covered", "blurred", "turned") or (kind == "night" and on_dark)
        if not alarm:
            if wrong:
                wrong_from = t_s if wrong_from is None else wrong_from
                last_wrong = t_s
            elif last_wrong is not None and t_s - last_wrong > GLIMPSE_S + 1e-6:
                wrong_from = None
            due = wrong and wrong_from is not None and t_s - wrong_from >= delay_s + 1e-6
            early = wrong_from is None or t_s - wrong_from < delay_s - 1e-6
            assert not (due and finding.detected is None)
            assert not (early and finding.detected is not None)
        else:
            assert finding.detected is None
            well_from = None if kind != "well" else t_s if well_from is None else well_from
            if finding.ended:
                assert well_from is not None
                assert t_s - well_from >= CLEAR_S - 1e-6
        if finding.detected is not None or finding.ended:
            alarm, wrong_from, last_wrong, well_from = not alarm, None, None, None
        assert (watch.tampered is not None) is alarm
        assert watch.phase is TamperPhase.ARMED


def armed_watch(rules: TamperRules) -> TamperWatch:
    watch = TamperWatch(rules)
    for second in range(50, 62):
        watch.feed(second * 10**9, of_kind("well"))
    assert watch.phase is TamperPhase.ARMED
    return watch


@st.composite
def planes(draw: st.DrawFn) -> Plane:
    """Any size, any stride, any pixels: flat, noise, stripes, and what lies between the rows is noise too."""
    width, height = draw(st.integers(64, 400)), draw(st.integers(48, 300))
    stride = width + draw(st.sampled_from([0, 1, 7, 64]))
    luck = np.random.default_rng(draw(st.integers(0, 1000)))
    memory = luck.integers(0, 256, stride * height, dtype=np.uint8)
    kind = draw(st.sampled_from(["noise", "flat", "stripes", "ramp"]))
    rows = memory.reshape(height, stride)[:, :width]
    if kind == "flat":
        rows[:] = draw(st.integers(0, 255))
    elif kind == "stripes":
        rows[:, :: draw(st.integers(2, 9))] = 255
    elif kind == "ramp":
        rows[:] = np.linspace(0, 255, width).astype(np.uint8)
    return Plane(memory.data, width, height, stride)


@pytest.mark.parametrize("limited", [False, True])
def test_a_white_picture_is_as_bright_as_there_is_and_no_brighter(limited: bool) -> None:
    white = np.full((255, 311), 255, np.uint8)  # whose mean in single precision is a little more
    seen = features_of(Plane(white.data, 311, 255, 311), limited=limited)
    assert (seen.mean, seen.bright) == (255, 255)


@given(planes(), planes(), st.booleans())
@settings(max_examples=examples(40))
def test_any_picture_gives_numbers_in_their_ranges(one: Plane, other: Plane, limited: bool) -> None:
    first, second = features_of(one, limited=limited), features_of(other, limited=limited)
    for numbers in (first.directions, first.fine, first.coarse):
        assert np.isfinite(numbers).all()
    assert 0 <= first.mean <= 255
    assert 0 <= first.bright <= 255
    model = SceneModel(first)
    model.teach(first, 0.5)
    for now in (first, second):
        if model.fits(now):
            look = model.look(now)
            assert 0 <= look.kept <= 1
            assert 0 <= look.soft <= 1
            assert 0 <= look.lively <= 1
            assert 0 <= look.visible <= 1
            model.teach(now, 0.1)
            assert np.isfinite(look.kept)
    if model.look(first).visible:
        assert SceneModel(first).look(first).kept == 1


@settings(max_examples=examples(30))
@given(planes(), st.lists(st.floats(0, 30), min_size=1, max_size=5))
def test_any_picture_may_be_fed_to_a_detector_that_knows_another_scene(plane: Plane, gaps_s: list[float]) -> None:
    watch = armed_watch(TamperRules())
    t_s = 100.0
    for gap_s in gaps_s:
        t_s += gap_s
        watch.feed(round(t_s * 1e9), features_of(plane))
    assert watch.phase in (TamperPhase.ARMED, TamperPhase.LEARNING, TamperPhase.NO_CONTOURS)


def test_what_lies_between_the_rows_of_a_picture_is_not_looked_at() -> None:
    luck = np.random.default_rng(3)
    rows = luck.integers(0, 256, (120, 160), dtype=np.uint8)
    padded = np.hstack([rows, luck.integers(0, 256, (120, 32), dtype=np.uint8)])
    packed, strided = features_of(Plane(rows.data, 160, 120, 160)), features_of(Plane(padded.data, 160, 120, 192))
    assert (packed.directions == strided.directions).all()
    assert (packed.fine == strided.fine).all()
    assert packed.mean == strided.mean


def test_a_picture_too_small_to_judge_is_refused_with_its_size() -> None:
    with pytest.raises(OutOfRange, match=r"at least 64 x 48 \(got 62 x 48\)"):
        features_of(Plane(memoryview(bytes(62 * 48)), 62, 48, 62))


def test_black_is_black_in_limited_range_too() -> None:
    black = Plane(memoryview(bytes([16]) * (160 * 90)), 160, 90, 160)
    assert features_of(black, limited=True).mean == 0
    assert features_of(black).mean == 16


def test_the_model_follows_a_scene_that_changes_slowly() -> None:
    watched = armed()
    for step in range(20):
        assert watched.see(6, step_s=2, lux=500 - 20 * step) == []
    assert watched.see(10, "covered")[0][1].detected is TamperKind.COVERED


@given(st.integers(1, 12), st.integers(1, 9), st.integers(1, 9), st.integers(0, 5), st.integers(0, 2**32 - 1))
def test_squares_are_gathered_into_their_means_without_what_is_left_over(
    step: int, width: int, height: int, over: int, seed: int
) -> None:
    over = min(over, step - 1)
    values = np.random.default_rng(seed).random((height * step + over, width * step + over), np.float32)
    whole = values[: height * step, : width * step].reshape(height, step, width, step)
    assert _gathered(values, step) == pytest.approx(whole.mean(axis=(1, 3)), rel=1e-5)


@given(st.lists(st.floats(0, 1e6, width=32), min_size=1, max_size=60), st.floats(0, 100))
def test_a_percentile_is_numpys_own(values: list[float], percent: float) -> None:
    numbers = np.array(values, np.float32)
    assert _percentile(numbers, percent) == pytest.approx(float(np.percentile(numbers, percent)), rel=1e-5, abs=1e-5)


@given(st.sampled_from([(1280, 720), (640, 360), (1920, 1080)]), st.integers(0, 2**32 - 1))
def test_a_camera_without_a_small_stream_is_looked_at_in_the_same_size(size: tuple[int, int], seed: int) -> None:
    width, height = size
    y = np.random.default_rng(seed).integers(0, 255, (height, width), np.uint8)
    main = picture_of(y, y[::2, ::2], y[1::2, 1::2])
    lores = scaled(main, Size(320, 180))
    assert small_luma(Frame(0, 1, main)) == small_luma(Frame(0, 1, main, lores)) == lores.y
