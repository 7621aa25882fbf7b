"""The peers at the far end: what people, cards, doors and strikes do, with their faults."""

from __future__ import annotations

import pytest

from hal.clock import SystemClock
from hal.errors import OutOfRange
from hal.sim.peers.loop import LoopPeer
from hal.sim.peers.reader import ReaderPeer, eight_bits_inverted
from hal.sim.peers.switch import PULL_IN_S, StrikePeer
from hal.sim.peers.terminal import TerminalPeer
from hal.sim.time import VirtualClock, virtual_run
from hal.sim.traces import Pulse
from hal.sim.world import World
from hal.types import LineRef, LoopState
from tests.unit.sim.conftest import new_world

D0, D1 = LineRef("gpio0", 23), LineRef("gpio0", 24)


def reader_of(world: World, name: str = "front") -> ReaderPeer:
    peer = world.find(f"reader:{name}")
    assert isinstance(peer, ReaderPeer)
    return peer


def strike_of(world: World) -> StrikePeer:
    peer = world.find("relay:door")
    assert isinstance(peer, StrikePeer)
    return peer


def falls(world: World, line: LineRef) -> list[int]:
    """Nanoseconds since the world began at which a data line went low."""
    return [t_ns - world.origin_ns for t_ns, level in world.net(line).trace.entries if not level]


def heard(world: World) -> str:
    """The bits on the two lines, in order."""
    both = [(t_ns, "0") for t_ns in falls(world, D0)] + [(t_ns, "1") for t_ns in falls(world, D1)]
    return "".join(bit for _, bit in sorted(both))


# readers


def test_a_card_is_sent_as_pulses_of_40_us_every_2_ms() -> None:
    async def main(clock: VirtualClock) -> None:
        world = new_world(clock)
        await reader_of(world).swipe("0110")
        pulses_low = [point for point in world.net(D1).trace.points if point[0] > 0]
        assert pulses_low == [(0.002, False), (0.00204, True), (0.004, False), (0.00404, True)]
        assert falls(world, D0) == [0, 6_000_000]
        world.close()

    virtual_run(main)


def test_a_card_by_format_facility_and_number_is_the_cards_bits() -> None:
    async def main(clock: VirtualClock) -> None:
        world = new_world(clock)
        await reader_of(world).swipe("H10301:1:1")
        assert heard(world) == "10000000100000000000000010"
        assert reader_of(world).trace.pulses()[0].value == heard(world)
        world.close()

    virtual_run(main)


def test_a_second_card_waits_for_the_first() -> None:
    async def main(clock: VirtualClock) -> None:
        world = new_world(clock)
        reader = reader_of(world)
        reader.swipe("00")
        await reader.swipe("11")
        assert heard(world) == "0011"
        assert falls(world, D1)[0] - falls(world, D0)[1] > 100_000_000
        world.close()

    virtual_run(main)


def test_keys_are_frames_of_four_bits_100_ms_apart() -> None:
    async def main(clock: VirtualClock) -> None:
        world = new_world(clock)
        await reader_of(world).keys("10*#")
        assert heard(world) == "0001" + "0000" + "1010" + "1011"
        first = sorted(falls(world, D0) + falls(world, D1))
        assert first[4] - first[3] == 100_000_000 + 40_000
        world.close()

    virtual_run(main)


def test_a_reader_can_send_keys_of_eight_bits() -> None:
    async def main(clock: VirtualClock) -> None:
        world = new_world(clock)
        reader = reader_of(world)
        reader.key_bits = eight_bits_inverted
        await reader.keys("1#")
        assert heard(world) == "1110000101001011"
        world.close()

    virtual_run(main)


def test_what_a_reader_cannot_do_is_refused_in_one_line() -> None:
    async def main(clock: VirtualClock) -> None:
        world = new_world(clock)
        reader = reader_of(world)
        for action, message in (
            (lambda: reader.keys("12x"), "no key 'x'"),
            (lambda: reader.keys(""), "no key ''"),
            (lambda: reader_of(world, "back").keys("1"), "has no keypad"),
            (lambda: reader.swipe("H10303:1:1"), "no format 'H10303'; did you mean 'H1030"),
            (lambda: reader.swipe("H10301:256:1"), "facility 256; H10301 has 0 to 255"),
            (lambda: reader.swipe("hello"), "write FORMAT:FACILITY:NUMBER"),
            (lambda: reader.fault("stock"), r"cannot have the fault 'stock'; did you mean 'stuck'\?"),
            (reader.tamper, "has no tamper switch"),
            (lambda: reader_of(world, "back").led, "has no led"),
            (lambda: world.find("control").unplug(), "soldered"),
        ):
            with pytest.raises(OutOfRange, match=message):
                action()
        assert heard(world) == ""
        world.close()

    virtual_run(main)


