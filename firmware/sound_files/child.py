"""The child that looks at a clip: it locks itself in, finds out what the file is, and sends its sound.

The sound goes through the bulk pipe: 48 kHz, one channel, 16-bit little-endian. The answer is one JSON line: the facts
and the frames sent, or why the file is refused. libsndfile decodes (`soundfile`), soxr resamples.
"""

from __future__ import annotations

import json
import math
import mmap
import os
import sys
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from firmware.core.clip_limits import LARGEST_BYTES
from firmware.core.confined.lock import allow_cpu, lock_in
from firmware.sound_files.kinds import BadClip, Facts, inspect
from firmware.sound_files.kinds.facts import LONGEST_S

RATE_HZ = 48_000
MEMORY = 96 * 1024 * 1024
# Processor time to find out what the file is, and for each second of its sound: ten times what a slow board needs.
LOOKING_S = 2
CPU_PER_S = 0.1
BLOCK = 16 * 1024
# How much the sound may differ from what the file says: an encoder's delay, a damaged last frame.
SLACK_S = 0.25
SLACK = 0.02

Floats = npt.NDArray[np.float32]


def decoded(file: int, facts: Facts) -> Iterator[bytes]:
    """The sound of an open file, piece by piece. Raises BadClip, soundfile.LibsndfileError."""
    with soundfile.SoundFile(file, closefd=False) as sound:
        # The decoder must see what was judged: a file that is two things at once is none.
        if sound.channels != facts.channels:
            raise BadClip(f"says that it has {facts.channels} channels and decodes to {sound.channels}")
        rate = sound.samplerate
        if not 8_000 <= rate <= RATE_HZ:
            raise BadClip(f"decodes to {rate} Hz; 8000 to {RATE_HZ} Hz are supported")
        stream = soxr.ResampleStream(rate, RATE_HZ, 1, dtype="float32") if rate != RATE_HZ else None
        most = math.floor((facts.length_s * (1 + SLACK) + SLACK_S) * rate)
        least = math.floor((facts.length_s * (1 - SLACK) - SLACK_S) * rate)
        heard = 0
        while True:
            block = sound.read(BLOCK, dtype="float32", always_2d=True)
            heard += len(block)
            if heard > most:
                raise BadClip(f"says that it is {facts.length_s:.1f} s long and holds more")
            mono = np.nan_to_num(block.mean(axis=1, dtype=np.float32), nan=0.0, posinf=1.0, neginf=-1.0)
            done = len(block) < BLOCK
            yield _samples(mono if stream is None else stream.resample_chunk(mono, last=done))
            if done:
                break
        if heard < least:
            raise BadClip(f"says that it is {facts.length_s:.1f} s long and holds {heard / rate:.1f} s")


def _samples(sound: Floats) -> bytes:
    wide = np.rint(sound * np.float32(32_768))
    samples: bytes = np.clip(wide, -32_768, 32_767).astype("<i2").tobytes()
    return samples


def examine(file: int, send: Callable[[bytes], None], budget: Callable[[float], None]) -> dict[str, object]:
    """Judge an open file and send its sound; the answer as JSON values. Raises nothing, for any file.

    `budget` is told the length in seconds before the file is decoded.
    """
    try:
        facts = _facts(file)
        budget(facts.length_s)
        frames = 0
        for piece in decoded(file, facts):
            send(piece)
            frames += len(piece) // 2
        if not frames:
            raise BadClip("holds no sound")
        known = {name: getattr(facts, name) for name in ("format", "encoding", "rate_hz", "channels")}
        return {"clip": known | {"frames": frames}}
    except BadClip as bad:
        return {"refused": bad.message}
    except MemoryError:
        return {"refused": f"needs more than {MEMORY // 1024 // 1024} MiB of memory to decode"}
    except soundfile.SoundFileError as error:
        return {"refused": f"cannot be decoded: {_plain(str(error))}"}
    except Exception as error:  # noqa: BLE001  whatever a file does to this code, it is refused
        return {"refused": f"cannot be decoded ({type(error).__name__})"}


def _facts(file: int) -> Facts:
    size = os.fstat(file).st_size
    if size > LARGEST_BYTES:
        raise BadClip(f"has {size} bytes; at most {LARGEST_BYTES} are supported")
    if not size:
        return inspect(b"")
    with mmap.mmap(file, 0, access=mmap.ACCESS_READ) as data:
        return inspect(data)


def _plain(text: str) -> str:
    return "".join(each for each in text if each.isprintable())[-160:]


def main() -> None:
    """Lock in, judge the descriptor named by the last word but one, send its sound into that of the last word."""
    file, bulk = (int(word) for word in sys.argv[-2:])
    lock_in(cpu_s=LOOKING_S, longest_cpu_s=LOOKING_S + math.ceil(LONGEST_S * CPU_PER_S), memory=MEMORY, programs=False)

    def send(piece: bytes) -> None:
        rest = memoryview(piece)
        while rest:
            rest = rest[os.write(bulk, rest) :]

    said = examine(file, send, lambda length_s: allow_cpu(LOOKING_S + math.ceil(length_s * CPU_PER_S)))
    print(json.dumps(said), flush=True)
