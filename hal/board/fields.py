"""Kinds of value a board file holds, each with its limits: names, lines, channels, colours, levels."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer

from hal.types import Colour, LineRef, Pull


def read_line(value: object) -> LineRef:
    """A `BUS:NUMBER` text as a place. Raises ValueError with the expected form."""
    if isinstance(value, LineRef):
        return value
    if not isinstance(value, str):
        raise ValueError("a line is text such as 'gpio0:17'")
    return LineRef.parse(value)


def read_channel(value: object) -> LineRef:
    """A `CONVERTER:CHANNEL` text as a place. Raises ValueError with the expected form."""
    if isinstance(value, LineRef):
        return value
    try:
        return LineRef.parse(value) if isinstance(value, str) else read_line(value)
    except ValueError:
        raise ValueError("a channel is text such as 'adc0:1'") from None


def read_light_colour(value: object) -> Colour:
    """A colour that a lamp can have. Raises ValueError."""
    lit = [colour.value for colour in Colour if colour is not Colour.OFF]
    if isinstance(value, str) and value in lit:
        return Colour(value)
    raise ValueError(f"a lamp's colour is one of {', '.join(lit)}")


def read_pull(value: object) -> Pull:
    """The bias of an input. Raises ValueError."""
    if isinstance(value, str) and value in [pull.value for pull in Pull]:
        return Pull(value)
    raise ValueError("a pull is one of up, down, none")


def read_list(value: object) -> object:
    """A TOML array as the tuple a frozen model keeps; anything else is left for the check that follows."""
    return tuple(value) if isinstance(value, list) else value


def read_between(low: int, high: int) -> AfterValidator:
    """A check of an I2C address, in hexadecimal as people write it."""

    def check(value: int) -> int:
        if not low <= value <= high:
            raise ValueError(f"should be 0x{low:02x} to 0x{high:02x}, which is {low} to {high}")
        return value

    return AfterValidator(check)


NAME_PATTERN = r"^[a-z][a-z0-9_]{0,31}$"
MODEL_PATTERN = r"^[A-Z0-9][A-Z0-9-]{0,31}$"
WORDS_PATTERN = r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]{1,80}$"
DEVICE_PATTERN = r"^/dev/[A-Za-z0-9_./-]{1,100}$"
ALSA_PATTERN = r"^[A-Za-z][A-Za-z0-9_:,=.-]{0,63}$"
CONTROL_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,43}$"

# What the patterns mean, for people.
PATTERNS = {
    NAME_PATTERN: "1 to 32 letters a-z, digits and _, beginning with a letter",
    MODEL_PATTERN: "1 to 32 letters A-Z, digits and -",
    WORDS_PATTERN: "1 to 80 characters on one line",
    DEVICE_PATTERN: "a path below /dev",
    ALSA_PATTERN: "the name of an ALSA device, such as plughw:CARD=codec",
    CONTROL_PATTERN: "the name of a simple mixer control, such as Speaker",
}

Name = Annotated[str, Field(pattern=NAME_PATTERN)]
Line = Annotated[LineRef, BeforeValidator(read_line), PlainSerializer(str, return_type=str)]
Channel = Annotated[LineRef, BeforeValidator(read_channel), PlainSerializer(str, return_type=str)]
LampColour = Annotated[Colour, BeforeValidator(read_light_colour), PlainSerializer(str, return_type=str)]
PullName = Annotated[Pull, BeforeValidator(read_pull), PlainSerializer(str, return_type=str)]
Level = Literal["low", "high"]
Milliseconds = Annotated[int, Field(ge=1, le=1000)]
Debounce = Annotated[int, Field(ge=0, le=200)]
Ohm = Annotated[int, Field(ge=100, le=1_000_000)]
Volt = Annotated[float, Field(ge=1.0, le=5.5)]
Words = Annotated[str, Field(pattern=WORDS_PATTERN)]
ModelName = Annotated[str, Field(pattern=MODEL_PATTERN)]
Device = Annotated[str, Field(pattern=DEVICE_PATTERN)]
AlsaDevice = Annotated[str, Field(pattern=ALSA_PATTERN)]
MixerControl = Annotated[str, Field(pattern=CONTROL_PATTERN)]
