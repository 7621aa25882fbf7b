"""Changed sound files through the very code that decodes uploads: `python -m tests.fuzz.clips SEED INPUTS SECONDS`.

It has as much memory as the decoder, and says in one JSON line what became of the inputs. A crash ends it; its last
line on standard error names the seed and number of the input, from which it can be made again (`one`).
"""

from __future__ import annotations

import json
import os
import random
import resource
import struct
import sys
from collections import Counter
from pathlib import Path

from firmware.sound_files.child import CPU_PER_S, LOOKING_S, MEMORY, examine
from firmware.sound_files.decode import MOST_BYTES
from hal.clock import SystemClock
from tests.fuzz.mutate import BYTE_CHANGES, changed

CORPUS = Path(__file__).parent / "corpus" / "clips"
_LONGEST = 64 * 1024


def corpus() -> list[bytes]:
    """The good files."""
    return [path.read_bytes() for path in sorted(CORPUS.iterdir())]


def one(seed: int, number: int, good: list[bytes]) -> bytes:
    """The input of that number: always the same."""
    draw = random.Random(f"{seed}/{number}")
    data = changed(draw, good, BYTE_CHANGES)
    if data[:4] == b"OggS" and draw.random() < 0.8:
        _checksums(data)
    return bytes(data[:_LONGEST])


_TABLE = []
for _index in range(256):
    _value = _index << 24
    for _ in range(8):
        _value = (_value << 1 ^ (0x04C11DB7 if _value & 0x80000000 else 0)) & 0xFFFFFFFF
    _TABLE.append(_value)


def _checksums(data: bytearray) -> None:
    """Make every page of Ogg whole again, or the decoder would look at none that was changed (RFC 3533, clause 6)."""
    at = 0
    while data[at : at + 4] == b"OggS" and at + 27 <= len(data):
        segments = data[at + 26]
        end = at + 27 + segments + sum(data[at + 27 : at + 27 + segments])
        data[at + 22 : at + 26] = bytes(4)
        checksum = 0
        for each in data[at:end]:
            checksum = (checksum << 8 & 0xFFFFFFFF) ^ _TABLE[checksum >> 24 ^ each]
        data[at + 22 : at + 26] = struct.pack("<I", checksum)
        at = end


def fuzz(seed: int, inputs: int, seconds: float) -> dict[str, object]:
    """Decode so many changed files, or as many as fit into the time. Raises AssertionError for one out of bounds."""
    good, clock = corpus(), SystemClock()
    end_ns = clock.now_ns() + int(seconds * 1e9)
    file = os.memfd_create("clip")
    results: Counter[str] = Counter()
    slowest = 0.0
    _bound_memory()
    done = 0
    while done < inputs and clock.now_ns() < end_ns:
        number, done = done, done + 1
        result, took_s = _try(file, one(seed, number, good), f"seed {seed} input {number}")
        results[result] += 1
        slowest = max(slowest, took_s)
    return {
        "seed": seed,
        "inputs": done,
        "results": dict(results.most_common()),
        "slowest_cpu_s": round(slowest, 3),
        "peak_mib": _peak_mib(),
    }


def _peak_mib() -> int:
    """The most memory this program has had. Not by getrusage(2): its peak begins with that of whoever started it."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) // 1024


def _bound_memory() -> None:
    """What the decoder may have. Its other locks would keep the inputs from being written."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _try(file: int, data: bytes, which: str) -> tuple[str, float]:
    """What becomes of one input, in bounded time and output."""
    os.write(2, f"{which}\n".encode())
    os.ftruncate(file, 0)
    os.pwrite(file, data, 0)
    os.lseek(file, 0, os.SEEK_SET)
    sent, length_s = 0, 0.0

    def send(piece: bytes) -> None:
        nonlocal sent
        sent += len(piece)

    def budget(found_s: float) -> None:
        nonlocal length_s
        length_s = found_s

    began = _cpu_s()
    said = examine(file, send, budget)
    took_s = _cpu_s() - began
    assert took_s < LOOKING_S + CPU_PER_S * length_s, f"{which}: {took_s:.2f} s for {length_s:.1f} s of sound"
    assert sent <= MOST_BYTES, f"{which}: {sent} bytes of sound"
    if "refused" in said:
        text = str(said["refused"])
        assert text.isprintable(), f"{which}: {text!a}"
        return ("refused by the decoder" if length_s else "refused by its header"), took_s
    return "decoded", took_s


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    print(json.dumps(fuzz(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))), flush=True)
