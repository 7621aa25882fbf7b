"""A door controller on two wires, with the real drivers: what arrives there, and what it makes the reader show."""

from __future__ import annotations

import asyncio
import errno

import pytest

from firmware.core.vocabulary.controller import ControllerPhase, Verdict
from tests.unit.controller.conftest import CARD, CARD_BITS, ControllerBench

# Of osdp_wiegand.md, 4.2: computed with an independent public implementation.
H10302 = "1000010010011001011000000010110100101"  # 1234567890
H10304 = "1000000000111011000000000110010000110"  # 118/1603
H10306 = "0001100000011100111010100001100010"  # 12345/54321


async def test_without_a_controller_nothing_is_asked(bench: ControllerBench) -> None:
    answer = await bench.card()
    assert (answer.verdict, answer.granted) == (Verdict.OFF, False)
    assert bench.standing.phase is ControllerPhase.OFF
    assert bench.controller().frames == ()


async def test_a_card_arrives_bit_by_bit_and_is_answered_with_sent(bench: ControllerBench) -> None:
    await bench.set(protocol="wiegand")
    answer = await bench.card()
    assert (answer.verdict, answer.granted) == (Verdict.SENT, False)
    await bench.settle()
    assert bench.controller().frames == (CARD_BITS,)
    assert bench.controller().spoilt == 0
    said = bench.events("controller/answer")[-1]
    assert (said.verdict, said.bits, said.keys) == ("sent", 26, 0)


@pytest.mark.parametrize(
    ("wishes", "card", "bits", "arrives"),
    [
        ({}, CARD, CARD_BITS, CARD_BITS),
        ({"data_format": "Wiegand26"}, "H10301:1:1", "10000000100000000000000010", "10000000100000000000000010"),
        ({"data_format": "Wiegand34"}, "H10306:12345:54321", H10306, H10306),
        ({"data_format": "Wiegand37"}, "H10302:0:1234567890", H10302, H10302),
        ({"data_format": "Wiegand37FacilityCode"}, "H10304:118:1603", H10304, H10304),
        (
            {"data_format": "Wiegand34", "facility_mode": "Override", "facility_code": 12345},
            "H10306:1:54321",
            "",
            H10306,
        ),
        (
            {"data_format": "Custom", "facility_code_size": 8, "card_number_size": 16, "start_parity": "Fix1"},
            CARD,
            CARD_BITS,
            "1" + "00101010" + "0000010011010010",
        ),
    ],
)
async def test_a_card_arrives_in_the_chosen_format(
    bench: ControllerBench, wishes: dict[str, object], card: str, bits: str, arrives: str
) -> None:
    await bench.set(protocol="wiegand", **wishes)
    await bench.card(bits or CARD_BITS, (card,))
    await bench.settle()
    assert bench.controller().frames == (arrives,)


@pytest.mark.parametrize(
    ("wishes", "arrives"),
    [
        ({}, ("0001", "0010", "0011", "0100")),
        ({"pin_end_key": "#"}, ("0001", "0010", "0011", "0100", "1011")),
        ({"keypress_format": "EightBitZeroPadded"}, ("00000001", "00000010", "00000011", "00000100")),
        ({"keypress_format": "EightBitInvertPadded"}, ("11100001", "11010010", "11000011", "10110100")),
        ({"keypress_format": "Wiegand26", "keypress_facility_code": 5}, ("00000010100000100110100100",)),
        ({"keypress_format": "Wiegand34", "keypress_facility_code": 5}, ("0000000000000010100000100110100100",)),
        ({"keypress_format": "Wiegand37"}, ("0000000000000000000000000100110100100",)),
        (
            {"keypress_format": "Wiegand37FacilityCode", "keypress_facility_code": 5},
            ("0000000000000010100000000100110100100",),
        ),
    ],
)  # fmt: skip
async def test_a_pin_arrives_in_the_chosen_format(
    bench: ControllerBench, wishes: dict[str, object], arrives: tuple[str, ...]
) -> None:
    await bench.set(protocol="wiegand", **wishes)
    assert (await bench.forward(pin="1234")).verdict is Verdict.SENT
    await bench.settle()
    assert bench.controller().frames == arrives


async def test_a_key_goes_out_as_it_is_pressed_unless_pins_go_whole(bench: ControllerBench) -> None:
    await bench.set(protocol="wiegand")
    for key in "7*#":
        assert (await bench.forward(key=key)).verdict is Verdict.SENT
    await bench.settle()
    assert bench.controller().frames == ("0111", "1010", "1011")
    await bench.set(keypress_format="Wiegand26")
    assert (await bench.forward(key="7")).verdict is Verdict.OFF
    await bench.settle()
    assert len(bench.controller().frames) == 3


