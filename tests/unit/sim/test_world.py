"""The world as a whole: names, power, changes, and every board of the project."""

from __future__ import annotations

import pytest

from hal.board import board_names, load_board
from hal.errors import OutOfRange
from hal.sim.time import VirtualClock, virtual_run
from hal.sim.wires import SimWires
from hal.sim.world import NoSuchPeer, World
from hal.types import ChipIdentity, LineRef
from tests.unit.sim.conftest import new_world


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("relay:door", "relay:door"),
        ("door", "relay:door"),
        ("contact:door", "input:door"),
        ("input:contact1", "input:door"),
        ("contact1", "input:door"),
        ("aux", "relay:aux"),
        ("front", "reader:front"),
        ("led:front", "led:front"),
        ("front.led", "led:reader1.led"),
        ("reader:front.beeper", "output:reader1.beeper"),
        ("io1", "port:io1"),
        ("control", "button:control"),
        ("horn", "output:horn"),
        ("exp0", "expander:exp0"),
        ("adc:adc0", "adc:adc0"),
        ("rs485", "serial:rs485"),
        ("line:gpio0:5", "line:gpio0:5"),
        ("relay1.contact", None),
        ("relay:dor", "no relay 'dor'; did you mean 'door'?"),
        ("rely:door", "no kind 'rely'; did you mean 'relay'?"),
        ("statsu", "no peer 'statsu'; did you mean 'status'?"),
        ("front.lead", "reader:front has no 'lead'; did you mean 'led'?"),
        ("line:gpio0:77", "nothing is connected to gpio0:77"),
        ("line:five", "write BUS:NUMBER"),
    ],
)
def test_a_name_finds_what_people_mean(name: str, title: str | None) -> None:
    async def main(clock: VirtualClock) -> None:
        world = new_world(clock)
        if title is not None and " " not in title:
            assert world.find(name).title == title
        else:
            with pytest.raises(NoSuchPeer) as caught:
                world.find(name)
            assert caught.value.args[0].startswith(f"{name}: ")
            assert title is None or title in caught.value.args[0]
        world.close()

    virtual_run(main)


def test_faults_are_named_and_end_with_none() -> None:
    async def main(clock: VirtualClock) -> None:
        world = new_world(clock)
        world.fault("door", "welded")
        assert world.find("door").faults == {"welded"}
        world.fault("door", "none")
        assert world.find("door").faults == set()
        with pytest.raises(OutOfRange, match=r"relay:door: cannot have the fault 'weld'; did you mean 'welded'\?"):
            world.fault("door", "weld")
        with pytest.raises(OutOfRange):
            world.clear("door", "weld")
        for peer in world.everybody():
            for kind in peer.kinds_of_fault:
                peer.fault(kind)
                peer.clear(kind)
        world.close()

    virtual_run(main)


def test_every_change_of_a_peer_is_told_with_its_name_until_the_listener_ends() -> None:
    async def main(clock: VirtualClock) -> None:
        world = new_world(clock)
        told: list[tuple[str, float, bool | str]] = []
        end = world.listen(lambda name, t_s, value: told.append((name, t_s, value)))
        await clock.sleep(1.5)
        world.find("control").hold()
        world.net(LineRef("gpio0", 8)).drive("cpu", False)
        world.net(LineRef("gpio0", 5)).drive("cpu", True)
        await clock.sleep(0.5)
        assert told == [
            ("button:control", 1.5, True),
            ("reader:front.led", 1.5, "green"),
            ("relay:door", 1.5, True),
            ("relay:door.contact", 1.508, True),
        ]
        end()
        world.find("control").release()
        assert len(told) == 4
        world.close()

    virtual_run(main)


def test_what_people_do_survives_a_power_cut_and_what_the_board_does_not() -> None:
    async def main(clock: VirtualClock) -> None:
        world = new_world(clock)
        world.find("control").hold()
        world.find("contact:door").shut()
        world.find("io1").set("cut")
        world.net(LineRef("gpio0", 5)).drive("peer of no chip", None)
        pin = world.gpio("gpio0").pin(5)
        pin.output_with_state(True)
        before = world.states()
        assert (before["relay:door"], before["button:control"]) == (True, True)
        world.power(False)
        world.power(False)
        off = world.states()
        world.power(True)
        assert (off["relay:door"], off["button:control"], off["input:door"], off["port:io1"]) == (
            False,
            True,
            "closed",
            "cut",
        )
        assert world.states()["button:control"] is True
        assert world.states()["relay:door"] is False
        world.close()

    virtual_run(main)


def test_a_power_cut_between_two_runs_leaves_no_listener_behind() -> None:
    async def main(clock: VirtualClock) -> None:
        world = new_world(clock)
        for _ in range(50):
            wires = SimWires(world)
            gpio = await wires.gpio("gpio0")
            lines = await gpio.inputs("control", [4])
            lines.watch(lambda edge: None)
            world.power(False)
            await wires.close()
            world.power(True)
        assert len(world.net(LineRef("gpio0", 4))._listeners) == 1
        world.close()

    virtual_run(main)


def test_two_hundred_restarts_make_no_edge_on_a_relay() -> None:
    async def main(clock: VirtualClock) -> None:
        world = new_world(clock)
        for _ in range(200):
            wires = SimWires(world)
            gpio = await wires.gpio("gpio0")
            await gpio.outputs("relay1", [5], initial=[False])
            await gpio.outputs("relay2", [12], initial=[True])
            await wires.close()
            await clock.sleep(0.1)
        for name in ("line:gpio0:5", "line:gpio0:12", "relay:door", "relay:aux"):
            assert len(world.find(name).traces[""].points) == 1
        world.close()

    virtual_run(main)


@pytest.mark.parametrize("name", board_names())
def test_every_board_has_a_world_in_which_nothing_is_on(name: str) -> None:
    async def main(clock: VirtualClock) -> None:
        world = World(clock, load_board(name), identity=ChipIdentity("02AABBCCDDEE", "1"))
        assert set(world.peers) == set(world.board.nodes)
        assert world.contentions == ()
        for peer in world.everybody():
            if peer.kind in ("relay", "output", "button"):
                assert peer.state() is False, peer.title
            if peer.kind == "led":
                assert peer.state() == "off", peer.title
        assert await SimWires(world).identity() == ChipIdentity("02AABBCCDDEE", "1")
        world.close()

    virtual_run(main)
