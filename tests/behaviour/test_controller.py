"""A door station with somebody's door controller behind it: what the list does not know comes out at the controller."""

from __future__ import annotations

import pytest

from tests.bench.sim import SimBench

CARD = "H10301:42:1234"
UNKNOWN = "H10301:9:9999"
# Facility 9, number 9999; the parities below were counted by hand.
FACILITY, NUMBER = "00001001", "0010011100001111"
UNKNOWN_BITS = f"1{FACILITY}{NUMBER}0"

KEY = bytes.fromhex("8F1C2E7A5B3D90C4E6F70812A3B5D94C")


async def connect(bench: SimBench, **wishes: object) -> None:
    """Forward what the list does not know to a Wiegand controller."""
    answer = await bench.params("controller", protocol="wiegand", **wishes)
    assert answer.status_code == 200, answer.text
    answer = await bench.params("access", use_controller=True)
    assert answer.status_code == 200, answer.text
    await bench.settle()


async def test_an_unknown_card_comes_out_at_the_controller_and_moves_no_relay(bench: SimBench) -> None:
    bench.needs("reader:front", "controller:controller", "relay:door")
    await connect(bench)
    await bench.reader("front").swipe(UNKNOWN)
    await bench.advance(1.0)
    assert bench.controller().frames == (UNKNOWN_BITS,)
    assert bench.controller().spoilt == 0
    assert bench.relay("door").edges() == 0
    assert bench.events("access/denied") == []


async def test_a_known_card_opens_the_door_and_is_not_forwarded(bench: SimBench) -> None:
    await connect(bench)
    await bench.enrol(card=CARD)
    await bench.reader("front").swipe(CARD)
    pulse = await bench.relay("door").pulse()
    bench.measure("door.release_s", pulse.width_s, 7.0)
    assert bench.controller().frames == ()


@pytest.mark.parametrize(
    ("wishes", "arrives"),
    [
        ({"data_format": "Raw"}, UNKNOWN_BITS),
        ({"data_format": "Wiegand26"}, UNKNOWN_BITS),
        ({"data_format": "Wiegand34"}, f"0{FACILITY:0>16}{NUMBER}1"),
        ({"data_format": "Wiegand37"}, f"1{FACILITY + NUMBER:0>35}0"),
        ({"data_format": "Wiegand37FacilityCode"}, f"0{FACILITY:0>16}{NUMBER:0>19}1"),
        ({"data_format": "Custom", "facility_code_size": 4, "card_number_size": 16}, f"1001{NUMBER}"),
    ],
)
async def test_a_card_comes_out_in_the_format_that_the_controller_wants(
    bench: SimBench, wishes: dict[str, object], arrives: str
) -> None:
    await connect(bench, **wishes)
    await bench.reader("front").swipe(UNKNOWN)
    await bench.advance(1.0)
    assert bench.controller().frames == (arrives,)


async def test_the_controllers_light_line_lights_the_reader_and_the_lists_green_goes_over_it(bench: SimBench) -> None:
    controller = bench.controller()
    controller.wire("led1", "io1")
    await connect(bench, led_inputs=1, led1_input="io1")
    assert bench.reader("front").led.colour == "red"
    controller.drive("led1", True)
    await bench.settle()
    assert bench.reader("front").led.colour == "green"
    controller.drive("led1", False)
    await bench.settle()
    await bench.enrol(card=CARD)
    await bench.reader("front").swipe(CARD)
    await bench.relay("door").pulse()
    await bench.settle()
    assert bench.reader("front").led.colour == "red"
    bench.measure("reader.green_s", bench.reader("front").led.shown("green")[-1].width_s, 7.0)


async def test_a_restart_keeps_the_controller_connected(bench: SimBench) -> None:
    await connect(bench)
    await bench.restart()
    await bench.reader("front").swipe(UNKNOWN)
    await bench.advance(1.0)
    assert bench.controller().frames == (UNKNOWN_BITS,)


async def test_an_unknown_pin_comes_out_key_by_key(bench: SimBench) -> None:
    await connect(bench)
    await bench.reader("front").keys("48151623#")
    await bench.advance(1.0)
    assert bench.controller().frames == tuple(f"{int(digit):04b}" for digit in "48151623")
    assert "48151623" not in repr(bench._events)
    assert bench.relay("door").edges() == 0


async def test_a_pin_of_the_list_opens_the_door_and_the_controller_never_hears_it(bench: SimBench) -> None:
    await connect(bench)
    await bench.enrol(pin="4711")
    await bench.reader("front").keys("4711#")
    await bench.relay("door").pulse()
    assert bench.controller().frames == ()


async def test_a_panel_over_osdp_gets_what_the_list_does_not_know_and_lights_the_reader(bench: SimBench) -> None:
    bench.needs("panel:panel")
    await bench.params("controller", protocol="osdp")
    await bench.params("access", use_controller=True)
    await bench.action("controller.install", for_s=60)
    panel = bench.panel("panel")
    panel.plug()
    await bench.settle()
    panel.install(KEY)
    await bench.event("controller/key", change="taken")
    panel.plug(KEY)
    await bench.until(lambda: panel.secure and bench.states("controller/state")[0].phase == "connected")

    await bench.reader("front").swipe(UNKNOWN)
    await bench.reader("front").keys("4711#")
    await bench.advance(1.0)
    assert panel.cards == (UNKNOWN_BITS,)
    assert panel.keys == "4711"
    panel.light("green")
    await bench.advance(1.0)
    assert bench.reader("front").led.colour == "green"

    # The list goes on, and its entries stay ours.
    await bench.enrol(card=CARD)
    await bench.reader("front").swipe(CARD)
    await bench.relay("door").pulse()
    assert panel.cards == (UNKNOWN_BITS,)

    panel.unplug()
    await bench.until(lambda: bench.states("controller/state")[0].phase == "lost")
    await bench.reader("front").swipe(UNKNOWN)
    denied = await bench.event("access/denied")
    assert denied.reason == "the controller does not answer"
    assert len(bench.relay("door").pulses()) == 1
