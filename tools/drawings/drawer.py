"""Circuit diagrams as SVG: boxes with pins, wires, resistors, diodes, transistors, contacts; for light and dark pages.

Places are in units of the drawing, x to the right and y down. Symbols follow IEC 60617: a resistor is a rectangle.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

PITCH = 28.0  # from one pin of a box to the next
HEAD = 30.0

STYLE = """
svg { color: #1f2933; } @media (prefers-color-scheme: dark) { svg { color: #dfe7ee; } }
.w, .s { stroke: currentColor; stroke-width: 1.6; fill: none; stroke-linejoin: round; stroke-linecap: round; }
.b { stroke: currentColor; stroke-width: 1.6; fill: currentColor; fill-opacity: .06; }
.f { fill: currentColor; } .g { stroke: #d9730d; } .gt { fill: #d9730d; }
text { fill: currentColor; font: 13px system-ui, sans-serif; } .t { font-weight: 600; } .n { font-size: 12px; }
"""

Place = tuple[float, float]


class Drawing:
    """One diagram; `svg` is what was drawn so far."""

    def __init__(self, width: float, height: float, title: str) -> None:
        self._width = width
        self._height = height
        self._title = title
        self._parts: list[str] = []

    def svg(self) -> str:
        """The whole file."""
        box = f"0 0 {self._width:g} {self._height:g}"
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}" width="{self._width:g}" role="img">'
            f"<title>{escape(self._title)}</title><style>{STYLE}</style>\n" + "\n".join(self._parts) + "\n</svg>\n"
        )

    def text(self, at: Place, text: str, *, anchor: str = "start", style: str = "") -> None:
        """Words at a place."""
        x, y = at
        self._parts.append(f'<text class="{style}" x="{x:g}" y="{y:g}" text-anchor="{anchor}">{escape(text)}</text>')

    def notes(self, at: Place, *lines: str) -> None:
        """Several lines of small text."""
        for number, line in enumerate(lines):
            self.text((at[0], at[1] + 17 * number), line, style="n")

    def wire(self, *places: Place, style: str = "w") -> None:
        """A line through places."""
        self._parts.append(f'<polyline class="{style}" points="{" ".join(f"{x:g},{y:g}" for x, y in places)}"/>')

    def dot(self, *places: Place) -> None:
        """Where wires are joined."""
        for x, y in places:
            self._parts.append(f'<circle class="f" cx="{x:g}" cy="{y:g}" r="3.2"/>')

    def box(
        self, at: Place, width: float, title: str, left: Sequence[str] = (), right: Sequence[str] = ()
    ) -> tuple[dict[str, Place], dict[str, Place]]:
        """A part with named pins; answers the places of its left and of its right pins."""
        x, y = at
        height = HEAD + PITCH * max(len(left), len(right)) + 4
        self._parts.append(f'<rect class="b" x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="5"/>')
        self.text((x + width / 2, y + 20), title, anchor="middle", style="t")
        rows = [y + HEAD + PITCH * (number + 0.5) for number in range(max(len(left), len(right)))]
        for name, row in zip(left, rows, strict=False):
            self.text((x + 7, row + 4.5), name.partition("#")[0], style="n")
        for name, row in zip(right, rows, strict=False):
            self.text((x + width - 7, row + 4.5), name.partition("#")[0], anchor="end", style="n")
        return (
            {name: (x, row) for name, row in zip(left, rows, strict=False)},
            {name: (x + width, row) for name, row in zip(right, rows, strict=False)},
        )

    def resistor(self, at: Place, label: str, *, upright: bool = False, side: float = 1) -> tuple[Place, Place]:
        """A resistor around a place; answers its ends, the left or upper first."""
        x, y = at
        if upright:
            self._parts.append(f'<rect class="b" x="{x - 6:g}" y="{y - 16:g}" width="12" height="32"/>')
            self.text((x + 11 * side, y + 4), label, anchor="start" if side > 0 else "end", style="n")
            return (x, y - 16), (x, y + 16)
        self._parts.append(f'<rect class="b" x="{x - 16:g}" y="{y - 6:g}" width="32" height="12"/>')
        self.text((x, y - 10), label, anchor="middle", style="n")
        return (x - 16, y), (x + 16, y)

    def diode(self, at: Place, label: str, *, side: float = 1) -> tuple[Place, Place]:
        """A diode that stands and conducts upwards; answers cathode (upper) and anode (lower)."""
        x, y = at
        self._parts.append(f'<path class="f" d="M {x - 8:g} {y + 8:g} h 16 l -8 -15 z"/>')
        self.wire((x - 9, y - 8), (x + 9, y - 8))
        self.text((x + 14 * side, y + 4), label, anchor="start" if side > 0 else "end", style="n")
        return (x, y - 8), (x, y + 8)

    def coil(self, at: Place, label: str, *, side: float = -1) -> tuple[Place, Place]:
        """A coil that stands; answers its upper and its lower end."""
        x, y = at
        turns = "".join(" a 6 6 0 0 1 0 12" for _ in range(4))
        self._parts.append(f'<path class="w" d="M {x:g} {y - 24:g}{turns}"/>')
        self.text((x + 13 * side, y + 4), label, anchor="start" if side > 0 else "end", style="n")
        return (x, y - 24), (x, y + 24)

    def transistor(self, at: Place, label: str) -> tuple[Place, Place, Place]:
        """An NPN transistor; answers base (left), collector (above), emitter (below)."""
        x, y = at
        self._parts.append(f'<circle class="b" cx="{x + 4:g}" cy="{y:g}" r="19"/>')
        self.wire((x - 4, y - 11), (x - 4, y + 11))
        self.wire((x - 15, y), (x - 4, y))
        self.wire((x - 4, y - 5), (x + 11, y - 15))
        self.wire((x - 4, y + 5), (x + 11, y + 15))
        self._parts.append(f'<path class="f" d="M {x + 11:g} {y + 15:g} l -9 -1.5 l 5 -6.5 z"/>')
        self.text((x + 28, y + 4), label, style="n")
        return (x - 15, y), (x + 11, y - 15), (x + 11, y + 15)

    def contact(self, at: Place, label: str) -> tuple[Place, Place]:
        """An open contact, upright; answers its upper and its lower end."""
        x, y = at
        self.wire((x, y + 14), (x - 12, y - 10))
        for end in (-14, 14):
            self._parts.append(f'<circle class="f" cx="{x:g}" cy="{y + end:g}" r="2.4"/>')
        self.text((x + 9, y + 4), label, style="n")
        return (x, y - 14), (x, y + 14)

    def ground(self, at: Place) -> None:
        """The common ground."""
        x, y = at
        self.wire((x, y), (x, y + 8))
        for half, below in ((10, 8), (6.5, 12), (3, 16)):
            self.wire((x - half, y + below), (x + half, y + below))

    def supply(self, at: Place, label: str) -> None:
        """A supply rail."""
        x, y = at
        self.wire((x, y), (x, y - 8))
        self.wire((x - 9, y - 8), (x + 9, y - 8))
        self.text((x, y - 13), label, anchor="middle", style="n")

    def warning(self, at: Place, *lines: str) -> None:
        """What goes wrong most often, in a colour of its own."""
        for number, line in enumerate(lines):
            self.text((at[0], at[1] + 17 * number), line, style="n gt")
