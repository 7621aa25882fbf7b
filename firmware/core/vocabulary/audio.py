"""Words of the audio room: outputs, inputs and their levels (manual 000, Audio, Device settings)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field

from firmware.core.events import State, topic
from hal.sounds import InputType, PowerType


@topic("audio/output")
@dataclass(frozen=True, slots=True, kw_only=True)
class OutputState(State):
    """A speaker or line output. `playing` names what sounds, the most important first; without its card not `present`.

    `gain_db` and `muted` are what people set; a speaker test uses its own for as long as it takes.
    """

    keys: ClassVar[tuple[str, ...]] = ("output",)
    output: str
    name: str
    present: bool
    gain_db: float
    muted: bool
    playing: tuple[str, ...]


@topic("audio/input")
@dataclass(frozen=True, slots=True, kw_only=True)
class InputState(State):
    """A microphone or line input. `switched_off` is the microphone-disable switch of the device, which always wins;
    it is taken to be thrown while nobody says how it stands.

    `hears` is what follows of all: whether sound can come now.
    """

    keys: ClassVar[tuple[str, ...]] = ("input",)
    input: str
    name: str
    present: bool
    enabled: bool
    switched_off: bool
    muted: bool
    hears: bool
    gain_db: float
    input_type: InputType
    power_type: PowerType


@topic("audio/input_lines")
@dataclass(frozen=True, slots=True, kw_only=True)
class InputLinesState(State):
    """The lines around a microphone, as they are: the microphone-disable switch, what is connected, how it is fed."""

    keys: ClassVar[tuple[str, ...]] = ("input",)
    input: str
    switched_off: bool
    input_type: InputType
    power_type: PowerType


@topic("audio/level")
@dataclass(frozen=True, slots=True, kw_only=True)
class LevelState(State):
    """The level meter of an output or input: the last quarter of a second, in whole dB, down to `METER_FLOOR_DBFS`.

    Published at most four times a second, and only when it has changed; the journal does not keep it.
    """

    keys: ClassVar[tuple[str, ...]] = ("port",)
    journalled: ClassVar[bool] = False
    port: str
    peak_dbfs: int
    rms_dbfs: int


METER_FLOOR_DBFS = -60

AudioPort = Annotated[str, Field(min_length=1, max_length=32)]
Decibel = Annotated[float, Field(ge=-90, le=40)]


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputParams:
    """Change an output, by node name or alias; without `output` the first one. What is None stays."""

    output: AudioPort | None = None
    gain_db: Decibel | None = None
    muted: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InputParams:
    """Change an input, by node name or alias; without `input` the first one. What is None stays."""

    input: AudioPort | None = None
    enabled: bool | None = None
    gain_db: Decibel | None = None
    muted: bool | None = None
