"""gpiozero's own devices on simulated pins, and what the mock would have accepted and ignored."""

from __future__ import annotations

import pytest
from gpiozero import Button, DigitalOutputDevice, PinInvalidBounce, PinInvalidPin

from hal.buses.pins import GroupFactory, InputWish, OutputWish
from hal.errors import LineInUse
from hal.sim.time import VirtualClock, virtual_run
from hal.types import EdgeKind, Pull
from tests.unit.sim.conftest import new_world


def test_a_gpiozero_output_drives_its_net() -> None:
    async def main(clock: VirtualClock) -> None:
        world = new_world(clock)
        device = DigitalOutputDevice(5, pin_factory=world.gpio("gpio0"))
        device.on()
        await clock.sleep(1.0)
        device.off()
        assert [pulse.width_s for pulse in world.find("relay:door").traces[""].pulses()] == [1.0]
        device.close()
        world.close()

    virtual_run(main)


def test_a_gpiozero_button_sees_presses_in_the_worlds_time() -> None:
    async def main(clock: VirtualClock) -> None:
        world = new_world(clock)
        factory = world.gpio("gpio0")
        button = Button(4, pull_up=True, bounce_time=0.010, pin_factory=factory)
        changes: list[tuple[int, int]] = []

        def changed(ticks: int, state: int) -> None:
            changes.append((ticks, state))

        button.pin.when_changed = changed
        world.fault("control", "bounce")
        began_ns = clock.now_ns()
        await world.find("control").press(0.5)
        await clock.sleep(0.1)
        assert [state for _, state in changes] == [False, True]
        assert factory.ticks_diff(changes[0][0], began_ns) < 0.016
        button.pin.assert_states([True, False, True])
        with pytest.raises(AssertionError):
            button.pin.assert_states([True, False])
        button.close()
        world.close()

    virtual_run(main)


def test_a_bounce_that_is_no_time_is_refused() -> None:
    async def main(clock: VirtualClock) -> None:
        world = new_world(clock)
        pin = world.gpio("gpio0").pin("GPIO4")
        for bad in (-0.1, "soon"):
            with pytest.raises(PinInvalidBounce):
                pin.bounce = bad
        with pytest.raises(PinInvalidPin):
            world.gpio("gpio0").pin(28)
        world.close()

    virtual_run(main)


def test_a_pin_of_gpiozero_and_a_group_exclude_each_other() -> None:
    async def main(clock: VirtualClock) -> None:
        world = new_world(clock)
        factory = world.gpio("gpio0")
        assert isinstance(factory, GroupFactory)
        device = DigitalOutputDevice(5, pin_factory=factory)
        with pytest.raises(LineInUse, match="GPIO5"):
            factory.request([4, 5], OutputWish((False, False)), owner="relay1")
        device.close()
        group = factory.request([4, 5], OutputWish((False, False)), owner="relay1")
        assert factory.owner(5) == "relay1"
        group.close()
        world.close()

    virtual_run(main)


def test_an_edge_is_never_delivered_inside_the_call_that_made_it() -> None:
    async def main(clock: VirtualClock) -> None:
        world = new_world(clock)
        factory = world.gpio("gpio0")
        heard: list[int] = []
        inputs = factory.request([4], InputWish(Pull.UP, EdgeKind.BOTH), owner="control")
        inputs.watch(lambda edge: heard.append(edge.t_ns))
        world.find("control").hold()
        assert not heard
        await clock.sleep(0)
        assert heard == [clock.now_ns()]
        inputs.close()
        world.close()

    virtual_run(main)


def test_a_group_that_nobody_reads_loses_the_oldest_edges_and_its_count_shows_it() -> None:
    async def main(clock: VirtualClock) -> None:
        world = new_world(clock)
        inputs = world.gpio("gpio0").request([4], InputWish(Pull.UP, EdgeKind.BOTH), owner="control")
        seqs: list[int] = []
        inputs.watch(lambda edge: seqs.append(edge.seq))
        for _ in range(600):
            world.find("control").hold()
            world.find("control").release()
        await clock.sleep(0)
        assert len(seqs) == 1024
        assert (seqs[0], seqs[-1]) == (177, 1200)
        inputs.close()
        world.close()

    virtual_run(main)


def test_a_request_in_one_step_makes_no_glitch_when_direction_changes() -> None:
    async def main(clock: VirtualClock) -> None:
        world = new_world(clock)
        factory = world.gpio("gpio0")
        factory.request([12], OutputWish((True,)), owner="first").close()
        factory.request([12], InputWish(Pull.UP), owner="second").close()
        factory.request([12], OutputWish((True,)), owner="third").close()
        assert len(world.find("relay:aux").traces[""].points) == 1
        world.close()

    virtual_run(main)
