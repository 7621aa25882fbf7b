"""A drawing of what a speaker test heard: a bar a tone, its noise beside it, a mark where the calibration was."""

from __future__ import annotations

from collections.abc import Sequence

from nicegui import ui
from nicegui.element import Element
from nicegui.elements.mixins.text_element import TextElement

from firmware.core.vocabulary.speaker_test import ToneFigure

FLOOR_DBFS, TOP_DBFS = -100, 0
STEP_DB = 20
LEFT, TOP, HEIGHT, SLOT, BAR, FOOT = 44.0, 12.0, 180.0, 64.0, 22.0, 26.0


def height_of(dbfs: float) -> float:
    """How far below the top a level is drawn, in the units of the drawing."""
    kept = min(max(dbfs, FLOOR_DBFS), TOP_DBFS)
    return TOP + HEIGHT * (TOP_DBFS - kept) / (TOP_DBFS - FLOOR_DBFS)


def hertz(hz: float) -> str:
    """A frequency as people write it."""
    return f"{hz / 1000:g} kHz" if hz >= 1000 else f"{hz:g} Hz"


def plot(tones: Sequence[ToneFigure], label: str) -> None:
    """Draw it; `label` is what is read aloud instead, the figures themselves belong into a table beside it."""
    width = LEFT + SLOT * len(tones)
    drawing = _shape("svg", "plot", viewBox=f"0 0 {width:g} {TOP + HEIGHT + FOOT:g}", role="img")
    drawing.props["aria-label"] = label
    with drawing:
        for dbfs in range(FLOOR_DBFS, TOP_DBFS + 1, STEP_DB):
            y = height_of(dbfs)
            _shape("line", "grid-line", x1=LEFT, x2=width, y1=y, y2=y)
            _text(2, y + 4, f"{dbfs} dB")
        for number, tone in enumerate(tones):
            x = LEFT + SLOT * number + (SLOT - 2 * BAR) / 2
            _bar("heard", x, tone.level_dbfs)
            _bar("noise", x + BAR, tone.noise_dbfs)
            if tone.calibrated_dbfs is not None:
                y = height_of(tone.calibrated_dbfs)
                _shape("line", "calibrated", x1=x - 4, x2=x + BAR + 4, y1=y, y2=y)
            _text(x, TOP + HEIGHT + 16, hertz(tone.hz))


def _bar(cls: str, x: float, dbfs: float) -> None:
    y = height_of(dbfs)
    _shape("rect", cls, x=x, y=y, width=BAR, height=TOP + HEIGHT - y)


def _shape(tag: str, cls: str, **attributes: object) -> Element:
    element = ui.element(tag).classes(cls)
    for name, value in attributes.items():
        element.props[name] = f"{value:g}" if isinstance(value, float) else str(value)
    return element


def _text(x: float, y: float, said: str) -> None:
    element = TextElement(tag="text", text=said)
    element.props["x"], element.props["y"] = f"{x:g}", f"{y:g}"
