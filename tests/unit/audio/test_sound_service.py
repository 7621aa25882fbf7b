"""The sound service on real drivers and cards in virtual time: parameters, states, levels, cards that come and go."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from firmware.audio import Priority, Sound, SoundService
from firmware.core.actions import ActionTable, Caller, Invocation, Level
from firmware.core.bus import Bus
from firmware.core.context import Core
from firmware.core.errors import Invalid, NotFound, Unavailable
from firmware.core.journal import Journal
from firmware.core.link.local import LocalLink
from firmware.core.params import Params
from firmware.core.services import Services
from firmware.core.store import Store
from firmware.core.vocabulary.audio import InputState, LevelState, OutputState
from firmware.core.vocabulary.station import ServicePhase, ServiceState
from firmware.media_sound import audio_facts
from firmware.roles import roles_for
from firmware.sensing import InputLinesService
from hal.assemble import assemble
from hal.assemble_sound import AssembledSound, assemble_sound
from hal.board import parse_board
from hal.errors import BoardError, BusError
from hal.sim.peers.button import ButtonPeer
from hal.sim.time import VirtualClock, virtual_run
from hal.sim.wires import SimWires
from hal.sim.world import World
from hal.sounds import InputType, PowerType
from tests.unit.audio.card import Card, Membrane

OPERATOR = Caller("op", Level.OPERATOR, "api")
ADMIN = Caller("root", Level.ADMIN, "api")
BOARD = """
[product]
name = "Studio"
model = "STUDIO"
[buses]
gpio0 = { kind = "gpio", chip = "/dev/lintel/gpio" }
[nodes.horn]
compatible = "audio-out"
alias = "loud"
device = "plughw:CARD=codec"
gain_min_db = -40
[nodes.mic]
compatible = "audio-in"
device = "plughw:CARD=codec"
input_types = ["microphone", "line"]
power_types = ["none", "phantom"]
select = "gpio0:5"
power = "gpio0:6"
disable = "gpio0:7"
"""


class CardWires(SimWires):
    """Sound wires whose cards are in virtual time; without `plugged` there are none."""

    def __init__(self, world: World, clock: VirtualClock) -> None:
        super().__init__(world)
        self._time = clock
        self.plugged = True
        self.card: Card
        self.membrane: Membrane

    async def pcm_out(self, owner: str, device: str, *, rate_hz: int, channels: int) -> Any:
        if not self.plugged:
            raise BusError(owner, "no such audio device")
        self.card = Card(self._time)
        return self.card

    async def pcm_in(self, owner: str, device: str, *, rate_hz: int, channels: int) -> Any:
        self.membrane = Membrane(channels)
        return self.membrane


class Studio:
    """A core with the sound service, on the world of a board."""

    def __init__(self, clock: VirtualClock, root: Path, board: str = BOARD) -> None:
        self.clock = clock
        self.root = root
        self.world = World(clock, parse_board(board, "b.toml"))
        self.wires = CardWires(self.world, clock)
        self.sound = Sound(*audio_facts(self.world.board))
        self.journal: list[Any] = []
        self.core: Core
        self.began = 0
        self.with_lines = True

    async def run(self, test: Callable[[Studio], Awaitable[None]]) -> None:
        """Run the service as the composition root does, and a test beside it."""
        store = Store(self.root, self.clock, alarm=lambda *_: None)
        await store.start()
        bus = Bus(self.clock, role="media", boot="b1")
        actions = ActionTable()
        params = Params(store, bus, lambda *_: None)
        self.core = Core(
            role="media",
            clock=self.clock,
            bus=bus,
            actions=actions,
            link=LocalLink(actions, params),
            params=params,
            store=store,
            shared=store,
        )
        self.log = Journal(bus, store, self.clock)
        up = asyncio.Event()
        control = await assemble(self.world.board, self.wires, self.clock)
        self.lines = InputLinesService(self.core, control.hardware)
        lines = (self.lines,) if self.with_lines else ()
        services = (*lines, SoundService(self.core, self.sound, self._open))
        running = self.clock.loop.create_task(Services(bus, self.clock, "media").run(services, up.set))
        try:
            await up.wait()
            await self.clock.sleep(0.01)
            await test(self)
        finally:
            running.cancel()
            await asyncio.wait((running,))
            await store.close()
            await control.close()
            await self.wires.close()
            self.world.close()

    async def _open(self) -> AssembledSound:
        self.began += 1
        return await assemble_sound(self.world.board, self.wires)

    @property
    def output(self) -> OutputState:
        state = self.core.bus.state(OutputState, "horn")
        assert state is not None
        return state

    @property
    def input(self) -> InputState:
        state = self.core.bus.state(InputState, "mic")
        assert state is not None
        return state

    def level(self, port: str) -> LevelState:
        state = self.core.bus.state(LevelState, port)
        assert state is not None
        return state

    async def act(self, action: str, **data: Any) -> None:
        """Send a command as an interface does."""
        params = self.core.actions.parse(action, data)
        await self.core.actions.invoke(Invocation(action=action, params=params, caller=OPERATOR))
        await self.clock.sleep(0.001)

    async def patch(self, **nodes: object) -> None:
        """Change parameters as an interface does."""
        await self.core.params.change("audio", nodes, ADMIN)
        await self.clock.sleep(0.001)


def in_the_studio(root: Path, test: Callable[[Studio], Awaitable[None]]) -> None:
    """Run a test in virtual time."""

    async def main(clock: VirtualClock) -> None:
        await Studio(clock, root).run(test)

    virtual_run(main)


def test_it_says_how_outputs_and_inputs_are_as_soon_as_the_cards_are_open(tmp_path: Path) -> None:
    async def test(studio: Studio) -> None:
        out, inp = studio.output, studio.input
        assert (out.name, out.present, out.gain_db, out.muted, out.playing) == ("loud", True, 0.0, False, ())
        assert (inp.name, inp.present, inp.enabled, inp.switched_off, inp.hears) == ("mic", True, True, False, True)
        assert (inp.input_type, inp.power_type) == (InputType.MICROPHONE, PowerType.NONE)

    in_the_studio(tmp_path, test)


def test_an_operator_sets_the_volume_and_it_is_heard_shown_and_kept_over_a_restart(tmp_path: Path) -> None:
    async def loud(studio: Studio) -> float:
        async with studio.sound.mixer("loud").voice(Priority.CLIP) as voice:
            await voice.play(np.full(4800, 0.5, np.float32))
        return float(studio.wires.card.out[-6000:].max())

    async def first(studio: Studio) -> None:
        await studio.act("audio.set_output", output="loud", gain_db=-20.0)
        assert studio.output.gain_db == -20.0
        assert await loud(studio) == pytest.approx(0.05, abs=1e-4)
        await studio.act("audio.set_output", muted=True)
        assert studio.output.muted
        assert await loud(studio) == 0.0
        await studio.act("audio.set_output", muted=False)

    async def then(studio: Studio) -> None:
        assert studio.output.gain_db == -20.0
        assert await loud(studio) == pytest.approx(0.05, abs=1e-4)

    in_the_studio(tmp_path, first)
    in_the_studio(tmp_path, then)


def test_input_type_and_power_type_move_their_lines_and_come_back_with_the_card(tmp_path: Path) -> None:
    async def test(studio: Studio) -> None:
        select, power = studio.world.find("mic.select"), studio.world.find("mic.power")
        await studio.patch(mic={"input_type": "line", "power_type": "phantom"})
        assert (select.state(), power.state()) == (True, True)
        assert (studio.input.input_type, studio.input.power_type) == (InputType.LINE, PowerType.PHANTOM)
        studio.wires.membrane.unplug()
        await studio.clock.sleep(0.1)
        assert (select.state(), power.state()) == (False, False)  # nobody feeds a microphone that nobody listens to
        await studio.clock.sleep(5.0)
        assert (select.state(), power.state()) == (True, True)

    in_the_studio(tmp_path, test)


def test_the_switch_of_the_device_wins_over_every_parameter(tmp_path: Path) -> None:
    async def test(studio: Studio) -> None:
        switch = studio.world.find("mic.disable")
        assert isinstance(switch, ButtonPeer)
        switch.hold()
        await studio.clock.sleep(0.1)
        assert (studio.input.switched_off, studio.input.hears) == (True, False)
        await studio.act("audio.set_input", enabled=True, muted=False, gain_db=30.0)
        with studio.sound.ear("mic").listen() as blocks, studio.sound.ear("mic").override(0.0):
            assert not studio.sound.ear("mic").hears
            studio.wires.membrane.hear(20_000)
            assert not (await anext(blocks)).samples.any()
            switch.release()
            await studio.clock.sleep(0.1)
            studio.wires.membrane.hear(20_000)
            studio.wires.membrane.hear(20_000)
            await anext(blocks)
            assert (await anext(blocks)).samples[0] == 20_000
        assert (studio.input.switched_off, studio.input.hears) == (False, True)
        await studio.act("audio.set_input", enabled=False)
        assert (studio.input.enabled, studio.input.hears) == (False, False)

    in_the_studio(tmp_path, test)


def test_while_nobody_says_how_the_switch_stands_nothing_is_heard(tmp_path: Path) -> None:
    async def test(studio: Studio) -> None:
        assert (studio.input.switched_off, studio.input.hears) == (True, False)
        with studio.sound.ear("mic").listen() as blocks:
            studio.wires.membrane.hear(20_000)
            assert not (await anext(blocks)).samples.any()
        await studio.lines.start()
        await studio.clock.sleep(0.01)
        assert (studio.input.switched_off, studio.input.hears) == (False, True)
        await studio.lines.stop()
        await studio.clock.sleep(0.01)
        assert (studio.input.switched_off, studio.input.hears) == (True, False)

    async def main(clock: VirtualClock) -> None:
        studio = Studio(clock, tmp_path)
        studio.with_lines = False
        await studio.run(test)

    virtual_run(main)


def test_levels_are_said_at_most_four_times_a_second_in_whole_decibels_and_not_to_the_journal(tmp_path: Path) -> None:
    async def test(studio: Studio) -> None:
        said: list[LevelState] = []
        studio.core.bus.tap(lambda notice: said.append(notice.event) if isinstance(notice.event, LevelState) else None)
        for step in range(200):
            studio.wires.membrane.hear(3277 if step % 100 < 50 else 33)
            await studio.clock.sleep(0.01)
        assert studio.level("mic").peak_dbfs in (-20, -60)
        assert {-20, -60} <= {level.peak_dbfs for level in said}
        assert len(said) <= 9
        async with studio.sound.mixer().voice(Priority.CLIP) as voice:
            await voice.play(np.full(48_000, 0.1, np.float32))
            assert studio.level("horn").peak_dbfs == -20
            assert studio.output.playing == ("voice",)
        await studio.clock.sleep(0.6)
        assert studio.level("horn").peak_dbfs == -60
        assert studio.output.playing == ()
        assert {line.topic for line in studio.log.tail(1000)} >= {"audio/output", "audio/input"}
        assert "audio/level" not in {line.topic for line in studio.log.tail(1000)}

    in_the_studio(tmp_path, test)


def test_a_card_that_goes_is_tried_again_and_the_settings_are_its_own_when_it_comes_back(tmp_path: Path) -> None:
    async def test(studio: Studio) -> None:
        await studio.act("audio.set_output", gain_db=-6.0)
        async with studio.sound.mixer().voice(Priority.CLIP) as voice:
            await voice.play(np.full(4800, 0.5, np.float32))
        studio.wires.plugged = False
        studio.wires.membrane.unplug()
        await studio.clock.sleep(0.1)
        assert (studio.output.present, studio.input.present, studio.input.hears) == (False, False, False)
        service = studio.core.bus.state(ServiceState, "media", "sound")
        assert service is not None
        assert (service.phase, "the card is gone" in service.reason) == (ServicePhase.FAILED, True)
        with pytest.raises(Unavailable, match="there is no speaker now"):
            async with studio.sound.mixer().voice(Priority.CLIP):
                pass
        await studio.act("audio.set_output", gain_db=-12.0)  # settings can be changed all the same
        await studio.clock.sleep(10.0)
        assert studio.began > 2
        studio.wires.plugged = True
        await studio.clock.sleep(31.0)
        assert (studio.output.present, studio.output.gain_db, studio.input.hears) == (True, -12.0, True)
        async with studio.sound.mixer().voice(Priority.CLIP) as voice:
            await voice.play(np.full(4800, 0.5, np.float32))
        assert studio.wires.card.out.max() == pytest.approx(0.5 * 10 ** (-12 / 20), abs=1e-4)

    in_the_studio(tmp_path, test)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"horn": {"gain_db": 3}}, "audio.horn: gain_db 3 is not between -40 and 0 (got {'gain_db': 3})"),
        ({"horn": {"gain": 3}}, "audio.horn: unknown setting 'gain'; did you mean 'gain_db'? (got {'gain': 3})"),
        ({"horne": {"gain_db": -3}}, "audio.horne: unknown parameter 'horne'; did you mean 'horn'?"),
        (
            {"mic": {"power_type": "plug-in"}},
            "audio.mic: power_type 'plug-in' is not one of this board; valid: none, phantom "
            "(got {'power_type': 'plug-in'})",
        ),
    ],
)
def test_a_setting_that_the_board_does_not_allow_is_one_line_and_changes_nothing(
    tmp_path: Path, change: dict[str, Any], expected: str
) -> None:
    async def test(studio: Studio) -> None:
        with pytest.raises(Invalid) as raised:
            await studio.patch(**({"mic": {"muted": True}} | change))
        assert str(raised.value) == expected
        assert not studio.input.muted
        assert studio.output.gain_db == 0.0

    in_the_studio(tmp_path, test)


def test_an_output_that_is_not_there_is_named_with_the_nearest(tmp_path: Path) -> None:
    async def test(studio: Studio) -> None:
        with pytest.raises(NotFound, match=r"^audio.set_output.output: no audio output 'lout'; did you mean 'loud'\?$"):
            await studio.act("audio.set_output", output="lout", gain_db=0.0)

    in_the_studio(tmp_path, test)


def test_a_card_of_another_rate_is_refused_by_name() -> None:
    board = parse_board(BOARD.replace('alias = "loud"', 'alias = "loud"\nrate_hz = 16000'), "b.toml")
    with pytest.raises(BoardError, match=r"nodes.horn.rate_hz: sound is 48000 Hz here \(got 16000\)"):
        roles_for(board)


def test_a_board_without_sound_has_no_output_to_set() -> None:
    sound = Sound((), ())
    with pytest.raises(NotFound, match=r"^output: this device has no audio output$"):
        sound.mixer()
