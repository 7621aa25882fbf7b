"""A microphone or line input on a sound card: gain, mute and level on the way in.

Silenced it hands over silence at once and whatever the mute says; the card goes on, because its blocks are the clock
of whoever processes sound. The lines around it are another process's: `hal/drivers/input_lines.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack

from hal.drivers.sound import Audio, Gain, block_of, bytes_of, level_of
from hal.errors import BusError
from hal.sounds import PcmBlock, SoundBlock
from hal.wires import PcmIn


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
    ) -> None:
        super().__init__(name, rate_hz=rate_hz, channels=channels, gain=gain)
        self._wire = wire
        self._handler: Callable[[SoundBlock], None] | None = None
        wire.receive(self._heard)

    @property
    def silenced(self) -> bool:
        return self._gain.silenced

    def silence(self, silenced: bool) -> None:
        self._gain.silence(silenced)

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
        """Give the card and its volume back; closing twice is harmless."""
        self._handler = None
        self._wire.receive(None)
        async with AsyncExitStack() as whatever_fails:
            whatever_fails.callback(self._gain.close)
            whatever_fails.push_async_callback(self._wire.close)
