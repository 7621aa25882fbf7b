"""Sound in the media role: what its services are built from, and which of them a board needs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from firmware.app import Parts
from firmware.audio import InputFacts, OutputFacts, Sound, SoundService
from firmware.audio.clips.service import ClipsService
from firmware.audio.detection import SoundDetectorService
from firmware.audio.locate import LocateService
from firmware.audio.speaker_test import SpeakerTestService
from firmware.audio.speech_service import SpeechService, speeches
from firmware.audio.streams import SoundStreamsService
from firmware.core.context import Core
from firmware.core.service import Service
from hal.assemble_sound import assemble_sound
from hal.board import AudioInNode, AudioOutNode, Board
from hal.buses.speexdsp import SpeexVoice
from hal.sounds import InputType, PowerType
from hal.wires import SoundWires

Makers = dict[str, Callable[[], tuple[Service, ...]]]


def sound_makers(parts: Parts, core: Core, wires: SoundWires, voices: Path | None) -> Makers:
    """The cards of the board, then every service that plays or listens, in the order of their start.

    Those who listen and talk over the network come in at `voices`.
    """
    sound = Sound(*audio_facts(parts.board))
    return {
        "sound": lambda: (SoundService(core, sound, lambda: assemble_sound(parts.board, wires)),),
        "clips": lambda: (ClipsService(core, sound, parts.state.clip_spool),),
        "speaker_test": lambda: (SpeakerTestService(core, sound),),
        "locate": lambda: (LocateService(core, sound),),
        "sound_detector": lambda: (SoundDetectorService(core, sound),),
        "sound_streams": lambda: (SoundStreamsService(sound, voices),),
        "speech": lambda: (SpeechService(core, speeches(core, sound, SpeexVoice)),),
    }


def audio_facts(board: Board) -> tuple[tuple[OutputFacts, ...], tuple[InputFacts, ...]]:
    """Outputs and inputs as the board has them; their rates were checked before."""
    outputs: list[OutputFacts] = []
    inputs: list[InputFacts] = []
    for name, node in board.nodes.items():
        if not isinstance(node, AudioOutNode | AudioInNode):
            continue
        alias, limits = board.aliases.get(name, name), (node.gain_min_db, node.gain_max_db)
        if isinstance(node, AudioOutNode):
            outputs.append(OutputFacts(node=name, alias=alias, gain_range_db=limits))
            continue
        inputs.append(
            InputFacts(
                node=name,
                alias=alias,
                gain_range_db=limits,
                input_types=tuple(map(InputType, node.input_types)),
                power_types=tuple(map(PowerType, node.power_types)),
                has_switch=node.disable is not None,
            )
        )
    return tuple(outputs), tuple(inputs)
