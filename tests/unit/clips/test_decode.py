"""Row 36: clips become sound in a confined child; what lies, is too much or brings it down is one clear refusal."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from firmware.core.errors import Exhausted, Invalid
from firmware.sound_files import decode as decoding
from firmware.sound_files.decode import Decoded, decode
from tests.unit.clips.makers import HZ, KINDS, clip, pitch_hz
from tests.unit.clips.test_kinds import page, put


def decoded(
    tmp_path: Path, file: bytes, name: str = "bell.wav"
) -> tuple[Decoded, np.ndarray[tuple[int], np.dtype[np.int16]]]:
    """What a file is and sounds like."""
    (tmp_path / "file").write_bytes(file)
    pieces: list[bytes] = []
    found = decode(tmp_path / "file", name, pieces.append)
    return found, np.frombuffer(b"".join(pieces), "<i2")


@pytest.mark.parametrize("kind", KINDS)
def test_a_clip_decodes_to_its_pitch_length_and_level(kind: str, tmp_path: Path) -> None:
    found, sound = decoded(tmp_path, clip(kind, 1.0))
    assert found.format == KINDS[kind].format
    assert len(sound) == found.frames
    # ADPCM is padded to whole blocks.
    assert found.length_s == pytest.approx(1.0, abs=0.07)
    assert pitch_hz(sound) == pytest.approx(HZ, abs=1.0)
    middle = sound[12_000:36_000].astype(float) / 32_768
    assert np.sqrt(2 * np.mean(middle**2)) == pytest.approx(0.5, rel=0.12)


def refusal(tmp_path: Path, file: bytes, name: str = "bell.wav") -> str:
    """Why a file is refused; nothing but the file itself stays."""
    (tmp_path / "file").write_bytes(file)
    with pytest.raises(Invalid) as refused:
        decode(tmp_path / "file", name, lambda _: None)
    assert os.listdir(tmp_path) == ["file"]
    return str(refused.value)


def test_row_36_the_refusal_names_file_value_and_limit(tmp_path: Path) -> None:
    fast = put(clip("wav of 16 bits", 0.1), 24, "<I", 96_000)
    assert refusal(tmp_path, fast, "front door.wav") == (
        "clip 'front door.wav': is sampled with 96000 Hz; 8000 to 48000 Hz are supported"
    )


def test_row_36_a_hostile_name_of_a_file_is_only_repeated(tmp_path: Path) -> None:
    said = refusal(tmp_path, b"no clip", "../../etc/\x1b[31mpasswd" + "x" * 500)
    assert said.isprintable()
    assert len(said) < 250


def test_row_36_a_file_that_promises_more_sound_than_it_has_is_refused(tmp_path: Path) -> None:
    opus = clip("opus", 0.3)
    long = put(opus, page(opus, -1) + 6, "<q", 48_000 * 500)
    assert "bell.opus" in (said := refusal(tmp_path, long, "bell.opus"))
    assert "is 500.0 s long and holds" in said or "cannot be decoded" in said


def test_row_36_a_file_that_holds_more_sound_than_it_says_is_refused_before_it_fills_anything(tmp_path: Path) -> None:
    bomb = clip("opus", 5.0)
    for number in range(1, 3):
        bomb = put(bomb, page(bomb, -number) + 6, "<q", 24_000)
    (tmp_path / "file").write_bytes(bomb)
    taken = 0

    def count(piece: bytes) -> None:
        nonlocal taken
        taken += len(piece)

    with pytest.raises(Invalid):
        decode(tmp_path / "file", "bomb.opus", count)
    assert taken < 3 * 96_000


def test_row_36_a_huge_file_is_refused_before_a_child_looks_at_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "_START", "raise SystemExit('nobody may be asked')")
    with (tmp_path / "file").open("wb") as file:
        file.truncate(32 * 1024 * 1024 + 1)
    with pytest.raises(Invalid, match="has 33554433 bytes; at most 33554432 are supported"):
        decode(tmp_path / "file", "huge.wav", lambda _: None)


@pytest.mark.parametrize("kind", ["a folder", "a pipe", "a link", "nothing"])
def test_row_34_what_is_no_plain_file_is_not_decoded(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    match kind:
        case "a folder":
            path.mkdir()
        case "a pipe":
            os.mkfifo(path)
        case "a link":
            path.symlink_to("/etc/passwd")
    with pytest.raises(Invalid, match=r"clip 'x\.wav': "):
        decode(path, "x.wav", lambda _: None)


CHILDREN = {
    "that ends without a word": ("pass", "the decoder gave no answer"),
    "that fails": ("raise ValueError", "brings the decoder down"),
    "that crashes": ("import os; os.abort()", "brings the decoder down"),
    "that never answers": ("import threading; threading.Event().wait()", "takes too long"),
    "that computes for ever": (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from firmware.core.confined.lock import lock_in; lock_in(cpu_s=1, memory=16 << 20)\nwhile True: pass",
        "takes too long",
    ),
    "that sends for ever": (
        "import os, sys\nwhile True: os.write(int(sys.argv[-1]), bytes(65536))", "decodes to more than 600 s"
    ),
    "that says too much": ("print('x' * 100_000)", "the decoder gave no answer"),
    "that tells of sound it did not send": (
        'print(\'{"clip": {"format": "wav", "encoding": "x", "rate_hz": 8000, "channels": 1, "frames": 9}}\')',
        "the decoder gave no answer",
    ),
    "that makes up a format": (
        'import os, sys; os.write(int(sys.argv[-1]), bytes(18)); print(\'{"clip": {"format": "exe", "encoding": "x", '
        '"rate_hz": 8000, "channels": 1, "frames": 9}}\')',
        "the decoder gave no answer",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", CHILDREN)
def test_row_36_a_decoder(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program, message = CHILDREN[kind]
    monkeypatch.setattr(decoding, "_START", program)
    (tmp_path / "file").write_bytes(b"a clip")
    with pytest.raises(Invalid, match=message):
        decode(tmp_path / "file", "x.wav", lambda _: None, patience_s=1.0 if "never" in kind else 60.0)


def test_row_36_the_decoder_cannot_start_a_program_or_write_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real child with a decoder that an attacker has taken over."""
    tmp_path.chmod(0o777)
    attack = (
        "import firmware.sound_files.child as c, os, socket, subprocess\n"
        "def taken_over(*_):\n"
        "    done = []\n"
        "    for attempt in (lambda: os.execv('/bin/true', ['true']), lambda: subprocess.run(['/bin/true']),\n"
        f"                    lambda: open({str(tmp_path / 'new')!r}, 'w'), lambda: os.kill(os.getppid(), 0),\n"
        "                    lambda: socket.socket(), lambda: bytearray(400 << 20)):\n"
        "        try: attempt(); done.append('x')\n"
        "        except (OSError, MemoryError): pass\n"
        "    return {'refused': f'did {len(done)} things'}\n"
        "c.examine = taken_over\n"
    )
    start = decoding._START.replace("from firmware", f"exec({attack!r}); from firmware", 1)
    monkeypatch.setattr(decoding, "_START", start)
    assert "did 0 things" in refusal(tmp_path, clip("wav of 16 bits", 0.1))


def test_who_cannot_keep_the_sound_ends_the_decoder(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(clip("wav of 16 bits", 5.0))

    def full(_: bytes) -> None:
        raise Exhausted("clips", "full")

    before = os.listdir("/proc/self/fd")
    with pytest.raises(Exhausted):
        decode(tmp_path / "file", "x.wav", full)
    assert len(os.listdir("/proc/self/fd")) == len(before)
