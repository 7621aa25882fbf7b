"""The parameter group `controller`: what a board has not is refused with the nearest thing that it has."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from firmware.controller.settings import BoardFacts, ControllerParams, controller_group
from firmware.core.values import explain
from firmware.core.vocabulary.controller import ControllerProtocol
from hal.types import Colour

FACTS = BoardFacts(
    protocols=frozenset({ControllerProtocol.OFF, ControllerProtocol.HTTP, ControllerProtocol.WIEGAND}),
    ports={"io1": "io1", "io2": "io2", "door_lamp": "io2", "io3": "io3"},
    readers={"reader1": "reader1", "front": "reader1"},
    colours=frozenset({Colour.OFF, Colour.RED, Colour.GREEN, Colour.AMBER}),
)
GROUP = controller_group(FACTS)


def refused(**wishes: Any) -> str:
    with pytest.raises(ValidationError) as raised:
        GROUP.model_validate(wishes)
    return str(explain(raised.value, GROUP, "controller"))


def test_the_defaults_are_those_of_the_manual_and_off() -> None:
    params = GROUP()
    assert isinstance(params, ControllerParams)
    assert params.protocol is ControllerProtocol.OFF
    assert (params.pulse_us, params.interval_us, params.frame_gap_us) == (40, 2000, 25_000)
    assert (params.keypress_format, params.keypress_facility_code) == ("FourBit", 0)
    assert (params.low_colour, params.high_colour) == (Colour.RED, Colour.GREEN)
    assert [params.colour_00, params.colour_01, params.colour_10, params.colour_11] == [
        Colour.OFF,
        Colour.RED,
        Colour.GREEN,
        Colour.AMBER,
    ]
    assert (params.osdp_address, params.osdp_insecure) == (0, False)


@pytest.mark.parametrize("name", ["beeper_input", "led1_input", "led2_input"])
def test_an_unknown_port_is_refused_with_the_nearest_one(name: str) -> None:
    assert refused(**{name: "io33"}) == (
        f"controller.{name}: no I/O port 'io33' on this board; did you mean 'io3'? (got 'io33')"
    )


def test_a_port_may_be_called_by_its_alias() -> None:
    assert GROUP(beeper_input="door_lamp").beeper_input == "io2"


def test_a_line_that_is_counted_must_be_named() -> None:
    assert "led_inputs 2 needs led2_input" in refused(led_inputs=2, led1_input="io1")


def test_one_port_cannot_be_two_lines() -> None:
    assert "'io2' is led1_input already" in refused(led_inputs=1, led1_input="io2", beeper_input="door_lamp")


def test_a_port_that_is_not_counted_may_be_used_again() -> None:
    assert GROUP(led_inputs=0, led1_input="io1", beeper_input="io1").inputs() == {"beeper_input": "io1"}


def test_a_protocol_without_its_connector_is_refused() -> None:
    said = refused(protocol="osdp")
    assert "this board has no connector for osdp; valid: http, off, wiegand" in said


def test_a_misspelt_protocol_names_the_valid_ones() -> None:
    assert "'off', 'wiegand', 'osdp' or 'http'" in refused(protocol="wigand")


def test_an_unknown_reader_is_refused_with_the_nearest_one() -> None:
    assert "no reader 'frnt' on this board; did you mean 'front'?" in refused(shown_on=("frnt",))


def test_a_colour_that_no_reader_has_is_refused() -> None:
    assert "no reader here can show blue; valid: amber, green, off, red" in refused(high_colour="blue")


def test_a_facility_code_that_the_format_cannot_hold_is_refused() -> None:
    said = refused(data_format="Wiegand26", facility_mode="Override", facility_code=256)
    assert "facility_code (Wiegand26) 256 is not between 0 and 255" in said
    assert "facility code 256" in refused(keypress_format="Wiegand26", keypress_facility_code=256)


def test_a_custom_layout_that_cannot_be_is_refused() -> None:
    said = refused(data_format="Custom", card_number_size=8, start_parity="Even", start_parity_bits=9)
    assert "start_parity_bits 9 is not between 1 and 8" in said


@pytest.mark.parametrize(
    ("name", "value"),
    [("pulse_us", 19), ("pulse_us", 101), ("interval_us", 199), ("frame_gap_us", 19_999), ("osdp_address", 127),
     ("osdp_baud", 14_400), ("timeout_s", 0.4), ("timeout_s", 9.1), ("led_inputs", 3)],
)  # fmt: skip
def test_a_value_outside_its_range_is_refused_by_name(name: str, value: float) -> None:
    assert refused(**{name: value}).startswith(f"controller.{name}: ")


def test_the_danger_of_granting_when_lost_is_named_where_it_is_chosen() -> None:
    assert "DANGER" in str(ControllerParams.model_fields["when_lost"].description)


def test_a_mistake_between_two_parameters_does_not_repeat_all_of_the_group() -> None:
    said = refused(data_format="Wiegand26", facility_mode="Override", facility_code=300)
    assert said == "controller: facility_code (Wiegand26) 300 is not between 0 and 255"
