"""What a panel wants of light, buzzer, text and outputs, with the timers applied; virtual time."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hal.osdp.codes import NakCode
from hal.osdp.commands import (
    Buz,
    Led,
    LedPermanent,
    LedRecord,
    LedTemporary,
    Out,
    OutputControl,
    OutputRecord,
    Text,
)
from hal.osdp.payload import Malformed
from hal.osdp.timers import Wishes
from hal.types import Colour, PanelBuzz, PanelFact, PanelOutput, PanelText, Pattern

DS = 100_000_000
byte = st.integers(0, 255)


def wishes() -> Wishes:
    return Wishes(leds=2, outputs=2, text=True)


def play(wanted: Wishes, facts: list[PanelFact], until_ns: int) -> list[PanelFact]:
    """Let time pass, waking exactly when asked."""
    told = list(facts)
    while wanted.next_ns is not None and wanted.next_ns <= until_ns:
        told += wanted.tick(wanted.next_ns)
    return told


def light(permanent: LedPermanent | None = None, temporary: LedTemporary | None = None, led: int = 0) -> Led:
    return Led((LedRecord(0, led, temporary or LedTemporary(), permanent or LedPermanent()),))


def test_a_buzzer_sounds_as_often_and_as_long_as_it_was_told() -> None:
    wanted = wishes()
    told = play(wanted, wanted.buzz(0, Buz(0, 2, 2, 1, 3)), 100 * DS)
    assert [(fact.t_ns // DS, fact.on) for fact in told if isinstance(fact, PanelBuzz)] == [
        (0, True),
        (2, False),
        (3, True),
        (5, False),
        (6, True),
        (8, False),
    ]


def test_a_buzzer_without_an_end_sounds_until_it_is_told_otherwise() -> None:
    wanted = wishes()
    assert wanted.buzz(0, Buz(0, 2, 1, 0, 0)) == [PanelBuzz(t_ns=0, on=True)]
    assert wanted.next_ns is None
    assert wanted.buzz(5 * DS, Buz(0, 1, 0, 0, 0)) == [PanelBuzz(t_ns=5 * DS, on=False)]


def test_a_temporary_light_can_be_cancelled_and_the_permanent_one_comes_back() -> None:
    wanted = wishes()
    red, blue = LedPermanent(1, 1, 0, 1, 0), LedTemporary(2, 2, 2, 4, 0, 0)
    told = wanted.led(0, light(red)) + wanted.led(1, light(temporary=blue))
    told += wanted.led(2, light(temporary=LedTemporary(1)))
    assert [str(fact.pattern) for fact in told] == ["red", "blue 200 ms off 200 ms", "red"]


def test_a_permanent_light_that_changes_under_a_temporary_one_shows_when_that_ends() -> None:
    wanted = wishes()
    told = wanted.led(0, light(temporary=LedTemporary(2, 1, 0, 2, 0, 10)))
    told += wanted.led(1, light(LedPermanent(1, 1, 0, 1, 0)))
    told = play(wanted, told, 20 * DS)
    assert [(fact.t_ns, str(fact.pattern)) for fact in told] == [(0, "green"), (10 * DS, "red")]


def test_an_all_zero_record_is_taken_and_changes_nothing() -> None:
    wanted = wishes()
    assert wanted.led(0, light()) == []


@pytest.mark.parametrize(
    "record", [LedRecord(led=2), LedRecord(reader=1), LedRecord(temporary=LedTemporary(3)),
               LedRecord(permanent=LedPermanent(1, 1, 0, 8, 0))],
)  # fmt: skip
def test_an_impossible_light_is_refused_and_no_other_record_is_done(record: LedRecord) -> None:
    wanted = wishes()
    good = LedRecord(permanent=LedPermanent(1, 1, 0, 1, 0))
    with pytest.raises(Malformed) as refused:
        wanted.led(0, Led((good, record)))
    assert refused.value.nak is NakCode.RECORD
    assert [str(fact.pattern) for fact in wanted.led(1, Led((good,)))] == ["red"]


def out(control: OutputControl, timer_ds: int = 0, number: int = 0) -> Out:
    return Out((OutputRecord(number, control, timer_ds),))


def test_a_timed_output_goes_back_to_what_it_was() -> None:
    wanted = wishes()
    told = wanted.out(0, out(OutputControl.ON))
    told += wanted.out(1 * DS, out(OutputControl.OFF_FOR, 5))
    told = play(wanted, told, 20 * DS)
    assert [(fact.t_ns // DS, fact.on) for fact in told if isinstance(fact, PanelOutput)] == [
        (0, True),
        (1, False),
        (6, True),
    ]


def test_a_permanent_order_that_lets_the_timer_end_waits_for_it_and_one_that_does_not_does_not() -> None:
    wanted = wishes()
    told = wanted.out(0, out(OutputControl.ON_FOR, 10))
    told += wanted.out(1 * DS, out(OutputControl.ON_AFTER_TIMER))
    assert [fact.on for fact in play(wanted, told, 20 * DS) if isinstance(fact, PanelOutput)] == [True]
    told = wanted.out(30 * DS, out(OutputControl.ON_FOR, 10)) + wanted.out(31 * DS, out(OutputControl.OFF))
    assert [(fact.t_ns // DS, fact.on) for fact in told if isinstance(fact, PanelOutput)] == [(31, False)]
    assert wanted.next_ns is None


def test_a_text_keeps_its_time_only_when_it_is_temporary() -> None:
    wanted = wishes()
    assert wanted.text(0, Text(0, 3, 9, 1, 1, "Hello")) == [PanelText(t_ns=0, text="Hello", for_s=9.0)]
    assert wanted.text(0, Text(0, 1, 9, 1, 1, "Hello")) == [PanelText(t_ns=0, text="Hello", for_s=0.0)]
    with pytest.raises(Malformed):
        wanted.text(0, Text(0, 5, 0, 1, 1, "x"))
    with pytest.raises(Malformed):
        Wishes(leds=1, outputs=0, text=False).text(0, Text(0, 1, 0, 1, 1, "x"))


@given(st.lists(st.tuples(st.integers(0, 30), st.one_of(
    st.builds(Buz, st.just(0), byte, byte, byte, byte),
    st.builds(light, st.builds(LedPermanent, st.integers(0, 1), byte, byte, st.integers(0, 7), st.integers(0, 7)),
              st.builds(LedTemporary, st.integers(0, 2), byte, byte, st.integers(0, 7), st.integers(0, 7), byte)),
    st.builds(out, st.sampled_from(OutputControl), byte),
)), max_size=12))  # fmt: skip
def test_whatever_is_asked_every_fact_is_a_change_and_time_never_stands_still(
    orders: list[tuple[int, Buz | Led | Out]],
) -> None:
    wanted, t_ns, told = wishes(), 0, []
    for pause_ds, order in orders:
        end_ns = t_ns + pause_ds * DS
        while wanted.next_ns is not None and wanted.next_ns <= end_ns:
            t_ns = max(t_ns, wanted.next_ns)
            told += wanted.tick(t_ns)
            assert wanted.next_ns is None or wanted.next_ns > t_ns
        t_ns = end_ns
        match order:
            case Buz():
                told += wanted.buzz(t_ns, order)
            case Led():
                told += wanted.led(t_ns, order)
            case Out():
                told += wanted.out(t_ns, order)
    sounds = [fact.on for fact in told if isinstance(fact, PanelBuzz)]
    assert all(a != b for a, b in pairwise(sounds))
    switched = [fact.on for fact in told if isinstance(fact, PanelOutput)]
    assert all(a != b for a, b in pairwise(switched))
    assert [fact.t_ns for fact in told] == sorted(fact.t_ns for fact in told)


def test_colours_our_lights_lack_become_the_nearest() -> None:
    wanted = wishes()
    (told,) = wanted.led(0, light(LedPermanent(1, 1, 0, 6, 0)))
    assert told.pattern == Pattern.steady(Colour.BLUE)
