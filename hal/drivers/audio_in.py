"""A microphone or line input on a sound card: gain, mute and level on the way in, and the lines around it.

A disable switch silences at once and whatever the mute says; the card goes on, because its blocks are the clock of
whoever processes sound. Source: manual 002, Microphone disable switch.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from hal.drivers.button import PushButton
from hal.drivers.sound import Audio, Gain, block_of, bytes_of, level_of
from hal.errors import BusError, OutOfRange
from hal.ports import InputChange
from hal.sounds import InputType, PcmBlock, PowerType, SoundBlock
from hal.wires import OutputLines, PcmIn

T = TypeVar("T", InputType, PowerType)


@dataclass(slots=True)
class Choice(Generic[T]):
    """One of at most two things, chosen by a line: high is the second. A board with one thing needs no line."""

    name: str
    what: str
    valid: tuple[T, ...]
    line: OutputLines | None = None
    now: T = field(init=False)

    def __post_init__(self) -> None:
        self.now = self.valid[0]

    def choose(self, chosen: T) -> None:
        """Switch over. Raises OutOfRange for what the board lacks, BusError; then it stays as it was."""
        if chosen not in self.valid:
            valid = ", ".join(self.valid)
            raise OutOfRange(self.name, f"{self.what} {str(chosen)!r} is not one of this board; valid: {valid}")
        if self.line is not None:
            self.line.set(chosen is not self.valid[0])
        self.now = chosen

    def close(self) -> None:
        """Back to the first, then give the line back; closing twice is harmless."""
        line, self.line = self.line, None
        if line is not None:
            try:
                line.set(False)
            finally:
                line.close()


class AudioIn(Audio):
    """Port `Microphone`."""

    def __init__(
        self,
        name: str,
        wire: PcmIn,
        *,
        rate_hz: int,
        channels: int,
        gain: Gain,
        inputs: Choice[InputType],
        powers: Choice[PowerType],
        switch: PushButton | None = None,
    ) -> None:
        super().__init__(name, rate_hz=rate_hz, channels=channels, gain=gain)
        self._wire = wire
        self._inputs = inputs
        self._powers = powers
        self._switch = switch
        self._handler: Callable[[SoundBlock], None] | None = None
        self._disabled_handler: Callable[[InputChange], None] | None = None
        if switch is not None:
            switch.watch(self._thrown)
            self._gain.silence(switch.pressed())
        wire.receive(self._heard)

    @property
    def input_types(self) -> tuple[InputType, ...]:
        return self._inputs.valid

    @property
    def input_type(self) -> InputType:
        return self._inputs.now

    def set_input_type(self, chosen: InputType) -> None:
        self._inputs.choose(chosen)

    @property
    def power_types(self) -> tuple[PowerType, ...]:
        return self._powers.valid

    @property
    def power_type(self) -> PowerType:
        return self._powers.now

    def set_power_type(self, chosen: PowerType) -> None:
        self._powers.choose(chosen)

    @property
    def disabled(self) -> bool:
        return self._gain.silenced

    def on_disabled(self, handler: Callable[[InputChange], None] | None) -> None:
        self._disabled_handler = handler

    def _thrown(self, change: InputChange) -> None:
        self._gain.silence(change.active)
        if self._disabled_handler is not None:
            self._disabled_handler(change)

    def listen(self, handler: Callable[[SoundBlock], None] | None) -> None:
        self._handler = handler

    def on_lost(self, handler: Callable[[BusError], None] | None) -> None:
        self._wire.on_lost(handler)

    def _heard(self, block: PcmBlock) -> None:
        samples = self._gain.apply(block_of(block.samples, self._channels))
        self._level = level_of(samples)
        if self._handler is not None:
            self._handler(SoundBlock(block.t_ns, bytes_of(samples), self._level, block.lost))

    async def close(self) -> None:
        """Feed no microphone any more, then give everything back; closing twice is harmless."""
        self._handler = self._disabled_handler = None
        self._wire.receive(None)
        async with AsyncExitStack() as whatever_fails:
            whatever_fails.callback(self._gain.close)
            whatever_fails.push_async_callback(self._wire.close)
            if self._switch is not None:
                whatever_fails.callback(self._switch.close)
            whatever_fails.callback(self._inputs.close)
            whatever_fails.callback(self._powers.close)
