"""The sound wires in simulation: libasound on the cards of a sound rig, wherever the world itself lives.

libasound finds the cards by `ALSA_CONFIG_PATH`, which the rig gives to whoever starts the firmware.
"""

from __future__ import annotations

from hal.clock import Clock
from hal.wires import PcmIn, PcmOut


def card_of(node: str) -> str:
    """The ALSA device that stands for a node's."""
    return f"lintel_{node}"


class SimPcm:
    """The part of SoundWires that is sound."""

    _clock: Clock

    async def pcm_out(self, owner: str, device: str, *, rate_hz: int, channels: int) -> PcmOut:
        """The playing card of that node, whatever its device is on hardware. Raises LineInUse, BusError."""
        from hal.buses.alsa import AlsaOut

        return await AlsaOut.open(owner, card_of(owner), self._clock, rate_hz=rate_hz, channels=channels)

    async def pcm_in(self, owner: str, device: str, *, rate_hz: int, channels: int) -> PcmIn:
        """The recording card of that node, whatever its device is on hardware. Raises LineInUse, BusError."""
        from hal.buses.alsa import AlsaIn

        return await AlsaIn.open(owner, card_of(owner), self._clock, rate_hz=rate_hz, channels=channels)