@pytest.mark.parametrize(
    ("fault", "check"),
    [
        ("half", lambda bits: bits == "0101"),
        ("overlap", lambda bits: len(bits) == 9),
        ("noise", lambda bits: len(bits) > 8),
        ("fast", lambda bits: bits == "01010101"),
        ("slow", lambda bits: bits == "01010101"),
    ],
)
def test_a_reader_with_a_fault_sends_something_else(fault: str, check: object) -> None:
    async def main(clock: VirtualClock) -> None:
        world = new_world(clock)
        reader = reader_of(world)
        reader.fault(fault)
        await reader.swipe("01010101")
        assert callable(check)
        assert check(heard(world))
        intervals = [b - a for a, b in zip(falls(world, D0), falls(world, D0)[1:], strict=False)]
        if fault == "fast":
            assert max(intervals) == 200_000
        if fault == "slow":
            assert min(intervals) == 44_000_000
        if fault == "overlap":
            assert both_low(world)
        await clock.sleep(1.0)
        reader.clear()
        before = len(heard(world))
        await reader.swipe("01010101")
        assert heard(world)[before:] == "01010101"
        world.close()

    virtual_run(main)


def both_low(world: World) -> bool:
    """Whether both data lines were ever low at once."""
    changes = sorted(
        (t_ns, line, level) for line, net in enumerate((D0, D1)) for t_ns, level in world.net(net).trace.entries
    )
    levels = [True, True]
    for _, line, level in changes:
        levels[line] = level
        if levels == [False, False]:
            return True
    return False


def test_a_stuck_line_stays_low_until_the_fault_ends() -> None:
    async def main(clock: VirtualClock) -> None:
        world = new_world(clock)
        reader = reader_of(world)
        reader.fault("stuck")
        assert world.net(D0).level is False
        await reader.swipe("0101")
        assert world.net(D0).level is False
        reader.clear("stuck")
        assert world.net(D0).level is True
        assert [t_ns for t_ns in falls(world, D0)] == [0]
        world.close()

    virtual_run(main)


def test_an_unplugged_or_unpowered_reader_says_and_shows_nothing() -> None:
    async def main(clock: VirtualClock) -> None:
        world = new_world(clock)
        reader = reader_of(world)
        world.net(LineRef("gpio0", 8)).drive("cpu", False)
        assert reader.led.colour == "green"
        reader.swipe("0" * 20)
        await clock.sleep(0.01)
        reader.unplug()
        assert reader.led.colour == "off"
        await clock.sleep(1.0)
        sent = len(heard(world))
        assert sent < 20
        await reader.swipe("1111")
        assert len(heard(world)) == sent
        reader.plug()
        assert reader.led.colour == "green"
        await reader.swipe("1111")
        assert len(heard(world)) == sent + 4
        world.power(False)
        await reader.swipe("1111")
        assert len(heard(world)) == sent + 4
        world.close()

    virtual_run(main)


def test_in_real_time_a_burst_comes_in_one_go_with_its_planned_stamps() -> None:
    import asyncio

    async def main() -> None:
        world = new_world(SystemClock())
        reader = reader_of(world)
        turns = 0
        heard_in: list[int] = []

        async def count() -> None:
            nonlocal turns
            while True:
                turns += 1
                await world.clock.sleep(0)

        world.net(D0).listen(lambda _t_ns, level: heard_in.append(turns))
        counting = asyncio.ensure_future(count())
        await reader.swipe("000")
        await world.clock.sleep(0.001)
        counting.cancel()
        times = falls(world, D0)
        assert [times[1] - times[0], times[2] - times[1]] == [2_000_000, 2_000_000]
        assert len(heard_in) == 6
        assert len(set(heard_in)) == 1, "all in one turn of the loop"
        world.close()

    asyncio.run(main())


# lights and outputs


def test_a_lamp_shows_the_colour_of_its_lines_and_no_half_way_colour() -> None:
    async def main(clock: VirtualClock) -> None:
        world = new_world(clock)
        status = world.find("led:status")
        red, green, blue = (world.net(LineRef("gpio0", offset)) for offset in (9, 10, 11))
        with world.copper.together():
            red.drive("cpu", True)
            green.drive("cpu", True)
        assert [value for _, value in status.traces[""].points] == ["off", "amber"]
        blue.drive("cpu", True)
        assert status.state() == "white"
        green.drive("cpu", False)
        assert status.state() == "magenta"
        status.fault("dead")
        assert status.state() == "off"
        status.clear()
        world.power(False)
        assert status.state() == "off"
        world.close()

    virtual_run(main)


