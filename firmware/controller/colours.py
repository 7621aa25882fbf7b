"""Which colour a Wiegand controller's LED lines ask for, pure (manual 001, Input used for LED control)."""

from __future__ import annotations

from collections.abc import Mapping

from firmware.controller.settings import ControllerParams
from hal.types import Colour


def colour_of(params: ControllerParams, active: Mapping[str, bool]) -> Colour:
    """The colour for these states of the I/O ports by name; a port that is not there is not active.

    With two lines LED1 is the right digit: 01 is LED1 alone.
    """
    if params.led_inputs == 0:
        return params.idle_colour
    led1 = active.get(params.led1_input, False)
    if params.led_inputs == 1:
        return params.high_colour if led1 else params.low_colour
    led2 = active.get(params.led2_input, False)
    table = {
        (False, False): params.colour_00,
        (False, True): params.colour_01,
        (True, False): params.colour_10,
        (True, True): params.colour_11,
    }
    return table[led2, led1]
