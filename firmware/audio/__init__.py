"""The audio room: what plays and listens on this device, in the media role.

A service that plays is handed `Sound`: a `Mixer` for each speaker (voices with priorities), an `Ear` for each
microphone (blocks for many listeners).
"""

from firmware.audio.ear import Ear, EarBlock, Listening
from firmware.audio.mixer import Mixer, Priority
from firmware.audio.pcm import PERIOD, RATE_HZ
from firmware.audio.service import SoundService
from firmware.audio.settings import InputFacts, OutputFacts
from firmware.audio.sound import Sound
from firmware.audio.tap import Tap
from firmware.audio.voice import Voice

__all__ = [
    "PERIOD",
    "RATE_HZ",
    "Ear",
    "EarBlock",
    "InputFacts",
    "Listening",
    "Mixer",
    "OutputFacts",
    "Priority",
    "Sound",
    "SoundService",
    "Tap",
    "Voice",
]
