"""Settings of outputs and inputs: the parameter group `audio`, with one parameter for each of the board.

The group is made for the board at hand, so a gain, an input type or a power type that the board does not allow is
refused before anything is saved. Source: manual 000, Audio, Device settings.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, create_model

from firmware.core.params import Group, param, part_over
from hal.sounds import InputType, PowerType


class OutputSettings(BaseModel):
    """What people set of an output."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    gain_db: float
    muted: bool = False


class InputSettings(BaseModel):
    """What people set of an input; off, it hands nobody any sound.

    Cancellation and automatic gain are for speech (`speech.py`); `alarm_level` is for sound detection, 0 is the most
    sensitive. Source: manual 001, Audio, Device settings; manual 000, Detectors.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    enabled: bool = True
    gain_db: float
    muted: bool = False
    input_type: InputType
    power_type: PowerType
    echo_cancellation: bool = False
    noise_cancellation: bool = False
    automatic_gain: bool = False
    alarm_level: Annotated[int, Field(ge=0, le=100)] = 50


def _check_gain(gain_db: float, limits: tuple[float, float]) -> None:
    low, high = limits
    if not low <= gain_db <= high:
        raise ValueError(f"gain_db {gain_db:g} is not between {low:g} and {high:g}")


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputFacts:
    """What the board says of an output: node name, alias, and the limits of its gain in dB."""

    node: str
    alias: str
    gain_range_db: tuple[float, float]

    def default(self) -> OutputSettings:
        """As near to 0 dB as the board allows."""
        low, high = self.gain_range_db
        return OutputSettings(gain_db=min(max(0.0, low), high))

    def check(self, settings: OutputSettings) -> OutputSettings:
        """The same settings. Raises ValueError for what the board does not allow."""
        _check_gain(settings.gain_db, self.gain_range_db)
        return settings


@dataclass(frozen=True, slots=True, kw_only=True)
class InputFacts:
    """What the board says of an input: as of an output, and what it can be switched over to, the default first."""

    node: str
    alias: str
    gain_range_db: tuple[float, float]
    input_types: tuple[InputType, ...]
    power_types: tuple[PowerType, ...]
    has_switch: bool = False  # a microphone-disable switch

    def default(self) -> InputSettings:
        """As near to 0 dB as the board allows."""
        low, high = self.gain_range_db
        return InputSettings(
            gain_db=min(max(0.0, low), high), input_type=self.input_types[0], power_type=self.power_types[0]
        )

    def check(self, settings: InputSettings) -> InputSettings:
        """The same settings. Raises ValueError for what the board does not allow."""
        _check_gain(settings.gain_db, self.gain_range_db)
        if settings.input_type not in self.input_types:
            valid = ", ".join(self.input_types)
            raise ValueError(f"input_type {settings.input_type.value!r} is not one of this board; valid: {valid}")
        if settings.power_type not in self.power_types:
            valid = ", ".join(self.power_types)
            raise ValueError(f"power_type {settings.power_type.value!r} is not one of this board; valid: {valid}")
        return settings


class AudioGroup(Group):
    """Base of the group made for a board; each field is the node name of an output or input."""

    group: ClassVar[str] = "audio"

    def output(self, node: str) -> OutputSettings:
        """The settings of one output."""
        settings = getattr(self, node)
        assert isinstance(settings, OutputSettings)
        return settings

    def input(self, node: str) -> InputSettings:
        """The settings of one input."""
        settings = getattr(self, node)
        assert isinstance(settings, InputSettings)
        return settings


def audio_group(
    outputs: Sequence[OutputFacts], inputs: Sequence[InputFacts], current: Callable[[str], BaseModel]
) -> type[AudioGroup]:
    """Make the group for these; a change that names only some settings of one keeps the others.

    `current` answers the settings of a node as they are now.
    """
    fields: dict[str, Any] = {}
    for out in outputs:
        over = BeforeValidator(part_over(OutputSettings, out.node, current))
        kind: Any = Annotated[OutputSettings, over, AfterValidator(out.check)]
        fields[out.node] = (kind, param(out.default(), f"Gain (dB) and mute of output {out.node}."))
    for inp in inputs:
        over = BeforeValidator(part_over(InputSettings, inp.node, current))
        kind = Annotated[InputSettings, over, AfterValidator(inp.check)]
        summary = f"Input {inp.node}: on or off, gain (dB), mute, types, what is done for speech, alarm level 0-100."
        fields[inp.node] = (kind, param(inp.default(), summary))
    return create_model("BoardAudioGroup", __base__=AudioGroup, **fields)
