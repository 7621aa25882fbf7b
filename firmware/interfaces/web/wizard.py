"""Steps, one after the other; each is a function that fills its card and answers how to save it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from nicegui import ui

from firmware.interfaces.web.view import View
from firmware.interfaces.web.words import N_

# Saves the step; answers whether the next one may come.
Save = Callable[[], Awaitable[bool]]
Step = Callable[[View], Awaitable[Save]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A step with its title; the end is not counted."""

    title: str
    build: Step
    counted: bool = True


async def steps(view: View, listed: tuple[Named, ...]) -> None:
    """Show the steps one at a time, with a way back and a way past."""
    _ = view.say
    number = 0
    box = ui.element("section").classes("card wizard")
    start = view.mark()

    async def show(at: int) -> None:
        nonlocal number
        number = at
        box.clear()
        view.rewind(start)
        step = listed[number]
        with box:
            if step.counted:
                whole = sum(each.counted for each in listed)
                count = _(N_("Step {number} of {count}"), number=number + 1, count=whole)
                ui.label(count).classes("quiet").props("aria-live=polite")
            with ui.element("h2"):
                ui.label(_(step.title))
            save = await step.build(view)
            with ui.element("div").classes("row"):
                if number:
                    ui.button(_(N_("Back")), on_click=lambda: show(number - 1)).props("flat")
                if number + 1 < len(listed):

                    async def onward() -> None:
                        if await save():
                            await show(number + 1)

                    ui.button(_(N_("Next")), on_click=onward).props("data-next")
                    ui.button(_(N_("Skip")), on_click=lambda: show(number + 1)).props("flat")
                else:

                    async def finish() -> None:
                        if await save():
                            ui.navigate.to("/")

                    ui.button(_(N_("Done")), on_click=finish).props("data-next")

    await show(0)
