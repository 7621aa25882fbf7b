"""Changed inputs, the same for the same seed and number: what every fuzzing here begins with."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Sequence

_INTERESTING = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
# What means something to somebody who reads text: brackets, escapes, ends, numbers, signs of other scripts.
WORDS = (
    b"*", b".", b",", b":", b";", b"=", b"&", b"%", b"%00", b"%ff", b"..", b"/", b"\\", b"//.", b"|", b"\r\n", b"\n",
    b'"', b'\\"', b"'", b"{", b"}", b"[", b"]", b"[[[[[[[[", b'{"a":', b"null", b"true", b"-1", b"0", b"1e999", b"NaN",
    b"1" * 400, b"\\ud800", b"\xed\xa0\x80", b"\xff\xfe", b"\xef\xbb\xbf", b"\xd9\xa1", b"<!--", b"-->", b"<![CDATA[",
    b"]]>", b"<!DOCTYPE a>", b"&lt;", b"&#0;", b'xmlns="', b"<a>", b"</a>", b"root.", b"<script>", b"\x1b[2J", b"\0",
    b"../../etc/passwd", b"http://[",
)  # fmt: skip

Change = Callable[[random.Random, bytearray, int, Sequence[bytes]], None]


def changed(draw: random.Random, good: Sequence[bytes], changes: Sequence[Change]) -> bytearray:
    """One of the good inputs after a few changes; most go where the beginning is."""
    data = bytearray(draw.choice(good))
    for _ in range(draw.choice((1, 1, 2, 3, 5, 9))):
        data = data or bytearray(b" ")
        reach = len(data) if draw.random() < 0.4 else min(len(data), 80)
        changes[draw.randrange(len(changes))](draw, data, draw.randrange(reach), good)
    return data


def text_input(seed: int, number: int, good: Sequence[bytes], longest: int) -> bytes:
    """The input of that number for a reader of text: always the same."""
    draw = random.Random(f"{seed}/{number}")
    return bytes(changed(draw, good, TEXT_CHANGES)[:longest])


def _flip(draw: random.Random, data: bytearray, at: int, _: Sequence[bytes]) -> None:
    data[at] ^= 1 << draw.randrange(8)


def _byte(draw: random.Random, data: bytearray, at: int, _: Sequence[bytes]) -> None:
    data[at] = draw.randrange(256)


def _number(draw: random.Random, data: bytearray, at: int, _: Sequence[bytes]) -> None:
    value, size = draw.choice(_INTERESTING), draw.choice((1, 2, 4))
    form = {1: "B", 2: "H", 4: "I"}[size]
    data[at : at + size] = struct.pack(draw.choice("<>") + form, value & (1 << 8 * size) - 1)


def _cut(draw: random.Random, data: bytearray, at: int, _: Sequence[bytes]) -> None:
    del data[at : at + draw.choice((1, 2, 4, 16, 100, 5000))]


def _more(draw: random.Random, data: bytearray, at: int, _: Sequence[bytes]) -> None:
    data[at:at] = draw.randbytes(draw.choice((1, 2, 4, 16, 300)))


def _again(draw: random.Random, data: bytearray, at: int, _: Sequence[bytes]) -> None:
    data[at:at] = data[at : at + draw.choice((4, 64, 2000))] * draw.choice((1, 2, 8))


def _other(draw: random.Random, data: bytearray, at: int, good: Sequence[bytes]) -> None:
    other = draw.choice(good)
    start = draw.randrange(max(1, len(other)))
    data[at:] = other[start:]


def _word(draw: random.Random, data: bytearray, at: int, _: Sequence[bytes]) -> None:
    data[at : at + draw.choice((0, 0, 1, 4))] = draw.choice(WORDS)


def _flood(draw: random.Random, data: bytearray, at: int, _: Sequence[bytes]) -> None:
    """A little of it, very often: what takes longer than in proportion shows."""
    piece = bytes(data[at : at + draw.choice((1, 2, 3, 8, 20))]) if draw.random() < 0.5 else draw.choice(WORDS)
    data[at:at] = piece * draw.choice((30, 300, 3000, 30_000))
    del data[128 * 1024 :]


BYTE_CHANGES: tuple[Change, ...] = (_flip, _byte, _byte, _number, _number, _cut, _more, _again, _other)
TEXT_CHANGES: tuple[Change, ...] = (_flip, _byte, _cut, _cut, _more, _again, _other, _word, _word, _word, _word, _flood)
