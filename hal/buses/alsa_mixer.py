"""A control of a sound card's own mixer, on pyalsaaudio: the gain that the hardware can do.

Only this file and `hal.buses.alsa` know the library. Its calls are short: a control is set by the kernel at once.
"""

from __future__ import annotations

import re
from typing import Any, Protocol

from hal.errors import BusError

# The library counts in hundredths of a dB.
CENTIBELS = 100
# What it says of a lowest step that is silence (SND_CTL_TLV_DB_GAIN_MUTE).
MUTED = -9999999


class Control(Protocol):
    """The part of alsaaudio.Mixer that is used."""

    def getrange(self, pcmtype: int, units: int) -> list[int]: ...
    def getvolume(self, pcmtype: int, units: int) -> list[int]: ...
    def setvolume(self, volume: int, channel: int, pcmtype: int, units: int) -> None: ...
    def close(self) -> None: ...


def card_of(device: str) -> str:
    """The card of a PCM device, as a mixer is opened: `hw:CARD=codec` for `plughw:CARD=codec,DEV=0`."""
    match = re.search(r"[:,](?:CARD=)?([^,=]+)", device)
    return device if match is None else f"hw:CARD={match[1]}"


class AlsaMixer:
    """The volume of one control, for playing or recording; implements PcmMixer. Open it with `open`."""

    def __init__(self, name: str, control: str, mixer: Control, *, capture: bool) -> None:
        import alsaaudio

        self._name = name
        self._control = control
        self._mixer = mixer
        self._capture = capture
        self._pcmtype = alsaaudio.PCM_CAPTURE if capture else alsaaudio.PCM_PLAYBACK
        low, high = self._asked(mixer.getrange, self._pcmtype, alsaaudio.VOLUME_UNITS_DB)
        if low >= high:
            raise BusError(name, f"the mixer control {control!r} has no volume in dB")
        self._range = (int(low), int(high))

    @classmethod
    def open(cls, name: str, device: str, control: str, *, capture: bool) -> AlsaMixer:
        """Open a simple control of the card that the PCM device belongs to. Raises BusError."""
        import alsaaudio

        card = card_of(device)
        try:
            mixer = alsaaudio.Mixer(control=control, device=card)
        except alsaaudio.ALSAAudioError as error:
            try:
                there = ", ".join(alsaaudio.mixers(device=card)) or "none"
            except alsaaudio.ALSAAudioError:
                there = "none"
            raise BusError(name, f"no mixer control {control!r} on {card}: {error}; there are: {there}") from error
        return cls(name, control, mixer, capture=capture)

    @property
    def range_db(self) -> tuple[float, float]:
        low, high = self._range
        return (low / CENTIBELS, high / CENTIBELS)

    def set(self, db: float) -> float:
        """The first step at or above it for playing, at or below it for recording; never the silence of a lowest step.

        So whatever the samples are given besides cuts nothing off that the gain itself does not.
        """
        import alsaaudio

        low, high = self._range
        wanted = min(max(round(db * CENTIBELS), low), high)
        # A look takes in what other programs have turned: the library does not set again what it takes for set.
        self._volume(alsaaudio.VOLUME_UNITS_DB)
        self._turn(wanted, alsaaudio.VOLUME_UNITS_DB)
        given = self._volume(alsaaudio.VOLUME_UNITS_DB)  # the nearest step, or in older libraries the one below
        if self._capture and given > wanted:
            given = self._stepped(-1)
        if given <= MUTED or (given < wanted and not self._capture):
            given = self._stepped(+1)
        if given <= MUTED:  # another program has locked it: the library does not tell
            raise BusError(self._name, f"the mixer control {self._control!r} cannot be turned up: it stays silent")
        return given / CENTIBELS

    def _stepped(self, steps: int) -> int:
        """Go so many steps up; where the volume is then, in hundredths of a dB."""
        import alsaaudio

        self._turn(self._volume(alsaaudio.VOLUME_UNITS_RAW) + steps, alsaaudio.VOLUME_UNITS_RAW)
        return self._volume(alsaaudio.VOLUME_UNITS_DB)

    def _volume(self, units: int) -> int:
        """The volume of the loudest channel."""
        volumes: list[int] = self._asked(self._mixer.getvolume, self._pcmtype, units)
        return max(volumes)

    def _turn(self, volume: int, units: int) -> None:
        import alsaaudio

        self._asked(self._mixer.setvolume, volume, alsaaudio.MIXER_CHANNEL_ALL, self._pcmtype, units)

    def close(self) -> None:
        mixer, self._mixer = self._mixer, Gone()
        mixer.close()

    def _asked(self, call: Any, *args: int) -> Any:
        import alsaaudio

        try:
            return call(*args)
        except (alsaaudio.ALSAAudioError, OSError) as error:
            raise BusError(self._name, f"the mixer control {self._control!r} cannot be used: {error}") from error


class Gone:
    """What is left of a control that was closed."""

    def getrange(self, pcmtype: int, units: int) -> list[int]:
        raise OSError("it was closed")

    def getvolume(self, pcmtype: int, units: int) -> list[int]:
        raise OSError("it was closed")

    def setvolume(self, volume: int, channel: int, pcmtype: int, units: int) -> None:
        raise OSError("it was closed")

    def close(self) -> None:
        """Closing twice is harmless."""
