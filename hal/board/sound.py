"""Sound on a board: an ALSA device that plays or records, and the lines around an input."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from hal.board.fields import AlsaDevice, Level, Line, MixerControl, PullName, read_list
from hal.board.soldered import Soldered
from hal.types import Pull

Rate = Literal[8000, 16000, 32000, 44100, 48000]
Decibel = Annotated[float, Field(ge=-90, le=40)]
InputName = Literal["microphone", "line"]
PowerName = Literal["none", "plug-in", "phantom"]


class Audio(Soldered):
    """An ALSA device: its name as ALSA knows it, its format, and the gain it may be given.

    `mixer` is a control of the card's own mixer, such as Speaker: it then does as much of the gain as it can.
    """

    device: AlsaDevice
    mixer: MixerControl | None = None
    rate_hz: Rate = 48000
    channels: int = Field(1, ge=1, le=2)
    gain_min_db: Decibel = -60.0
    gain_max_db: Decibel = 0.0

    @model_validator(mode="after")
    def _gain_is_a_range(self) -> Self:
        if self.gain_min_db > self.gain_max_db:
            raise ValueError(f"gain_min_db {self.gain_min_db:g} is above gain_max_db {self.gain_max_db:g}")
        return self


class AudioOutNode(Audio):
    """A speaker or a line output."""

    kind: ClassVar[str] = "speaker"

    compatible: Literal["audio-out"]


class AudioInNode(Audio):
    """A microphone or a line input. A second input type or power type is chosen by a line: high is the second.

    `disable` is the line of the microphone-disable switch; at `disable_active` the microphone is off.
    """

    kind: ClassVar[str] = "microphone"
    line_fields: ClassVar[tuple[str, ...]] = ("select", "power", "disable")

    compatible: Literal["audio-in"]
    gain_max_db: Decibel = 30.0
    input_types: Annotated[tuple[InputName, ...], BeforeValidator(read_list), Field(min_length=1, max_length=2)] = (
        "microphone",
    )
    power_types: Annotated[tuple[PowerName, ...], BeforeValidator(read_list), Field(min_length=1, max_length=2)] = (
        "none",
    )
    select: Line | None = None
    power: Line | None = None
    disable: Line | None = None
    disable_active: Level = "low"
    disable_pull: PullName = Pull.UP

    @property
    def has_lines(self) -> bool:
        """Whether there are lines around it, which are opened beside the door: see `hal/drivers/input_lines.py`."""
        return not (self.select is None and self.power is None and self.disable is None)

    @model_validator(mode="after")
    def _a_choice_has_a_line(self) -> Self:
        choices = (("input_types", self.input_types, "select"), ("power_types", self.power_types, "power"))
        for field, values, line in choices:
            if len(set(values)) < len(values):
                raise ValueError(f"{field} names {values[0]!r} twice")
            if (len(values) == 2) != (getattr(self, line) is not None):
                raise ValueError(f"{line} is the line that chooses between two {field}: both, or neither")
        return self