def test_a_readers_lamp_is_on_at_the_low_level() -> None:
    async def main(clock: VirtualClock) -> None:
        world = new_world(clock)
        led = world.find("front.led")
        assert led.state() == "off"
        world.net(LineRef("gpio0", 8)).drive("cpu", False)
        await clock.sleep(7.0)
        world.net(LineRef("gpio0", 8)).drive("cpu", True)
        assert led.traces[""].pulses() == (Pulse(0.0, 7.0, "green"),)
        assert world.find("front.beeper").state() is False
        world.close()

    virtual_run(main)


def test_a_dead_load_takes_no_current() -> None:
    async def main(clock: VirtualClock) -> None:
        world = new_world(clock)
        world.net(LineRef("gpio0", 21)).drive("cpu", True)
        assert world.find("horn").state() is True
        world.fault("horn", "dead")
        assert world.find("horn").state() is False
        world.close()

    virtual_run(main)


# strikes and doors


def test_the_contact_of_a_relay_follows_its_coil_a_little_later() -> None:
    async def main(clock: VirtualClock) -> None:
        world = new_world(clock)
        strike = strike_of(world)
        coil, readback = world.net(LineRef("gpio0", 5)), world.net(LineRef("gpio0", 6))
        coil.drive("cpu", True)
        await clock.sleep(7.0)
        coil.drive("cpu", False)
        await clock.sleep(1.0)
        assert strike.trace.pulses() == (Pulse(0.0, 7.0, True),)
        assert strike.contact.pulses() == (Pulse(PULL_IN_S, 6.996, True),)
        assert readback.trace.pulses() == strike.contact.pulses()
        world.close()

    virtual_run(main)


def test_a_pulse_shorter_than_the_armature_needs_moves_no_contact() -> None:
    async def main(clock: VirtualClock) -> None:
        world = new_world(clock)
        world.net(LineRef("gpio0", 5)).drive("cpu", True)
        await clock.sleep(0.002)
        world.net(LineRef("gpio0", 5)).drive("cpu", False)
        await clock.sleep(1.0)
        assert strike_of(world).contact.pulses() == ()
        world.close()

    virtual_run(main)


@pytest.mark.parametrize(("fault", "level"), [("welded", True), ("dead", False)])
def test_a_broken_contact_does_not_follow_its_coil(fault: str, level: bool) -> None:
    async def main(clock: VirtualClock) -> None:
        world = new_world(clock)
        coil, readback = world.net(LineRef("gpio0", 5)), world.net(LineRef("gpio0", 6))
        world.fault("relay:door", fault)
        for driven in (True, False, True):
            coil.drive("cpu", driven)
            await clock.sleep(0.1)
            assert readback.level is level
            assert strike_of(world).trace.value is driven
        world.clear("relay:door")
        await clock.sleep(0.1)
        assert readback.level is True
        world.close()

    virtual_run(main)


def test_a_door_opens_when_its_strike_lets_it_or_by_force() -> None:
    async def main(clock: VirtualClock) -> None:
        world = new_world(clock)
        leaf = world.hang_leaf("front_door", strike="door", contact="door")
        contact = world.find("contact:door")
        assert contact.state() == "closed"
        assert leaf.pull() is False
        world.net(LineRef("gpio0", 5)).drive("cpu", True)
        await clock.sleep(0.1)
        assert leaf.pull() is True
        assert contact.state() == "open"
        leaf.shut()
        world.net(LineRef("gpio0", 5)).drive("cpu", False)
        await clock.sleep(0.1)
        assert leaf.pull() is False
        leaf.force()
        assert contact.state() == "open"
        world.close()

    virtual_run(main)


# buttons, contacts, loops, terminals


def test_a_press_lasts_as_long_as_asked() -> None:
    async def main(clock: VirtualClock) -> None:
        world = new_world(clock)
        await world.find("control").press(30.0)
        assert world.find("control").trace.pulses() == (Pulse(0.0, 30.0, True),)
        assert world.net(LineRef("gpio0", 4)).level is True
        world.close()

    virtual_run(main)