async def test_a_pin_that_would_arrive_as_another_one_is_denied_and_not_sent(bench: ControllerBench) -> None:
    await bench.set(protocol="wiegand", keypress_format="Wiegand26")
    for pin in ("0123", "65536"):
        answer = await bench.forward(pin=pin)
        assert (answer.verdict, answer.granted) == (Verdict.DENIED, False)
        assert pin not in answer.reason
    await bench.settle()
    assert bench.controller().frames == ()


async def test_row_47_digits_are_in_no_fact(bench: ControllerBench) -> None:
    await bench.set(protocol="wiegand")
    await bench.forward(pin="48151623")
    assert "48151623" not in repr(bench._events)
    assert bench.events("controller/answer")[-1].keys == 8


async def test_cards_of_one_moment_arrive_one_after_the_other(bench: ControllerBench) -> None:
    await bench.set(protocol="wiegand")
    cards = [f"{number:026b}" for number in range(1, 7)]
    async with asyncio.TaskGroup() as tasks:
        for bits in cards:
            tasks.create_task(bench.card(bits))
    await bench.settle()
    assert list(bench.controller().frames) == cards


async def test_more_questions_than_fit_are_refused_at_once_and_open_nothing(bench: ControllerBench) -> None:
    await bench.set(protocol="wiegand", when_lost="grant", frame_gap_us=500_000, timeout_s=9)
    async with asyncio.TaskGroup() as tasks:
        asked = [tasks.create_task(bench.card()) for _ in range(12)]
    answers = [task.result() for task in asked]
    assert [answer.verdict for answer in answers].count(Verdict.SENT) == 8
    refused = [answer for answer in answers if answer.verdict is Verdict.LOST]
    assert len(refused) == 4
    assert not any(answer.granted for answer in refused)


@pytest.mark.parametrize(("when_lost", "granted"), [("deny", False), ("grant", True)])
async def test_what_takes_too_long_is_lost_and_means_what_is_configured(
    bench: ControllerBench, when_lost: str, granted: bool
) -> None:
    await bench.set(protocol="wiegand", when_lost=when_lost, timeout_s=0.5, frame_gap_us=1_000_000)
    await bench.card()
    began = bench.world.now_s
    answer = await bench.card()
    bench.measure("controller.timeout_s", round(bench.world.now_s - began, 6), 0.5)
    assert (answer.verdict, answer.granted) == (Verdict.LOST, granted)
    assert (bench.standing.phase, bench.standing.reason) == (ControllerPhase.LOST, "no answer within 0.5 s")
    assert bench.risks == (["grant_when_lost"] if granted else [])


async def test_pulses_are_sent_as_the_parameters_say(bench: ControllerBench) -> None:
    await bench.set(protocol="wiegand", pulse_us=100, interval_us=1000)
    await bench.card()
    await bench.settle()
    frame = bench.controller()._peer.frames[-1]
    assert set(frame.pulses_ns) == {100_000}
    assert set(frame.intervals_ns) == {1_000_000}


# light and beeper lines


async def test_no_line_shows_the_idle_colour(bench: ControllerBench) -> None:
    await bench.set(protocol="wiegand", idle_colour="amber")
    assert bench.reader("front").led.colour == "amber"
    await bench.set(protocol="off")
    assert bench.reader("front").led.colour == "off"


async def test_one_line_shows_low_and_high(bench: ControllerBench) -> None:
    controller = bench.controller()
    controller.wire("led1", "io1")
    await bench.set(protocol="wiegand", led_inputs=1, led1_input="io1")
    assert bench.reader("front").led.colour == "red"
    controller.drive("led1", True)
    await bench.settle()
    assert bench.reader("front").led.colour == "green"
    controller.drive("led1", False)
    await bench.settle()
    assert bench.reader("front").led.colour == "red"
    await bench.set(low_colour="amber")
    assert bench.reader("front").led.colour == "amber"


async def test_two_lines_show_four_states(bench: ControllerBench) -> None:
    controller = bench.controller()
    controller.wire("led1", "io2")
    controller.wire("led2", "io4")
    await bench.set(protocol="wiegand", led_inputs=2, led1_input="io2", led2_input="io4", colour_00="green",
                    colour_01="amber", colour_10="off", colour_11="red")  # fmt: skip
    shown = {}
    for led2 in (False, True):
        for led1 in (False, True):
            controller.drive("led1", led1)
            controller.drive("led2", led2)
            await bench.settle()
            shown[led2, led1] = bench.reader("front").led.colour
    assert shown == {
        (False, False): "green",
        (False, True): "amber",
        (True, False): "off",
        (True, True): "red",
    }


