"""The sound of a board: opens what plays and records, in the process that wants it and nowhere else.

Control never comes here: a sound card that hangs must not be able to hold a door. Nor is a line opened here: those
around a microphone are control's, like all the others.
"""

from __future__ import annotations

import logging
from contextlib import AsyncExitStack, ExitStack

from hal.assemble import named
from hal.board import AudioInNode, AudioOutNode, Board
from hal.drivers.audio_in import AudioIn
from hal.drivers.audio_out import AudioOut
from hal.drivers.sound import Gain
from hal.errors import BusError, HalError
from hal.ports import SoundHardware
from hal.wires import SoundWires

log = logging.getLogger("hal.assemble")


class AssembledSound:
    """The sound of a board, and its life. The wires stay their owner's to close."""

    def __init__(self, hardware: SoundHardware, opened: dict[str, AudioOut | AudioIn]) -> None:
        self.hardware = hardware
        self._opened = opened

    async def close(self) -> None:
        """Close everything, whatever fails; closing twice is harmless."""
        async with AsyncExitStack() as all_of_them:
            while self._opened:
                all_of_them.push_async_callback(_close, *self._opened.popitem())


async def assemble_sound(board: Board, wires: SoundWires) -> AssembledSound:
    """Open every speaker and microphone of the board.

    Raises BusError with the name of the node; then nothing stays open.
    """
    speakers: dict[str, AudioOut] = {}
    microphones: dict[str, AudioIn] = {}
    opened: dict[str, AudioOut | AudioIn] = {}
    hardware = SoundHardware(speakers=speakers, microphones=microphones, aliases=board.aliases)
    assembled = AssembledSound(hardware, opened)
    try:
        for name, node in board.nodes.items():
            with named(name):
                if isinstance(node, AudioOutNode):
                    opened[name] = speakers[name] = await _speaker(name, node, wires)
                elif isinstance(node, AudioInNode):
                    opened[name] = microphones[name] = await _microphone(name, node, wires)
    except BaseException:
        await assembled.close()
        raise
    return assembled


async def _close(name: str, driver: AudioOut | AudioIn) -> None:
    try:
        await driver.close()
    except HalError as error:
        log.error("%s: could not be closed: %s", name, error)


async def _gain(name: str, node: AudioOutNode | AudioInNode, wires: SoundWires) -> Gain:
    """As near to 0 dB as the board lets it begin; in the samples alone where the card's own volume cannot be used."""
    limits = (node.gain_min_db, node.gain_max_db)
    begin_db = min(max(0.0, limits[0]), limits[1])
    if node.mixer is not None:
        try:
            with ExitStack() as undo:
                mixer = await wires.pcm_mixer(name, node.device, node.mixer, capture=isinstance(node, AudioInNode))
                if mixer is not None:
                    undo.callback(mixer.close)
                gain = Gain(name, node.rate_hz, limits, begin_db, mixer)
                undo.pop_all()
                return gain
        except BusError as error:
            log.warning("%s: the gain is done in software: %s", name, error.message)
    return Gain(name, node.rate_hz, limits, begin_db)


async def _speaker(name: str, node: AudioOutNode, wires: SoundWires) -> AudioOut:
    gain = await _gain(name, node, wires)
    try:
        wire = await wires.pcm_out(name, node.device, rate_hz=node.rate_hz, channels=node.channels)
    except BaseException:
        gain.close()
        raise
    return AudioOut(name, wire, rate_hz=node.rate_hz, channels=node.channels, gain=gain)


async def _microphone(name: str, node: AudioInNode, wires: SoundWires) -> AudioIn:
    gain = await _gain(name, node, wires)
    try:
        wire = await wires.pcm_in(name, node.device, rate_hz=node.rate_hz, channels=node.channels)
    except BaseException:
        gain.close()
        raise
    return AudioIn(name, wire, rate_hz=node.rate_hz, channels=node.channels, gain=gain)