def test_holding_after_a_press_began_is_not_ended_by_the_press() -> None:
    async def main(clock: VirtualClock) -> None:
        world = new_world(clock)
        button = world.find("control")
        button.press(1.0)
        button.hold()
        await clock.sleep(5.0)
        assert button.state() is True
        button.release()
        assert button.state() is False
        world.close()

    virtual_run(main)


def test_a_stuck_button_is_pressed_without_a_finger() -> None:
    async def main(clock: VirtualClock) -> None:
        world = new_world(clock)
        world.fault("control", "stuck")
        assert world.net(LineRef("gpio0", 4)).level is False
        await world.find("control").press(0.1)
        assert world.net(LineRef("gpio0", 4)).level is False
        world.clear("control", "stuck")
        assert world.net(LineRef("gpio0", 4)).level is True
        world.close()

    virtual_run(main)


def test_a_plain_contact_cannot_show_cut_or_short() -> None:
    async def main(clock: VirtualClock) -> None:
        world = new_world(clock)
        lid, net = world.find("input:lid"), world.net(LineRef("gpio0", 22))
        assert isinstance(lid, LoopPeer)
        levels = {}
        for state in LoopState:
            lid.set(state)
            levels[state] = net.level
        assert levels == {
            LoopState.OPEN: True,
            LoopState.CLOSED: False,
            LoopState.CUT: True,
            LoopState.SHORT: False,
        }
        lid.fault("bounce")
        await clock.sleep(1.0)
        lid.set(LoopState.OPEN)
        await clock.sleep(1.0)
        assert net.level is True
        assert len(net.trace.pulses()) >= 3
        world.close()

    virtual_run(main)


def test_faults_of_a_loop_overrule_its_contact_and_chatter_ends() -> None:
    async def main(clock: VirtualClock) -> None:
        world = new_world(clock)
        loop = world.find("contact:door")
        assert isinstance(loop, LoopPeer)
        loop.fault("cut")
        loop.shut()
        assert loop.circuit is LoopState.CUT
        loop.clear()
        assert loop.circuit is LoopState.CLOSED
        loop.fault("bounce")
        loop.open()
        await clock.sleep(0.1)
        assert loop.circuit is LoopState.OPEN
        assert len(loop.trace.entries) > 5
        await loop.press(0.5)
        await clock.sleep(0.1)
        assert loop.circuit is LoopState.OPEN
        world.close()

    virtual_run(main)


def terminal_of(world: World, name: str) -> TerminalPeer:
    peer = world.find(f"port:{name}")
    assert isinstance(peer, TerminalPeer)
    return peer


def test_a_terminals_transistor_closes_the_circuit_to_ground() -> None:
    async def main(clock: VirtualClock) -> None:
        world = new_world(clock)
        io1 = terminal_of(world, "io1")
        gate = world.net(LineRef("exp0", 0))
        assert io1.volts() == pytest.approx(3.3 * 9400 / 24400)
        gate.drive("cpu", True)
        assert io1.volts() == 0.0
        assert io1.circuit is LoopState.CLOSED
        await clock.sleep(2.0)
        gate.drive("cpu", False)
        assert io1.circuit is LoopState.OPEN
        assert io1.output.pulses() == (Pulse(0.0, 2.0, True),)
        io1.fault("dead")
        gate.drive("cpu", True)
        assert io1.output.value is False
        world.close()

    virtual_run(main)


def test_what_is_wired_to_a_terminal_outlasts_what_the_board_does() -> None:
    async def main(clock: VirtualClock) -> None:
        world = new_world(clock)
        io2, line = terminal_of(world, "io2"), world.net(LineRef("exp0", 2))
        gate = world.net(LineRef("exp0", 1))
        gate.drive("cpu", True)
        io2.set(LoopState.CLOSED)
        assert line.level is False
        gate.drive("cpu", False)
        assert line.level is False
        io2.set(LoopState.OPEN)
        assert line.level is True
        world.close()

    virtual_run(main)


def test_resistors_are_fitted_where_an_unsupervised_terminal_can_bear_them() -> None:
    async def main(clock: VirtualClock) -> None:
        world = new_world(clock)
        io1, io3 = terminal_of(world, "io1"), terminal_of(world, "io3")
        assert (io1.resistors, io3.resistors) == (True, False)
        io3.set(LoopState.CLOSED)
        assert io3.volts() == 0.0
        io3.set(LoopState.CUT)
        io3.set(LoopState.CLOSED)
        assert io3.volts() == pytest.approx(3.3 * 4700 / 14700)
        world.close()

    virtual_run(main)
