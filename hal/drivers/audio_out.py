"""A speaker on a sound card: gain, mute and level on the way out."""

from __future__ import annotations

from hal.drivers.sound import Audio, Gain, block_of, bytes_of, level_of, shifted
from hal.errors import OutOfRange
from hal.sounds import SoundLevel
from hal.wires import PcmOut


class AudioOut(Audio):
    """Port `Speaker`. The gain is applied period by period, when the card takes the sound."""

    def __init__(self, name: str, wire: PcmOut, *, rate_hz: int, channels: int, gain: Gain) -> None:
        super().__init__(name, rate_hz=rate_hz, channels=channels, gain=gain)
        self._wire = wire
        self._playing = 0  # calls of play since everything was out

    def _changed(self) -> None:
        """Silent already: the next sound begins with the new gain, not with a rest of the old one."""
        if not self._playing:
            self._gain.settle()

    @property
    def underruns(self) -> int:
        return self._wire.underruns

    async def play(self, samples: bytes) -> None:
        try:
            whole = block_of(samples, self._channels)
        except ValueError:
            wanted = f"of {self._channels} 16-bit samples"
            raise OutOfRange(self._name, f"{len(samples)} bytes are not whole frames {wanted}") from None
        self._playing += 1
        step = self._wire.period_frames
        for start in range(0, len(whole), step):
            block = self._gain.apply(whole[start : start + step])
            self._level = shifted(level_of(block), self._gain.of_card_db)
            await self._wire.write(bytes_of(block))

    async def drain(self) -> None:
        begun = self._playing
        await self._wire.drain()
        if self._playing == begun:
            self._playing = 0
            self._level = SoundLevel()
            self._gain.settle()

    async def close(self) -> None:
        """Fall silent and give the card back."""
        try:
            await self._wire.close()
        finally:
            self._gain.close()
