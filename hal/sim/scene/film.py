"""Films as YUV4MPEG2 files (planes behind a line of text): what a camera shows instead of the painted scene.

Any converter writes them: `ffmpeg -i IN -pix_fmt yuv420p OUT.y4m`. Only 4:2:0 with eight bits is read.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from hal.errors import DeviceError
from hal.pictures import Picture, Size

MAGIC = b"YUV4MPEG2"
FRAME = b"FRAME\n"
LONGEST_HEADER = 512
LARGEST = 8192
PLANAR = ("420", "420jpeg", "420mpeg2", "420paldv")


@dataclass(frozen=True, slots=True)
class FilmHeader:
    """What a film says of itself; its first frame begins at byte `starts`."""

    size: Size
    fps: Fraction
    limited: bool
    starts: int

    @property
    def frame_bytes(self) -> int:
        """The pixels of one frame."""
        return self.size.width * self.size.height * 3 // 2


def read_header(head: bytes) -> FilmHeader:
    """The header at the beginning of a film. Raises ValueError with what is wrong."""
    line, end, _ = head[:LONGEST_HEADER].partition(b"\n")
    words = line.split(b" ")
    if words[0] != MAGIC or not end:
        raise ValueError(f"a film begins with a line {MAGIC.decode()} ... (got {line[:20]!r})")
    try:
        marks = {word[:1].decode("ascii"): word[1:].decode("ascii") for word in words[1:] if word}
    except UnicodeDecodeError:
        raise ValueError("the header is not plain text") from None
    width, height = (_number(mark, marks.get(mark, "")) for mark in ("W", "H"))
    rate = re.fullmatch(r"([1-9]\d{0,6}):([1-9]\d{0,6})", marks.get("F", "25:1"))
    if rate is None:
        raise ValueError(f"F is frames:seconds (got {marks['F']!r})")
    kind = marks.get("C", "420")
    if kind not in PLANAR:
        raise ValueError(f"C is one of {', '.join(PLANAR)} (got {kind!r})")
    limited = b"XCOLORRANGE=FULL" not in words
    return FilmHeader(Size(width, height), Fraction(int(rate[1]), int(rate[2])), limited, len(line) + 1)


def _number(mark: str, text: str) -> int:
    if re.fullmatch(r"\d{1,5}", text) is None or not 2 <= int(text) <= LARGEST or int(text) % 2:
        raise ValueError(f"{mark} is an even number from 2 to {LARGEST} (got {text!r})")
    return int(text)


class Film:
    """A film that is played over and over. Raises DeviceError, naming the file, for one that cannot be shown."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with path.open("rb") as file:
                self.header = read_header(file.read(LONGEST_HEADER))
                length = os.fstat(file.fileno()).st_size - self.header.starts
        except OSError as error:
            raise DeviceError(path.name, f"cannot be shown: {error.strerror}") from error
        except ValueError as error:
            raise DeviceError(path.name, f"cannot be shown: {error}") from error
        self.frames = length // (len(FRAME) + self.header.frame_bytes)
        if self.frames == 0:
            raise DeviceError(path.name, "cannot be shown: it has no whole frame")

    def picture(self, t_s: float) -> Picture:
        """The frame at `t_s` seconds. Raises DeviceError when the file is not what it was."""
        number = int(t_s * self.header.fps) % self.frames
        each = len(FRAME) + self.header.frame_bytes
        try:
            with self.path.open("rb") as file:
                file.seek(self.header.starts + number * each)
                data = file.read(each)
        except OSError as error:
            raise DeviceError(self.path.name, f"cannot be shown: {error}") from error
        if len(data) != each or not data.startswith(FRAME):
            raise DeviceError(self.path.name, f"cannot be shown: frame {number} does not begin with a line FRAME")
        size = self.header.size
        return Picture.of(memoryview(data)[len(FRAME) :], size.width, size.height, limited=self.header.limited)
