"""What a forwarded credential may, and what is sent of it: the pure decisions of the controller room."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.controller.colours import colour_of
from firmware.controller.deciding import decide
from firmware.controller.face import Said
from firmware.controller.settings import ControllerParams, WhenLost
from firmware.controller.wiegand import frames_of
from firmware.core.cards.keypress import Unsendable
from firmware.core.vocabulary.controller import ForwardParams, Verdict
from hal.types import Colour

BITS = "10010101000000100110100100"  # H10301:42:1234


def question(**more: object) -> ForwardParams:
    return ForwardParams(reader="reader1", door="door", **more)  # type: ignore[arg-type]


CARD = question(bits=BITS, fitting=("H10301:42:1234",))
UNKNOWN_LAYOUT = question(bits="1" * 40)
PIN = question(pin="1234")


def test_a_lost_controller_denies_by_default() -> None:
    assert ControllerParams().when_lost is WhenLost.DENY
    assert not decide(Said(Verdict.LOST, "gone"), CARD, ControllerParams().when_lost).granted


def test_a_lost_controller_grants_a_readable_card_only_when_somebody_chose_that() -> None:
    answer = decide(Said(Verdict.LOST, "gone"), CARD, WhenLost.GRANT)
    assert answer.granted
    assert answer.verdict is Verdict.LOST
    assert answer.reason == "gone; granted as configured for a lost controller"


SERIAL = question(bits="1" * 32, fitting=("UID:04A1B2C3", "RAW:32:" + "1" * 32))


@pytest.mark.parametrize("asked", [UNKNOWN_LAYOUT, SERIAL, PIN, question(key="5"), question()])
def test_a_lost_controller_never_grants_what_no_format_understands(asked: ForwardParams) -> None:
    assert not decide(Said(Verdict.LOST), asked, WhenLost.GRANT).granted


@given(st.sampled_from(Verdict), st.sampled_from([CARD, PIN, UNKNOWN_LAYOUT]), st.sampled_from(WhenLost))
def test_nothing_opens_but_a_grant_or_a_chosen_grant_when_lost(
    verdict: Verdict, asked: ForwardParams, when_lost: WhenLost
) -> None:
    granted = decide(Said(verdict), asked, when_lost).granted
    chosen = verdict is Verdict.LOST and when_lost is WhenLost.GRANT and asked is CARD
    assert granted is (verdict is Verdict.GRANTED or chosen)


# colours (manual 001, Input used for LED control)


def lines(count: int, **more: object) -> ControllerParams:
    return ControllerParams(led_inputs=count, led1_input="io1", led2_input="io2", **more)


def test_without_a_line_the_idle_colour_stands() -> None:
    assert colour_of(lines(0, idle_colour=Colour.BLUE), {"io1": True}) is Colour.BLUE


@pytest.mark.parametrize(("active", "colour"), [(False, Colour.RED), (True, Colour.GREEN)])
def test_one_line_has_a_colour_for_low_and_for_high(active: bool, colour: Colour) -> None:
    assert colour_of(lines(1), {"io1": active, "io2": not active}) is colour


@pytest.mark.parametrize(
    ("led1", "led2", "colour"),
    [
        (False, False, Colour.OFF),
        (True, False, Colour.RED),
        (False, True, Colour.GREEN),
        (True, True, Colour.AMBER),
    ],
)
def test_two_lines_have_a_colour_for_each_of_their_states(led1: bool, led2: bool, colour: Colour) -> None:
    assert colour_of(lines(2), {"io1": led1, "io2": led2}) is colour


def test_a_line_that_is_not_there_is_not_active() -> None:
    assert colour_of(lines(2), {}) is Colour.OFF


# frames


def test_a_card_goes_out_as_it_was_read() -> None:
    assert frames_of(CARD, ControllerParams()) == (BITS,)


def test_a_card_is_written_anew_in_the_chosen_format() -> None:
    params = ControllerParams(data_format="Wiegand26", facility_mode="Override", facility_code=7)
    assert frames_of(CARD, params) == ("10000011100000100110100100",)


def test_a_pin_goes_out_key_by_key_with_its_end_key() -> None:
    params = ControllerParams(keypress_format="EightBitInvertPadded", pin_end_key="#")
    assert [f"{int(frame, 2):02X}" for frame in frames_of(PIN, params)] == ["E1", "D2", "C3", "B4", "4B"]


def test_a_whole_pin_is_one_frame_and_single_keys_are_none() -> None:
    params = ControllerParams(keypress_format="Wiegand26", keypress_facility_code=5, pin_end_key="#")
    assert frames_of(PIN, params) == ("00000010100000100110100100",)
    assert frames_of(question(key="1"), params) == ()


def test_a_pin_that_would_arrive_as_another_one_is_not_sent() -> None:
    with pytest.raises(Unsendable):
        frames_of(question(pin="0123"), ControllerParams(keypress_format="Wiegand26"))


def test_card_and_pin_go_out_card_first() -> None:
    both = question(bits=BITS, fitting=("H10301:42:1234",), pin="12")
    assert frames_of(both, ControllerParams()) == (BITS, "0001", "0010")


def test_a_card_that_is_known_by_its_serial_number_goes_out_as_its_bits() -> None:
    assert frames_of(SERIAL, ControllerParams()) == ("1" * 32,)
    behind = question(bits=BITS, fitting=("UID:04A1B2C3", "H10301:42:1234"))
    params = ControllerParams(data_format="Wiegand26", facility_mode="Override", facility_code=7)
    assert frames_of(behind, params) == ("10000011100000100110100100",)
