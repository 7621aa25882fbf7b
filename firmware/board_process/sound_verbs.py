"""The verbs of sound: what somebody says near the device, how noisy it is there, and what was heard of the speakers.

hear tone:HZ[:S[:DBFS]] | noise[:S[:DBFS]] | speech[:S[:DBFS]] | FILE.wav | quiet
noise DBFS|off
heard [MICROPHONE] [--since S] [--out FILE.wav]
loss SPEAKER DB
"""

from __future__ import annotations

import asyncio
import math
from pathlib import Path
from typing import TYPE_CHECKING

from firmware.core.errors import Invalid, NotFound, Unsupported
from hal.errors import nearest
from hal.sim.peers.sound import MicrophonePeer, SpeakerPeer
from hal.sim.world import World

if TYPE_CHECKING:
    from hal.sim.sound import SoundRig
    from hal.sim.sound.filters import Ring
    from hal.sim.sound.measure import Signal

USAGE_HEAR = "write: hear tone:HZ[:S[:DBFS]]|noise[:S[:DBFS]]|speech[:S[:DBFS]]|FILE.wav|quiet"
USAGE_NOISE = "write: noise DBFS|off"
USAGE_HEARD = "write: heard [MICROPHONE] [--since S] [--out FILE.wav]"
SAYINGS = ("tone", "noise", "speech")
USUAL_S, USUAL_DBFS = 1.0, -20.0
LONGEST_S = 60.0
MOST_LOSS_DB = 60.0
LOUDEST_DBFS, QUIETEST_DBFS = 0.0, -120.0
# What speakers give is silent to the last bit when nothing is played; at a microphone there is the noise of the room.
AT_SPEAKERS_DB = -80.0
ABOVE_NOISE_DB = 25.0


class SoundVerbs:
    """The verbs on one room; a board without sound has none."""

    def __init__(self, world: World, rig: SoundRig | None) -> None:
        self._world = world
        self._rig = rig

    def _room(self, verb: str) -> SoundRig:
        if self._rig is None:
            raise Unsupported(verb, "this board has no speaker and no microphone")
        return self._rig

    def hear(self, words: list[str]) -> object:
        """Somebody says something at the microphones, after what is being said already; `quiet` ends all that."""
        room = self._room("hear").room
        if len(words) != 1:
            raise Invalid("hear", USAGE_HEAR)
        if words[0] == "quiet":
            room.hush()
            return {"s": 0.0, "waits_s": 0.0}
        sound = _saying(words[0], room.rate_hz)
        room.say(sound)
        return {"s": len(sound) / room.rate_hz, "waits_s": room.still_said_s}

    def noise(self, words: list[str]) -> object:
        """How loud it is around the device from now on."""
        from hal.sim.sound.room import QUIET_DBFS

        room = self._room("noise").room
        if len(words) != 1:
            raise Invalid("noise", USAGE_NOISE)
        room.noise_dbfs = QUIET_DBFS if words[0] == "off" else _level(words[0], "noise")
        return {"noise_dbfs": room.noise_dbfs}

    def loss(self, name: str, text: str) -> None:
        """A speaker becomes this much quieter than it was when it was new."""
        peer = self._world.find(name if ":" in name else f"speaker:{name}")
        if not isinstance(peer, SpeakerPeer):
            raise Invalid(name, "is not a speaker")
        peer.loss_db = _figure(text, 0.0, MOST_LOSS_DB, "loss", "dB")

    async def heard(self, words: list[str], since_s: float | None, out: str | None) -> object:
        """What came out of the speakers, or was there at a microphone, in the last 30 s at most."""
        from hal.sim.sound.witness import db_of, rms_db, sounds_in, write_down

        rig = self._room("heard")
        if len(words) > 1:
            raise Invalid("heard", USAGE_HEARD)
        ring, floor_db = self._place(rig, words[0] if words else None)
        sound = ring.last(rig.frames_since(since_s))
        rate_hz, now_s = rig.room.rate_hz, self._world.now_s

        def judge() -> dict[str, object]:
            if out is not None:
                write_down(sound, rate_hz, Path(out))
            found = sounds_in(sound, rate_hz, floor_db)
            return {
                "rms_dbfs": round(rms_db(sound), 2),
                "peak_dbfs": round(db_of(float(abs(sound).max())) if len(sound) else -200.0, 2),
                "sounds": [
                    {
                        "at_s": round(each.at_s, 4),
                        "length_s": round(each.length_s, 4),
                        "peak_dbfs": round(each.peak_dbfs, 2),
                        "rms_dbfs": round(each.rms_dbfs, 2),
                        "pitch_hz": round(each.pitch_hz, 1),
                    }
                    for each in found
                ],
            }

        try:
            judged = await asyncio.to_thread(judge)  # the room goes on meanwhile
        except OSError as error:
            raise Invalid("heard --out", f"{out}: {error.strerror}") from None
        return {"now_s": now_s, "length_s": round(len(sound) / rate_hz, 4), **judged}

    def _place(self, rig: SoundRig, name: str | None) -> tuple[Ring, float]:
        if name is None:
            return rig.room.given, AT_SPEAKERS_DB
        microphones = [peer for peer in self._world.peers.values() if isinstance(peer, MicrophonePeer)]
        names = [word for peer in microphones for word in (peer.name, peer.alias) if word]
        if name.removeprefix("microphone:") not in names:
            raise NotFound("heard", f"no microphone {name!r}{nearest(name, names)}")
        return rig.room.heard, rig.room.noise_dbfs + ABOVE_NOISE_DB


def _saying(text: str, rate_hz: int) -> Signal:
    from hal.sim.sound import voices

    kind, *rest = text.split(":")
    if text.endswith(".wav"):
        return voices.recording(Path(text), rate_hz)
    if kind not in SAYINGS:
        raise Invalid("hear", f"{kind!r} is neither a sound nor a .wav file{nearest(kind, (*SAYINGS, 'quiet'))}")
    hz = 0.0
    if kind == "tone":
        if not rest:
            raise Invalid("hear tone", USAGE_HEAR)
        hz = _figure(rest.pop(0), 10.0, rate_hz / 2, "hear tone", "Hz")
    if len(rest) > 2:
        raise Invalid(f"hear {kind}", USAGE_HEAR)
    s = _figure(rest[0], 0.01, LONGEST_S, f"hear {kind}", "s") if rest else USUAL_S
    dbfs = _level(rest[1], f"hear {kind}") if len(rest) > 1 else USUAL_DBFS
    if kind == "tone":
        return voices.hum(rate_hz, hz, s, dbfs)
    return voices.hiss(rate_hz, s, dbfs) if kind == "noise" else voices.speech(rate_hz, s, dbfs)


def _level(text: str, where: str) -> float:
    return _figure(text, QUIETEST_DBFS, LOUDEST_DBFS, where, "dBFS")


def _figure(text: str, low: float, high: float, where: str, unit: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        raise Invalid(where, f"{text!r} is not a number from {low:g} to {high:g} {unit}")
    return value
