"""Shapes of the drawing: SVG elements, lights that flash as the real ones do, things that can be pressed and held."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable

from nicegui import ui
from nicegui.element import Element
from nicegui.elements.mixins.text_element import TextElement

# Something a visitor does; whether it was done.
Act = Callable[[], Awaitable[bool]]

COLOURS = {
    "off": "#2c332f",
    "red": "#ff3b30",
    "green": "#32d74b",
    "amber": "#ffb020",
    "blue": "#3d8bff",
    "white": "#ffffff",
}
_STEP = re.compile(r"(\w+) (\d+) ms")


def shape(tag: str, cls: str = "", **attributes: object) -> Element:
    """One SVG element; `_` in names of attributes is `-`."""
    element = ui.element(tag)
    if cls:
        element.classes(cls)
    for name, value in attributes.items():
        element.props[name.replace("_", "-")] = str(value)
    return element


def text(at: tuple[float, float], said: str, cls: str = "") -> TextElement:
    """A text in the drawing."""
    element = TextElement(tag="text", text=said)
    element.props["x"], element.props["y"] = str(at[0]), str(at[1])
    if cls:
        element.classes(cls)
    return element


def place(x: float, y: float) -> Element:
    """A group that is moved; open it with `with`."""
    return shape("g", transform=f"translate({x} {y})")


def steps_of(pattern: str) -> list[tuple[str, int]]:
    """Colours and times (ms) of a pattern as facts write it (`green`, `amber 125 ms off 125 ms`); steady: time 0."""
    steps = [(colour, int(ms)) for colour, ms in _STEP.findall(pattern)]
    return steps or [(pattern if pattern in COLOURS else "off", 0)]


class Light:
    """A lamp in its true colour; `lens` is the shape that is lit."""

    def __init__(self, lens: Element) -> None:
        self._lens = lens
        self._rhythm: Element | None = None
        self.show("off")

    def show(self, pattern: str) -> None:
        """Show a pattern; flashing is done by the browser."""
        steps = steps_of(pattern)
        if self._rhythm is not None:
            self._rhythm.delete()
            self._rhythm = None
        self._lens.props["fill"] = COLOURS.get(steps[0][0], COLOURS["off"])
        self._lens.props["data-pattern"] = pattern
        whole = sum(ms for _, ms in steps)
        if len(steps) > 1 and whole:
            starts = [sum(ms for _, ms in steps[:number]) / whole for number in range(len(steps))]
            with self._lens:
                self._rhythm = shape(
                    "animate",
                    attributeName="fill",
                    values=";".join(COLOURS.get(colour, COLOURS["off"]) for colour, _ in steps),
                    keyTimes=";".join(f"{start:.4f}" for start in starts),
                    dur=f"{whole}ms",
                    calcMode="discrete",
                    repeatCount="indefinite",
                )
        self._lens.update()


def touchable(element: Element, label: str, *, press: Act, release: Act | None = None) -> None:
    """Make a shape something that mouse, finger and keyboard can press; with `release` it can be held."""
    element.classes("touch")
    element.props["role"] = "button"
    element.props["tabindex"] = "0"
    element.props["aria-label"] = label
    if release is None:
        element.on("click", press, [])
        element.on("keydown.enter.prevent", press, [])
        element.on("keydown.space.prevent", press, [])
        return
    hold = _Hold(press, release)
    for event in ("pointerdown", "keydown.enter.prevent", "keydown.space.prevent"):
        element.on(event, hold.down, [])
    for event in ("pointerup", "pointerleave", "pointercancel", "keyup.enter", "keyup.space", "blur"):
        element.on(event, hold.up, [])


class _Hold:
    """One press after the other, each let go once: not what was refused, and not before it was done."""

    def __init__(self, press: Act, release: Act) -> None:
        self._press = press
        self._release = release
        self._held = False
        self._turn = asyncio.Lock()

    async def down(self) -> None:
        async with self._turn:
            if not self._held:
                self._held = await self._press()

    async def up(self) -> None:
        async with self._turn:
            if self._held:
                self._held = False
                await self._release()
