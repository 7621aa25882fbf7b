"""The sound wires in simulation: libasound on the cards of a sound rig, wherever the world itself lives.

libasound finds the cards by `ALSA_CONFIG_PATH`, which the rig gives to whoever starts the firmware.
"""

from __future__ import annotations

from pathlib import Path

from hal.clock import Clock
from hal.wires import PcmIn, PcmMixer, PcmOut

SYSTEM_CONFIG = "/usr/share/alsa/alsa.conf"


def alsa_config(folder: Path) -> Path:
    """The ALSA configuration of the cards whose rig works in that folder."""
    return folder / "asound.conf"


def alsa_environment(folder: Path) -> dict[str, str]:
    """What a process that opens these cards needs in its environment."""
    return {"ALSA_CONFIG_PATH": f"{SYSTEM_CONFIG}:{alsa_config(folder)}"}


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

    async def pcm_mixer(self, owner: str, device: str, control: str, *, capture: bool) -> PcmMixer | None:
        """None: a FIFO has no volume of its own."""
        return None

    async def pcm_in(self, owner: str, device: str, *, rate_hz: int, channels: int) -> PcmIn:
        """The recording card of that node, whatever its device is on hardware. Raises LineInUse, BusError."""
        from hal.buses.alsa import AlsaIn

        return await AlsaIn.open(owner, card_of(owner), self._clock, rate_hz=rate_hz, channels=channels)
