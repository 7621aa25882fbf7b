"""Service `sound`: opens the cards, applies the parameters, and says how outputs and inputs are.

A card that is not there, or goes, fails this service alone: it is tried again, and whoever plays or listens meanwhile
is told that there is no speaker or no microphone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, ClassVar, Protocol

from pydantic import BaseModel

from firmware.audio.meter import Meter
from firmware.audio.settings import AudioGroup, audio_group
from firmware.audio.sound import Sound
from firmware.core.actions import NOTHING, Caller, Invocation, Level, Nothing
from firmware.core.context import Core
from firmware.core.events import Notice, Operation
from firmware.core.vocabulary.audio import (
    METER_FLOOR_DBFS,
    InputLinesState,
    InputParams,
    InputState,
    LevelState,
    OutputParams,
    OutputState,
)
from firmware.core.vocabulary.station import ParamsChanged
from hal.errors import BusError
from hal.ports import SoundHardware

METER_S = 0.25


class Opened(Protocol):
    """The cards of a board, open; `hal.assemble_sound` makes one."""

    @property
    def hardware(self) -> SoundHardware:
        """Speakers and microphones by node name."""

    async def close(self) -> None:
        """Close every card; closing twice is harmless."""


class SoundService:
    """Owns `audio.set_output` and `audio.set_input`; publishes `OutputState`, `InputState` and `LevelState`."""

    name: ClassVar[str] = "sound"
    vital: ClassVar[bool] = False
    needs: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, core: Core, sound: Sound, open_cards: Callable[[], Awaitable[Opened]]) -> None:
        """`open_cards` opens every card of the board. It raises BusError."""
        self._core = core
        self._sound = sound
        self._open_cards = open_cards
        self._group = audio_group(tuple(sound.outputs.values()), tuple(sound.inputs.values()), self._settings)
        self._opened: Opened | None = None
        self._lost: asyncio.Queue[BusError] = asyncio.Queue()

    async def start(self) -> None:
        """Load the settings, then open the cards. Raises BusError when one is not there."""
        self._offer()
        self._core.params.declare(self._group)
        await self._core.params.load(self._group)
        self._lost = asyncio.Queue()
        self._apply()
        self._look_at_switches()
        self._publish()
        self._opened = await self._open_cards()
        for node, microphone in self._opened.hardware.microphones.items():
            microphone.on_lost(self._lost.put_nowait)
            self._sound.ears[node].open(microphone)
        self._publish()

    async def run(self) -> None:
        """Play, hear, and follow the parameters until cancelled. Raises BusError when a card goes."""
        assert self._opened is not None
        speakers = self._opened.hardware.speakers
        try:
            async with asyncio.TaskGroup() as tasks:
                for node, speaker in speakers.items():
                    tasks.create_task(self._sound.mixers[node].run(speaker), name=f"mixer {node}")
                tasks.create_task(self._watch_cards(), name="lost cards")
                tasks.create_task(self._measure(), name="level meters")
                with self._core.bus.subscribe(ParamsChanged, InputLinesState, retained=False) as changes:
                    self._look_at_switches()
                    self._publish()
                    async for notice in changes:
                        self._follow(notice)
        except ExceptionGroup as group:
            raise group.exceptions[0] from group

    async def stop(self) -> None:
        """Close the cards; outputs and inputs are not present any more."""
        for ear in self._sound.ears.values():
            ear.close()
        opened, self._opened = self._opened, None
        try:
            if opened is not None:
                await opened.close()
        finally:
            for node in (*self._sound.mixers, *self._sound.ears):
                self._core.bus.forget(LevelState, node)
            if self._loaded:
                self._publish()

    def _follow(self, notice: Notice) -> None:
        match notice.event:
            case ParamsChanged(group=AudioGroup.group):
                self._apply()
            case InputLinesState() as lines:
                self._switched(lines.input, None if notice.operation is Operation.DELETED else lines)
            case _:
                return
        self._publish(notice.event.id)

    def _look_at_switches(self) -> None:
        for node in self._sound.inputs:
            self._switched(node, self._core.bus.state(InputLinesState, node))

    @property
    def _loaded(self) -> bool:
        return AudioGroup.group in self._core.params

    async def _watch_cards(self) -> None:
        raise await self._lost.get()

    # settings

    def _settings(self, node: str) -> BaseModel:
        settings = getattr(self._core.params.get(self._group), node)
        assert isinstance(settings, BaseModel)
        return settings

    def _apply(self) -> None:
        group = self._core.params.get(self._group)
        for node, mixer in self._sound.mixers.items():
            out = group.output(node)
            mixer.set(out.gain_db, out.muted)
        for node, ear in self._sound.ears.items():
            inp = group.input(node)
            ear.set(inp.enabled, inp.gain_db, inp.muted)

    def _switched(self, node: str, lines: InputLinesState | None) -> None:
        """As the switch stands; while nobody says how, it is taken to be thrown."""
        facts = self._sound.inputs.get(node)
        if facts is not None and facts.has_switch:
            self._sound.ears[node].switch_off(lines is None or lines.switched_off)

    # what it says

    def _publish(self, cause: str | None = None) -> None:
        group = self._core.params.get(self._group)
        for node, facts in self._sound.outputs.items():
            mixer, out = self._sound.mixers[node], group.output(node)
            state = OutputState(
                output=node,
                name=facts.alias,
                present=mixer.present,
                gain_db=out.gain_db,
                muted=out.muted,
                playing=mixer.playing,
            )
            self._core.bus.publish(state, cause=cause)
        for node in self._sound.inputs:
            self._core.bus.publish(self._input(node), cause=cause)

    def _input(self, node: str) -> InputState:
        ear, inp = self._sound.ears[node], self._core.params.get(self._group).input(node)
        return InputState(
            input=node,
            name=self._sound.inputs[node].alias,
            present=ear.present,
            enabled=inp.enabled,
            switched_off=ear.switched_off,
            muted=inp.muted,
            hears=ear.hears,
            gain_db=inp.gain_db,
            input_type=inp.input_type,
            power_type=inp.power_type,
        )

    async def _measure(self) -> None:
        meters = {node: mixer.meter for node, mixer in self._sound.mixers.items()}
        meters |= {node: ear.meter for node, ear in self._sound.ears.items()}
        while True:
            for node, meter in meters.items():
                self._core.bus.publish(_level(node, meter))
            for node, mixer in self._sound.mixers.items():
                state = self._core.bus.state(OutputState, node)
                if state is not None and (state.playing, state.present) != (mixer.playing, mixer.present):
                    self._core.bus.publish(replace(state, playing=mixer.playing, present=mixer.present))
            await self._core.clock.sleep(METER_S)

    # actions

    def _offer(self) -> None:
        self._core.actions.register(
            "audio.set_output", OutputParams, self._set_output, summary="Change gain or mute of an audio output."
        )
        self._core.actions.register(
            "audio.set_input", InputParams, self._set_input, summary="Turn an audio input on or off, its gain or mute."
        )

    async def _set_output(self, invocation: Invocation) -> Nothing:
        params = invocation.params
        assert isinstance(params, OutputParams)
        node = self._sound.mixer(params.output, where="audio.set_output.output").name
        return await self._change(node, {"gain_db": params.gain_db, "muted": params.muted}, invocation)

    async def _set_input(self, invocation: Invocation) -> Nothing:
        params = invocation.params
        assert isinstance(params, InputParams)
        node = self._sound.ear(params.input, where="audio.set_input.input").name
        wishes = {"enabled": params.enabled, "gain_db": params.gain_db, "muted": params.muted}
        return await self._change(node, wishes, invocation)

    async def _change(self, node: str, wishes: dict[str, Any], invocation: Invocation) -> Nothing:
        """Change the parameters: they say what is so, whoever changed it."""
        patch = {node: {name: value for name, value in wishes.items() if value is not None}}
        by = Caller(invocation.caller.name, Level.SYSTEM, invocation.caller.via)
        await self._core.params.change(AudioGroup.group, patch, by, cause=invocation.cause)
        return NOTHING


def _level(node: str, meter: Meter) -> LevelState:
    level = meter.take()
    return LevelState(
        port=node,
        peak_dbfs=max(METER_FLOOR_DBFS, round(level.peak_dbfs)),
        rms_dbfs=max(METER_FLOOR_DBFS, round(level.rms_dbfs)),
    )
