"""Timing diagrams: traces over one time axis as inline SVG, in the colours of the page around it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from hal.sim.traces import RESTING

Value = bool | str

LABEL, WIDTH, ROW, WAVE, FOOT, RIGHT = 190.0, 760.0, 28.0, 16.0, 26.0, 14.0
TICKS = 8
# A line that moves more often than this is drawn up to there; the caption says so.
MOST_POINTS = 2000
LEGIBLE = 7.0  # the width of a character of a label


@dataclass(frozen=True, slots=True)
class Line:
    """One trace: each value with the second from which on it holds; `points` has at least one."""

    name: str
    points: tuple[tuple[float, Value], ...]


@dataclass(frozen=True, slots=True)
class Axis:
    """Seconds to places on the drawing."""

    from_s: float
    to_s: float

    def x(self, t_s: float) -> float:
        """Where an instant is drawn; what lies outside is drawn at the edge."""
        share = (t_s - self.from_s) / (self.to_s - self.from_s)
        return LABEL + WIDTH * min(1.0, max(0.0, share))

    def ticks(self) -> tuple[float, ...]:
        """Round instants, at most `TICKS` of them."""
        rough = (self.to_s - self.from_s) / TICKS
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
        first = math.ceil(self.from_s / step - 1e-9)
        last = math.floor(self.to_s / step + 1e-9)
        return tuple(step * number for number in range(first, last + 1))


def timing_diagram(lines: Sequence[Line], from_s: float, to_s: float, title: str) -> str:
    """An SVG of these lines between two instants; `title` is read aloud instead."""
    axis = Axis(from_s, max(to_s, from_s + 1e-6))
    height = ROW * len(lines) + FOOT
    box = f"0 0 {LABEL + WIDTH + RIGHT:g} {height:g}"
    parts = [f'<svg class="timing" viewBox="{box}" role="img" aria-label="{escape(title)}">']
    unit, factor = ("ms", 1e3) if axis.to_s - axis.from_s < 2 else ("s", 1.0)
    for tick in axis.ticks():
        x = axis.x(tick)
        parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{height - FOOT:g}"/>')
        parts.append(f'<text class="tick" x="{x:.1f}" y="{height - 8:g}">{tick * factor:.6g} {unit}</text>')
    for row, line in enumerate(lines):
        top = ROW * row + (ROW - WAVE) / 2
        parts.append(f'<text class="name" x="{LABEL - 8:g}" y="{top + WAVE - 3:g}">{escape(line.name)}</text>')
        told = isinstance(line.points[0][1], str)
        parts += _boxes(line, axis, top) if told else [_wave(line, axis, top)]
    return "".join([*parts, "</svg>"])


def _wave(line: Line, axis: Axis, top: float) -> str:
    """A line of two levels."""
    points = line.points[:MOST_POINTS]
    level = {True: top, False: top + WAVE}
    words = [f"M {axis.x(axis.from_s):.1f} {level[bool(_held(line, axis.from_s))]:g}"]
    for t_s, value in points:
        if axis.from_s < t_s <= axis.to_s:
            words.append(f"H {axis.x(t_s):.2f} V {level[bool(value)]:g}")
    words.append(f"H {axis.x(axis.to_s if len(points) == len(line.points) else points[-1][0]):.1f}")
    return f'<path class="wave" d="{" ".join(words)}"/>'


def _boxes(line: Line, axis: Axis, top: float) -> Iterator[str]:
    """A line of words: a box as long as each holds, with the word in it where there is room."""
    points = line.points[:MOST_POINTS]
    ends = [t_s for t_s, _ in points[1:]] + [axis.to_s]
    yield f'<path class="rest" d="M {axis.x(axis.from_s):.1f} {top + WAVE:g} H {axis.x(axis.to_s):.1f}"/>'
    for (begin_s, value), end_s in zip(points, ends, strict=True):
        if value in RESTING or end_s <= axis.from_s or begin_s >= axis.to_s:
            continue
        x, width = axis.x(begin_s), max(1.0, axis.x(end_s) - axis.x(begin_s))
        word, box = escape(str(value)), f'x="{x:.1f}" y="{top:g}" width="{width:.1f}" height="{WAVE:g}"'
        yield f'<rect class="box" {box}><title>{word}</title></rect>'
        if width >= LEGIBLE * len(str(value)):
            yield f'<text class="word" x="{x + width / 2:.1f}" y="{top + WAVE - 4:g}">{word}</text>'


def _held(line: Line, t_s: float) -> Value:
    """The value at an instant."""
    value = line.points[0][1]
    for at_s, then in line.points:
        if at_s > t_s:
            break
        value = then
    return value
