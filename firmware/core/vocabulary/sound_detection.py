"""Words of sound detection: how loud it is at an audio input, and when that rises above or falls below a set level."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from firmware.core.events import Pulse, State, topic


@topic("audio/detection")
@dataclass(frozen=True, slots=True, kw_only=True)
class SoundDetection(State):
    """Whether it is loud at an audio input: `above` the alarm level, 0 (most sensitive) to 100.

    `listening` is false while the input is off, muted or disabled, and during a speaker test: then nothing can be told.
    """

    keys: ClassVar[tuple[str, ...]] = ("input",)
    input: str
    alarm_level: int
    above: bool
    listening: bool


@topic("audio/detection/rise")
@dataclass(frozen=True, slots=True, kw_only=True)
class SoundRose(Pulse):
    """It has become louder than the alarm level; `level` is the loudness then, 0 to 100."""

    input: str
    alarm_level: int
    level: int


@topic("audio/detection/fall")
@dataclass(frozen=True, slots=True, kw_only=True)
class SoundFell(Pulse):
    """It is not louder than the alarm level any more; `loud_s` is how long it was. Every rise has its fall: that is
    also when another level was set, or, with a `level` of 0, when nothing can be heard any more.
    """

    input: str
    alarm_level: int
    level: int
    loud_s: float


@topic("audio/detection/pass")
@dataclass(frozen=True, slots=True, kw_only=True)
class SoundPassed(Pulse):
    """The loudness has passed the alarm level, in either direction."""

    input: str
    alarm_level: int
    level: int
    rising: bool
