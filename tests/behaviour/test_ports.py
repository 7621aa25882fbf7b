"""The I/O connector as the manual describes it, and the buttons and lights around it."""

from __future__ import annotations

import pytest

from tests.bench.sim import SimBench


async def test_an_output_port_goes_active_for_a_time_and_back_to_normal(bench: SimBench) -> None:
    bench.needs("port:io1")
    answer = await bench.action("port.configure", port="io1", direction="output")
    assert answer.status_code == 200, answer.text
    answer = await bench.action("port.set", port="io1", active=True, for_s=2.5)
    assert answer.status_code == 200, answer.text
    await bench.advance(4.0)
    terminal = bench.loop("port:io1")
    pulses = terminal.traces["output"].pulses()
    assert len(pulses) == 1
    bench.measure("port.active_s", round(pulses[0].width_s, 3), 2.5)


async def test_changing_a_setting_puts_an_active_output_back_to_normal(bench: SimBench) -> None:
    await bench.action("port.configure", port="io1", direction="output")
    await bench.action("port.set", port="io1", active=True)
    await bench.settle()
    assert bench.loop("port:io1").traces["output"].value is True
    await bench.action("port.configure", port="io1", name="gate lamp")
    await bench.settle()
    assert bench.loop("port:io1").traces["output"].value is False


async def test_during_a_restart_an_output_is_open_and_afterwards_normal_again(bench: SimBench) -> None:
    await bench.action("port.configure", port="io1", direction="output", normal="closed")
    await bench.settle()
    output = bench.loop("port:io1").traces["output"]
    assert output.value is True
    await bench.stop()
    assert output.value is False
    await bench.start()
    await bench.settle()
    assert output.value is True


async def test_an_input_port_follows_its_circuit(bench: SimBench) -> None:
    bench.loop("port:io2").set("closed")
    state = await bench.event("io/port", port="io2", circuit="closed")
    assert state.active is True
    bench.loop("port:io2").set("open")
    state = await bench.event("io/port", port="io2", active=False, circuit="open")


async def test_row_12_a_supervised_port_tells_cut_from_open(bench: SimBench) -> None:
    answer = await bench.action("port.configure", port="io2", supervised=True)
    assert answer.status_code == 200, answer.text
    for circuit in ("cut", "short"):
        bench.loop("port:io2").set(circuit)
        state = await bench.event("io/port", port="io2", circuit=circuit)
        assert state.tampered is True


async def test_the_auxiliary_relay_switches_and_a_strike_cannot_be_switched_past_its_door(bench: SimBench) -> None:
    answer = await bench.action("relay.set", relay="aux", on=True, for_s=1.5)
    assert answer.status_code == 200, answer.text
    pulse = await bench.relay("aux").pulse()
    bench.measure("relay.aux_s", pulse.width_s, 1.5)
    answer = await bench.action("relay.set", relay="door", on=True)
    assert answer.status_code == 403
    assert "door.release" in answer.json()["error"]["message"]
    assert bench.relay("door").edges() == 0


async def test_a_virtual_input_is_active_for_a_time(bench: SimBench) -> None:
    await bench.action("virtual_input.set", input=7, active=True, for_s=3.0)
    on = await bench.event("io/virtual_input", input=7, active=True)
    off = await bench.event("io/virtual_input", input=7, active=False)
    bench.measure("virtual_input_s", (off.at - on.at).total_seconds(), 3.0)


async def test_a_short_and_a_long_press_of_the_control_button_are_told_apart(bench: SimBench) -> None:
    await bench.button("control").press(0.4)
    short = await bench.event("device/button/gesture")
    assert short.gesture == "short"
    await bench.button("control").press(5.0)
    long = await bench.event("device/button/gesture", gesture="long")
    assert abs(long.held_s - 5.0) <= 0.021


async def test_the_door_icon_is_green_while_the_door_stands_open(bench: SimBench) -> None:
    bench.loop("contact:door").set("open")
    await bench.settle()
    assert bench.light("icon_door").colour == "green"
    bench.loop("contact:door").set("closed")
    await bench.settle()
    assert bench.light("icon_door").colour == "off"


@pytest.mark.board("network_speaker")
async def test_identify_flashes_red_and_green(bench: SimBench) -> None:
    await bench.action("device.identify", active=True, for_s=3.0)
    await bench.advance(1.0)
    assert bench.light("status").shown("red")
    assert bench.light("status").shown("green")
    await bench.advance(5.0)
    assert bench.light("status").colour in ("green", "off")
