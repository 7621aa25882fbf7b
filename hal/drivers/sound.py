"""What happens to sound on its way: gain with a ramp, mute, and the level meter; and what all audio drivers share.

A block is an array of int16, one row a frame, one column a channel.
"""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from hal.errors import OutOfRange
from hal.sounds import SILENCE_DBFS, SoundLevel
from hal.wires import PcmMixer

Samples: TypeAlias = npt.NDArray[np.int16]

FULL_SCALE = 32768
# Long enough to be no click, short enough to be at once.
RAMP_S = 0.010
WIRE_FORMAT = np.dtype("<i2")


def block_of(data: bytes, channels: int) -> Samples:
    """Bytes of the wire as a block. Raises ValueError for half a frame."""
    return np.frombuffer(data, WIRE_FORMAT).reshape(-1, channels).astype(np.int16, copy=False)


def bytes_of(block: Samples) -> bytes:
    """A block as bytes of the wire."""
    return block.astype(WIRE_FORMAT, copy=False).tobytes()


def level_of(block: Samples) -> SoundLevel:
    """How loud a block is, over all its channels; an empty one is silent. Source: AES17."""
    if not block.size:
        return SoundLevel()
    wide = block.astype(np.float64)
    peak = float(np.abs(wide).max()) / FULL_SCALE
    rms = math.sqrt(float(np.mean(wide * wide))) / FULL_SCALE * math.sqrt(2)
    return SoundLevel(_dbfs(peak), _dbfs(rms))


def shifted(level: SoundLevel, db: float) -> SoundLevel:
    """The level after a further gain."""
    if not db:
        return level
    peak, rms = (max(SILENCE_DBFS, each + db) for each in (level.peak_dbfs, level.rms_dbfs))
    return SoundLevel(peak, rms)


def _dbfs(ratio: float) -> float:
    return max(SILENCE_DBFS, 20 * math.log10(ratio)) if ratio > 0 else SILENCE_DBFS


class Gain:
    """A gain in dB and a mute. A change goes on over `RAMP_S` of the sound that follows, in equal steps per frame.

    Where the card has a volume of its own (`mixer`), that does as much of the gain as it can, at once and without a
    ramp, and the samples are given the rest; `of_card_db` is the card's part.
    """

    def __init__(
        self,
        name: str,
        rate_hz: int,
        range_db: tuple[float, float],
        db: float = 0.0,
        mixer: PcmMixer | None = None,
    ) -> None:
        """Start at `db`. Raises OutOfRange, BusError."""
        self._name = name
        self._mixer = mixer
        self.range_db = range_db
        self._ramp_frames = round(rate_hz * RAMP_S)
        self.db = self._checked(db)
        self.of_card_db = 0.0 if mixer is None else mixer.set(db)
        self.muted = False
        self.silenced = False
        self.clipped = 0
        self._from = self._to = self._wanted()
        self._left = 0

    def set(self, db: float) -> None:
        """Change the gain. Raises OutOfRange with value and limits, BusError; then it stays what it was."""
        checked = self._checked(db)
        if self._mixer is not None:
            self.of_card_db = self._mixer.set(checked)
        self.db = checked
        self._aim()

    def mute(self, muted: bool) -> None:
        """What a person asked for."""
        self.muted = muted
        self._aim()

    def silence(self, silenced: bool) -> None:
        """What a switch asks for, whatever a person asked for; at once, without a ramp."""
        self.silenced = silenced
        self._aim()
        if silenced:
            self.settle()

    def close(self) -> None:
        """Give the card's own volume back; harmless twice."""
        if self._mixer is not None:
            self._mixer.close()

    def settle(self) -> None:
        """End a ramp: no sound goes through that could click."""
        self._left = 0

    def apply(self, block: Samples) -> Samples:
        """The block after gain, mute and ramp, limited to 16 bits; what was cut off is counted in `clipped`."""
        factors = self._factors(len(block))
        if isinstance(factors, float) and factors == 1.0:
            return block
        wide = np.rint(block.astype(np.float64) * factors)
        self.clipped += int(np.count_nonzero((wide > FULL_SCALE - 1) | (wide < -FULL_SCALE)))
        return np.clip(wide, -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)

    def _checked(self, db: float) -> float:
        low, high = self.range_db
        if not low <= db <= high:
            raise OutOfRange(self._name, f"gain {db:g} dB is not between {low:g} and {high:g} dB")
        return float(db)

    def _wanted(self) -> float:
        return 0.0 if self.muted or self.silenced else float(10 ** ((self.db - self.of_card_db) / 20))

    def _aim(self) -> None:
        self._from, self._to = self._at(self._left), self._wanted()
        self._left = self._ramp_frames if self._from != self._to else 0

    def _at(self, left: int) -> float:
        """The factor when so many frames of the ramp are left."""
        return self._to + (self._from - self._to) * left / self._ramp_frames

    def _factors(self, frames: int) -> float | npt.NDArray[np.float64]:
        """One factor for all frames, or one for each while a ramp goes on."""
        if not self._left:
            return self._to
        left = np.maximum(self._left - 1 - np.arange(frames), 0)
        self._left = max(0, self._left - frames)
        ramp: npt.NDArray[np.float64] = self._to + (self._from - self._to) * left[:, np.newaxis] / self._ramp_frames
        return ramp


class Audio:
    """What a speaker and a microphone have in common, as port `Sound`."""

    def __init__(self, name: str, *, rate_hz: int, channels: int, gain: Gain) -> None:
        self._name = name
        self._rate_hz = rate_hz
        self._channels = channels
        self._gain = gain
        self._level = SoundLevel()

    @property
    def name(self) -> str:
        return self._name

    @property
    def rate_hz(self) -> int:
        return self._rate_hz

    @property
    def channels(self) -> int:
        return self._channels

    @property
    def gain_range_db(self) -> tuple[float, float]:
        return self._gain.range_db

    @property
    def gain_db(self) -> float:
        return self._gain.db

    def set_gain(self, db: float) -> None:
        self._gain.set(db)
        self._changed()

    @property
    def muted(self) -> bool:
        return self._gain.muted

    def mute(self, muted: bool) -> None:
        self._gain.mute(muted)
        self._changed()

    def _changed(self) -> None:
        """The gain was changed by somebody."""

    @property
    def level(self) -> SoundLevel:
        return self._level

    @property
    def clipped(self) -> int:
        return self._gain.clipped
