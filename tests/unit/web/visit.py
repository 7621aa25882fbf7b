"""A person at a page without a browser: finds fields and buttons by their labels, types, clicks, reads.

The page is the real one, asked for through the guard and built by the toolkit; only the drawing is missing.
"""

from __future__ import annotations

import asyncio
import gc
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from nicegui import Client, ui
from nicegui.element import Element
from nicegui.elements.mixins.disableable_element import DisableableElement
from nicegui.elements.mixins.text_element import TextElement
from nicegui.elements.mixins.validation_element import ValidationElement
from nicegui.elements.mixins.value_element import ValueElement
from nicegui.events import GenericEventArguments, handle_event
from nicegui.testing.general import nicegui_reset_globals

from tests.bench.sim import PASSWORD, USER, SimBench

PAGE = re.compile(r"'client_id': '([0-9a-f-]+)'")


class Visit:
    """One open page."""

    def __init__(self, bench: SimBench, client: Client) -> None:
        self.bench = bench
        self.client = client
        self.told: list[str] = []
        self.scripts: list[str] = []

    # reading

    def elements(self) -> list[Element]:
        """What is on the page and visible, in order."""
        found: list[Element] = []

        def walk(element: Element) -> None:
            if not element.visible:
                return
            found.append(element)
            for slot in element.slots.values():
                for child in slot.children:
                    walk(child)

        walk(self.client.layout)
        return found

    @property
    def text(self) -> str:
        """All that can be read, line by line."""
        lines = []
        for element in self.elements():
            if isinstance(element, TextElement):
                lines.append(element.text)
            label, error = element.props.get("label"), element.props.get("error-message")
            lines += [str(each) for each in (label, error) if each]
        return "\n".join(lines)

    def field(self, label: str, nth: int = 0) -> ValueElement[Any]:
        """A field by its label."""
        found = [
            element
            for element in self.elements()
            if isinstance(element, ValueElement)
            and label in (element.props.get("label"), element.props.get("aria-label"), getattr(element, "text", None))
        ]
        assert len(found) > nth, f"no field {label!r} among {self.text}"
        return found[nth]

    def fault(self, label: str, nth: int = 0) -> str:
        """What is wrong with a field."""
        field = self.field(label, nth)
        assert isinstance(field, ValidationElement)
        return field.error or ""

    def buttons(self, text: str) -> list[Element]:
        """The buttons that say this, or are called so."""
        return [
            element
            for element in self.elements()
            if isinstance(element, ui.button | ui.menu_item)
            and text in (getattr(element, "text", None), element.props.get("aria-label"))
        ]

    def links(self) -> list[str]:
        """Where one can go."""
        return [element.props["href"] for element in self.elements() if "href" in element.props]

    # doing

    async def type(self, label: str, value: Any, nth: int = 0) -> None:
        """Write, choose or switch."""
        with self.client:
            self.field(label, nth).value = value
        await self.bench.settle()

    async def press(self, text: str, nth: int = 0) -> None:
        """Click a button."""
        found = self.buttons(text)
        assert len(found) > nth, f"no button {text!r} among {self.text}"
        button = found[nth]
        assert not isinstance(button, DisableableElement) or button.enabled, f"{text} cannot be pressed"
        await self.cause(button, "click")

    async def cause(self, element: Element, event: str, args: Any = None) -> None:
        """What a browser says has happened to an element."""
        listeners = [each for each in element._event_listeners.values() if each.type == event]
        assert listeners, f"{element} does not listen to {event}"
        for listener in listeners:
            handle_event(listener.handler, GenericEventArguments(sender=element, client=self.client, args=args or {}))
        await self.bench.settle()

    async def sees(self, check: Callable[[str], bool] | str) -> None:
        """Until a text is there."""
        test = check if callable(check) else (lambda text: check in text)
        for _ in range(100):
            if test(self.text) or any(test(said) for said in self.told):
                return
            await self.bench.advance(0.1)
        raise AssertionError(f"never seen: {check} in {self.text}; told: {self.told}")


class Visitors:
    """Opens pages."""

    def __init__(self, bench: SimBench) -> None:
        self._bench = bench

    async def status(self, path: str, name: str = USER) -> int:
        """How the device answers when a page is asked for."""
        return (await self._bench.http("GET", path, auth=(name, PASSWORD))).status_code

    async def open(self, path: str, name: str = USER, *, language: str = "en") -> Visit:
        """Open a page, as the administrator or by another name (with the same password)."""
        headers = {"accept-language": language}
        answer = await self._bench.http("GET", path, auth=(name, PASSWORD), headers=headers)
        assert answer.status_code == 200, answer.text
        match = PAGE.search(answer.text)
        assert match is not None, answer.text[:400]
        visit = Visit(self._bench, Client.instances[match[1]])
        _listen(visit)
        await self._bench.settle()
        return visit

    async def account(self, name: str, level: str) -> None:
        """Make an account with the bench's password."""
        made = await self._bench.api("POST", "/accounts", {"name": name, "password": PASSWORD, "level": level})
        assert made.status_code == 201, made.text


def _listen(visit: Visit) -> None:
    """Write down what the page would tell the browser besides its elements."""
    outbox, enqueue = visit.client.outbox, visit.client.outbox.enqueue_message

    def heard(kind: str, data: Any, target: str) -> None:
        if kind == "notify":
            visit.told.append(data["message"])
        if kind == "run_javascript":
            visit.scripts.append(data["code"])
        enqueue(kind, data, target)

    vars(outbox)["enqueue_message"] = heard


@asynccontextmanager
async def visitors(bench: SimBench) -> AsyncIterator[Visitors]:
    """The pages of a bench, while the block lasts. The toolkit's state is that of the process: it begins anew."""
    with nicegui_reset_globals():
        living = asyncio.get_running_loop().create_task(bench.web.run(), name="web")
        try:
            yield Visitors(bench)
        finally:
            living.cancel()
            await asyncio.wait((living,))
    # Garbage was collected just now, and is before the next visit: what is left, all modules above all, is passed over.
    gc.freeze()
