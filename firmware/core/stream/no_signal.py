"""The picture that stands for no picture: dark, with the words NO SIGNAL, in any size, as a baseline JPEG.

Made by hand, because the network role has no codec: every block is one grey, so a file is nothing but the
differences between blocks. Source: ITU-T T.81 (F.1.2.1, coding of DC coefficients; B.2, markers), T.871 (JFIF).
"""

from __future__ import annotations

import struct
from functools import lru_cache

DARK, LIGHT = 32, 176
WORDS = (("NO SIGNAL",), ("NO", "SIGNAL"), ())
# Five rows of three columns, a row an octal digit, left is 4.
GLYPHS = {"N": "65555", "O": "25552", "S": "34216", "I": "72227", "G": "34553", "A": "25755", "L": "44447"}
GLYPH_ROWS, GLYPH_COLUMNS = 5, 3
SHARE = 0.6  # of the width, for the longest line
MOST_SHARE = 0.85
SIDE = 8  # samples of a block


@lru_cache(maxsize=16)
def no_signal(width: int, height: int) -> bytes:
    """The picture in this size (1 to 65535 each), as a whole JPEG file with 4:2:0 colour."""
    across, down = -(-width // (2 * SIDE)) * 2, -(-height // (2 * SIDE)) * 2
    return b"".join(
        (
            b"\xff\xd8",
            _segment(0xE0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0"),
            # A DC coefficient is eight times the grey; divided by 8 it is the grey itself.
            _segment(0xDB, b"\0" + bytes([SIDE] * 64)),
            _segment(0xC0, struct.pack("!BHHB", 8, height, width, 3) + bytes((1, 0x22, 0, 2, 0x11, 0, 3, 0x11, 0))),
            # Twelve categories of differences, four bits each; and one code, a single bit: end of block.
            _segment(0xC4, b"\0" + bytes((0, 0, 0, 12)) + bytes(12) + bytes(range(12))),
            _segment(0xC4, b"\x10" + bytes((1,)) + bytes(15) + b"\0"),
            _segment(0xDA, bytes((3, 1, 0x00, 2, 0x00, 3, 0x00, 0, 63, 0))),
            _coded(_greys(across, down)),
            b"\xff\xd9",
        )
    )


def _segment(marker: int, data: bytes) -> bytes:
    return struct.pack("!BBH", 0xFF, marker, len(data) + 2) + data


def _greys(across: int, down: int) -> list[list[int]]:
    """The grey of every block, row by row."""
    greys = [[DARK] * across for _ in range(down)]
    for lines in WORDS:
        columns = max((len(line) for line in lines), default=0) * (GLYPH_COLUMNS + 1) - 1
        rows = len(lines) * (GLYPH_ROWS + 1) - 1
        if columns > MOST_SHARE * across or rows > down:
            continue
        dot = max(1, min(int(SHARE * across) // max(1, columns), down // max(1, rows)))
        for number, line in enumerate(lines):
            left = (across - (len(line) * (GLYPH_COLUMNS + 1) - 1) * dot) // 2
            top = (down - rows * dot) // 2 + number * (GLYPH_ROWS + 1) * dot
            _write(greys, line, left, top, dot)
        break
    return greys


def _write(greys: list[list[int]], line: str, left: int, top: int, dot: int) -> None:
    for place, letter in enumerate(line):
        for row, code in enumerate(GLYPHS.get(letter, "00000")):
            for column in range(GLYPH_COLUMNS):
                if int(code) & (4 >> column):
                    x = left + (place * (GLYPH_COLUMNS + 1) + column) * dot
                    for y in range(top + row * dot, top + (row + 1) * dot):
                        greys[y][x : x + dot] = [LIGHT] * dot


def _coded(greys: list[list[int]]) -> bytes:
    """The scan: four blocks of grey and two without colour for every sixteen by sixteen samples."""
    bits: list[str] = []
    before = 128
    for row in range(0, len(greys), 2):
        for column in range(0, len(greys[row]), 2):
            for grey in (*greys[row][column : column + 2], *greys[row + 1][column : column + 2]):
                bits.append(_difference(grey - before))
                before = grey
            bits.append(2 * _difference(0))
    text = "".join(bits)
    text += "1" * (-len(text) % 8)
    return int(text, 2).to_bytes(len(text) // 8, "big").replace(b"\xff", b"\xff\0")


def _difference(value: int) -> str:
    """A DC difference: its category in four bits, its bits (of a negative one, those of value - 1), end of block."""
    category = abs(value).bit_length()
    if not category:
        return "00000"
    return f"{category:04b}{value if value > 0 else value + (1 << category) - 1:0{category}b}0"