async def test_the_beeper_sounds_while_its_line_is_active(bench: ControllerBench) -> None:
    controller = bench.controller()
    controller.wire("beeper", "io3")
    await bench.set(protocol="wiegand", beeper_input="io3")
    controller.drive("beeper", True)
    await bench.settle()
    assert bench.reader("front").beeper.on
    await bench.advance(2.0)
    controller.drive("beeper", False)
    await bench.settle()
    assert not bench.reader("front").beeper.on
    (beep,) = bench.reader("front").beeper.pulses()
    assert 2.4 < beep.width_s < 2.6  # the terminal is looked at every 20 ms


async def test_a_port_that_is_normally_closed_turns_a_line_round(bench: ControllerBench) -> None:
    bench.controller().wire("led1", "io1")
    await bench.set(protocol="wiegand", led_inputs=1, led1_input="io1")
    await bench.action("port.configure", port="io1", normal="closed")
    await bench.settle()
    assert bench.reader("front").led.colour == "green"


async def test_a_port_that_is_an_output_is_followed_no_more_and_warned_of(bench: ControllerBench) -> None:
    await bench.set(protocol="wiegand", beeper_input="io3")
    assert bench.risks == []
    await bench.action("port.configure", port="io3", direction="output")
    await bench.action("port.set", port="io3", active=True)
    await bench.settle()
    assert not bench.reader("front").beeper.on
    (warning,) = bench.states("controller/risk")
    assert warning.detail == "beeper_input 'io3' is set as an output (parameter group ports)"
    await bench.action("port.configure", port="io3", direction="input")
    await bench.settle()
    assert bench.risks == []


async def test_an_indication_goes_over_the_controllers_colour_and_back(bench: ControllerBench) -> None:
    await bench.set(protocol="wiegand", idle_colour="red")
    await bench.action("reader.indicate", reader="front", colour="green", for_s=2.0)
    assert bench.reader("front").led.colour == "green"
    await bench.advance(3.0)
    assert bench.reader("front").led.colour == "red"


async def test_a_controller_that_is_taken_away_leaves_neither_light_nor_beep(bench: ControllerBench) -> None:
    controller = bench.controller()
    controller.wire("beeper", "io3")
    await bench.set(protocol="wiegand", beeper_input="io3", idle_colour="green")
    controller.drive("beeper", True)
    await bench.settle()
    assert bench.reader("front").beeper.on
    await bench.set(protocol="off")
    assert not bench.reader("front").beeper.on
    assert bench.reader("front").led.colour == "off"
    # After a restart the parameters are there again, and the line is followed from how it is.
    await bench.set(protocol="wiegand")
    await bench.restart()
    await bench.settle()
    assert bench.reader("front").beeper.on
    assert bench.reader("front").led.colour == "green"


async def test_an_unknown_port_is_refused_and_nothing_changes(bench: ControllerBench) -> None:
    answer = await bench.params("controller", protocol="wiegand", beeper_input="i03")
    assert answer.status_code == 400
    assert answer.json()["error"] == {
        "code": "invalid",
        "where": "controller.beeper_input",
        "message": "no I/O port 'i03' on this board; did you mean 'io3'? (got 'i03')",
    }
    assert bench.standing.phase is ControllerPhase.OFF


async def test_only_the_readers_that_are_named_show_it(bench: ControllerBench) -> None:
    await bench.set(protocol="wiegand", idle_colour="green", shown_on=["front"])
    assert bench.reader("front").led.colour == "green"


async def test_the_state_says_since_when(bench: ControllerBench) -> None:
    await bench.set(protocol="wiegand")
    since = bench.standing.since
    await bench.advance(60)
    await bench.card()
    assert bench.standing.phase is ControllerPhase.CONNECTED
    assert bench.standing.since == since


async def test_row_18_on_a_full_disk_cards_go_out_and_a_change_is_refused_whole(bench: ControllerBench) -> None:
    await bench.set(protocol="wiegand")
    bench.disk.error = errno.ENOSPC
    assert (await bench.card()).verdict is Verdict.SENT
    answer = await bench.params("controller", data_format="Wiegand34")
    assert answer.status_code == 503
    assert (await bench.api("GET", "/params/controller")).json()["data_format"] == "Raw"
    await bench.settle()
    assert bench.controller().frames == (CARD_BITS,)


async def test_row_20_a_disk_that_stalls_delays_no_card(bench: ControllerBench) -> None:
    await bench.set(protocol="wiegand")
    began = bench.world.now_s
    await bench.card()
    alone_s = bench.world.now_s - began
    await bench.advance(1.0)
    bench.disk.stall_s = 30.0
    began = bench.world.now_s
    assert (await bench.card()).verdict is Verdict.SENT
    bench.measure("controller.send_s", round(bench.world.now_s - began, 6), round(alone_s, 6))
    bench.disk.stall_s = 0.0
