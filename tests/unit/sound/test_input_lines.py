"""The lines around a microphone, opened beside the door: what is connected, how it is fed, and the switch."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from firmware.core.actions import ActionTable
from firmware.core.bus import Bus
from firmware.core.context import Core
from firmware.core.link.local import LocalLink
from firmware.core.params import Params
from firmware.core.vocabulary.audio import InputLinesState
from firmware.sensing import InputLinesService
from hal.assemble import assemble
from hal.board import parse_board
from hal.drivers.input_lines import AudioInputLines, Choice
from hal.errors import BusError, OutOfRange
from hal.ports import InputChange, MicrophoneLines
from hal.sim.peers.button import ButtonPeer
from hal.sim.time import VirtualClock, virtual_run
from hal.sim.wires import SimWires
from hal.sim.world import World
from hal.sounds import InputType, PowerType

BOARD = """
[product]
name = "Studio"
model = "STUDIO"
[buses]
gpio0 = { kind = "gpio", chip = "/dev/lintel/gpio" }
[nodes.mic]
compatible = "audio-in"
device = "plughw:CARD=codec"
input_types = ["microphone", "line"]
power_types = ["none", "phantom"]
select = "gpio0:5"
power = "gpio0:6"
disable = "gpio0:7"
[nodes.bare]
compatible = "audio-in"
device = "plughw:CARD=other"
"""

Test = Callable[[World, MicrophoneLines, VirtualClock], Awaitable[None]]


def with_the_lines(test: Test) -> World:
    """Open the board as control does and run a test in virtual time; the world as it was left."""
    worlds: list[World] = []

    async def main(clock: VirtualClock) -> None:
        world = World(clock, parse_board(BOARD, "studio.toml"))
        worlds.append(world)
        wires = SimWires(world)
        opened = await assemble(world.board, wires, clock)
        try:
            assert list(opened.hardware.microphone_lines) == ["mic"]
            await test(world, opened.hardware.microphone_lines["mic"], clock)
        finally:
            await opened.close()
            await wires.close()
            world.close()

    virtual_run(main)
    return worlds[0]


def test_input_type_and_power_type_move_their_lines_and_fall_back_at_the_end() -> None:
    seen: list[tuple[object, object]] = []

    async def test(world: World, lines: MicrophoneLines, _clock: VirtualClock) -> None:
        select, power = world.find("mic.select"), world.find("mic.power")
        seen.append((select.state(), power.state()))
        lines.set_input_type(InputType.LINE)
        lines.set_power_type(PowerType.PHANTOM)
        seen.append((select.state(), power.state()))
        with pytest.raises(
            OutOfRange, match="mic: power type 'plug-in' is not one of this board; valid: none, phantom"
        ):
            lines.set_power_type(PowerType.PLUG_IN)
        assert lines.power_type is PowerType.PHANTOM
        seen.append((select.state(), power.state()))

    world = with_the_lines(test)
    assert seen == [(False, False), (True, True), (True, True)]
    assert world.find("mic.power").state() is False


def test_the_disable_switch_is_told_both_ways() -> None:
    async def test(world: World, lines: MicrophoneLines, clock: VirtualClock) -> None:
        changes: list[InputChange] = []
        lines.watch(changes.append)
        switch = world.find("mic.disable")
        assert isinstance(switch, ButtonPeer)
        assert not lines.switched_off
        switch.hold()
        await clock.sleep(0.1)
        assert lines.switched_off
        switch.release()
        await clock.sleep(0.1)
        assert not lines.switched_off
        assert [change.active for change in changes] == [True, False]

    with_the_lines(test)


class StuckLine:
    """A line that refuses to be driven, and notes that it was given back."""

    def __init__(self, given_back: list[str], name: str) -> None:
        self._given_back = given_back
        self._name = name

    def set(self, *levels: bool) -> None:
        raise BusError(self._name, "cannot be driven")

    def levels(self) -> tuple[bool, ...]:
        return (False,)

    def close(self) -> None:
        self._given_back.append(self._name)


def test_a_line_that_cannot_be_driven_keeps_no_other_from_being_given_back() -> None:
    given_back: list[str] = []
    lines = AudioInputLines(
        "mic",
        Choice("mic", "input type", (InputType.LINE,), StuckLine(given_back, "select")),
        Choice("mic", "power type", (PowerType.NONE,), StuckLine(given_back, "power")),
    )
    with pytest.raises(BusError, match="cannot be driven"):
        lines.close()
    assert given_back == ["power", "select"]


class JammingLine(StuckLine):
    """A line that can be driven until it jams."""

    jammed = False

    def set(self, *levels: bool) -> None:
        if self.jammed:
            super().set(*levels)


def test_a_line_that_jams_keeps_no_ear_open_at_the_end() -> None:
    """Whoever hears nothing of a microphone's lines takes it to be switched off: all must be forgotten."""

    async def main(clock: VirtualClock) -> None:
        bus, line = Bus(clock, role="control", boot="b1"), JammingLine([], "power")
        powers = Choice("first", "power type", (PowerType.NONE, PowerType.PHANTOM), line)
        first = AudioInputLines("first", Choice("first", "input type", (InputType.LINE,)), powers)
        other = Choice("second", "power type", (PowerType.NONE,)), Choice("second", "input type", (InputType.LINE,))
        lines = {"first": first, "second": AudioInputLines("second", other[1], other[0])}
        world = World(clock, parse_board(BOARD, "studio.toml"))
        wires = SimWires(world)
        opened = await assemble(world.board, wires, clock)
        actions = ActionTable()
        store: Any = None
        params = Params(store, bus, lambda *_: None)
        core = Core(
            role="control", clock=clock, bus=bus, actions=actions, link=LocalLink(actions, params), params=params,
            store=store, shared=store,
        )  # fmt: skip
        service = InputLinesService(core, replace(opened.hardware, microphone_lines=lines))
        try:
            await service.start()
            assert bus.state(InputLinesState, "first") is not None
            assert bus.state(InputLinesState, "second") is not None
            first.set_power_type(PowerType.PHANTOM)
            line.jammed = True
            with pytest.raises(BusError, match="cannot be driven"):
                await service.stop()
            assert bus.state(InputLinesState, "first") is None
            assert bus.state(InputLinesState, "second") is None
        finally:
            await opened.close()
            await wires.close()
            world.close()

    virtual_run(main)
