"""Service `speech`: cleans what microphones hear for whoever listens to speech, as the settings of the inputs say."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import ClassVar

from firmware.audio.cleaning import MakeFilter, Wishes
from firmware.audio.settings import AudioGroup
from firmware.audio.sound import Sound
from firmware.audio.speech import Speech
from firmware.core.context import Core
from firmware.core.vocabulary.speech import SpeechState

TELL_S = 2.0


def speeches(core: Core, sound: Sound, make_filter: MakeFilter) -> Mapping[str, Speech]:
    """The speech of every input, by node name; its echo comes from the first output."""
    mixer = next(iter(sound.mixers.values()), None)
    return {node: Speech(ear, mixer, make_filter, core.clock) for node, ear in sound.ears.items()}


class SpeechService:
    """Publishes `SpeechState` of every input."""

    name: ClassVar[str] = "speech"
    vital: ClassVar[bool] = False
    needs: ClassVar[frozenset[str]] = frozenset({"microphone"})

    def __init__(self, core: Core, inputs: Mapping[str, Speech]) -> None:
        self._core = core
        self._inputs = inputs

    async def start(self) -> None:
        """See whether the library is there."""
        for node, speech in self._inputs.items():
            speech.probe()
            self._tell(node)

    async def run(self) -> None:
        """Clean for whoever listens, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for node, speech in self._inputs.items():
                group.create_task(speech.run(lambda node=node: self._wishes(node)), name=f"speech {node}")  # type: ignore[misc]
            while True:
                await self._core.clock.sleep(TELL_S)
                for node in self._inputs:
                    self._tell(node)

    async def stop(self) -> None:
        """Nothing is said of inputs any more."""
        for node in self._inputs:
            self._core.bus.forget(SpeechState, node)

    def _wishes(self, node: str) -> Wishes:
        group = self._core.params.find(AudioGroup.group)
        assert isinstance(group, AudioGroup)
        settings = group.input(node)
        return Wishes(
            echo_cancellation=settings.echo_cancellation,
            noise_cancellation=settings.noise_cancellation,
            automatic_gain=settings.automatic_gain,
        )

    def _tell(self, node: str) -> None:
        speech, wishes = self._inputs[node], self._wishes(node)
        loss_db = speech.echo_loss_db
        self._core.bus.publish(
            SpeechState(
                input=node,
                available=not speech.missing,
                detail=speech.missing,
                echo_cancellation=wishes.echo_cancellation,
                noise_cancellation=wishes.noise_cancellation,
                automatic_gain=wishes.automatic_gain,
                listeners=speech.listeners,
                echo_loss_db=None if loss_db is None else round(loss_db),
            )
        )
