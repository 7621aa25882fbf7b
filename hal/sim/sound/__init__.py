"""Simulated acoustics: sound cards made of FIFOs, and the room between speakers and microphones.

In real time only: libasound blocks in its threads, and the room paces them.
"""

from hal.sim.sound.measure import level_db, pitch_hz, tone
from hal.sim.sound.rig import SoundRig
from hal.sim.sound.room import Room

__all__ = ["Room", "SoundRig", "level_db", "pitch_hz", "tone"]
