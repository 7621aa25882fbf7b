"""The lines around an audio input: what is connected, how a microphone is fed, and the microphone-disable switch.

They are lines of a GPIO chip, so they are opened beside the door and not beside the sound card: whoever handles
sound touches no line. Source: manual 002, Microphone disable switch; manual 000, Audio, Device settings.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from hal.drivers.button import PushButton
from hal.errors import OutOfRange
from hal.ports import InputChange
from hal.sounds import InputType, PowerType
from hal.wires import OutputLines

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


class AudioInputLines:
    """Port `MicrophoneLines`."""

    def __init__(
        self,
        name: str,
        inputs: Choice[InputType],
        powers: Choice[PowerType],
        switch: PushButton | None = None,
    ) -> None:
        self._name = name
        self._inputs = inputs
        self._powers = powers
        self._switch = switch

    @property
    def name(self) -> str:
        return self._name

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
    def switched_off(self) -> bool:
        return self._switch is not None and self._switch.pressed()

    def watch(self, handler: Callable[[InputChange], None] | None) -> None:
        if self._switch is not None:
            self._switch.watch(handler)

    def close(self) -> None:
        """Feed no microphone any more, then give everything back; closing twice is harmless."""
        with ExitStack() as whatever_fails:
            if self._switch is not None:
                whatever_fails.callback(self._switch.close)
            whatever_fails.callback(self._inputs.close)
            whatever_fails.callback(self._powers.close)
