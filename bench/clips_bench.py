"""Taking audio clips in: a minute of sound through the confined decoder, against the same libraries alone.

The floor reads the whole file with soundfile and resamples it with soxr in this process, with no judge, lock or pipe.
The last rows are the start of the child alone (a clip of 10 ms) and the memory it had at most.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
import soxr

from bench.table import Row, percentile, show
from firmware.sound_files.decode import RATE_HZ, decode

ROUNDS, LENGTH_S = 5, 60
KINDS = (
    ("wav, 48 kHz stereo", "WAV", "PCM_16", 48_000, 2),
    ("wav, 44.1 kHz mono", "WAV", "PCM_16", 44_100, 1),
    ("mp3, 44.1 kHz stereo", "MP3", "MPEG_LAYER_III", 44_100, 2),
    ("opus, stereo", "OGG", "OPUS", 48_000, 2),
    ("vorbis, 44.1 kHz stereo", "OGG", "VORBIS", 44_100, 2),
)


def clip(container: str, subtype: str, rate_hz: int, channels: int, length_s: float) -> bytes:
    """A file with a chord and some noise, written piece by piece."""
    out, noise = io.BytesIO(), np.random.default_rng(1)
    with soundfile.SoundFile(out, "w", rate_hz, channels, subtype, format=container) as file:
        step = rate_hz // 2
        for start in range(0, round(rate_hz * length_s), step):
            t = np.arange(start, min(start + step, round(rate_hz * length_s)))[:, np.newaxis] / rate_hz
            chord = sum(np.sin(2 * np.pi * hz * t) for hz in (220.0, 277.2, 329.6)) / 8
            file.write(np.repeat(chord, channels, axis=1) + noise.normal(0, 0.01, (len(t), channels)))
    return out.getvalue()


def unconfined(path: Path) -> None:
    """The same sound with the libraries alone."""
    sound, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    soxr.resample(sound.mean(axis=1), rate_hz, RATE_HZ)


def took_ms(work: Callable[[], object]) -> float:
    """The middle of some rounds."""
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        work()
        times.append(1000 * (time.perf_counter() - began))
    return percentile(times, 0.5)


def peak_mib(path: Path) -> float:
    """What the child had at most; asked by a small process, because a child is also charged what its parent had."""
    program = (
        "import resource, sys; from pathlib import Path; from firmware.sound_files.decode import decode; "
        "decode(Path(sys.argv[1]), 'clip', len); print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    said = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True)
    return int(said.stdout) / 1024


def main() -> int:
    """Print the table."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip"
        for name, container, subtype, rate_hz, channels in KINDS:
            path.write_bytes(clip(container, subtype, rate_hz, channels, LENGTH_S))
            ours, floor = took_ms(lambda: decode(path, "clip", len)), took_ms(lambda: unconfined(path))
            rows.append(Row(f"a minute of {name}", ours, "ms", floor, "soundfile and soxr alone"))
        path.write_bytes(clip("WAV", "PCM_16", 48_000, 1, 0.01))
        rows.append(Row("a clip of 10 ms", took_ms(lambda: decode(path, "short", len)), "ms", None, ""))
        path.write_bytes(clip("OGG", "OPUS", 48_000, 2, LENGTH_S))
        rows.append(Row("memory of the decoder, at most", peak_mib(path), "MiB", None, ""))
    show("clips", rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
