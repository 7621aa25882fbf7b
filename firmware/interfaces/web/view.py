"""One open page: who looks at it, in which language, and what it may ask of the device: the link, nothing else."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from nicegui import background_tasks, ui

from firmware.core.actions import Caller, Level
from firmware.core.context import Core
from firmware.core.errors import StationError
from firmware.core.events import Event, Notice
from firmware.core.values import decode
from firmware.core.vocabulary.device import DeviceInfo
from firmware.interfaces.web.errors import explained
from firmware.interfaces.web.feed import Feed, Heard, Listener
from firmware.interfaces.web.plan import Plan
from firmware.interfaces.web.visitor import Taste
from firmware.interfaces.web.words import COMMA

if TYPE_CHECKING:
    from nicegui import Client

    from firmware.interfaces.web.bench import Bench, Changed

T = TypeVar("T")
NOTHING_DRAWN = Plan()

log = logging.getLogger("lintel.web")


class View:
    """What a page is built with. `say` translates; by custom a page begins with `_ = view.say`."""

    def __init__(
        self,
        core: Core,
        feed: Feed,
        client: Client,
        caller: Caller,
        taste: Taste,
        *,
        token: str = "",
        session: str = "",
        bench: Bench | None = None,
        plan: Plan = NOTHING_DRAWN,
        visitors: Callable[[], list[tuple[str, str]]] = list,
    ) -> None:
        """`token` is the secret of the visitor's session, if it has one, and `session` what facts call it.

        `bench` reaches the simulated world of a simulated device, `plan` is what the device image shows,
        and `visitors` answers the names and addresses behind all open pages.
        """
        self.core = core
        self.client = client
        self.caller = caller
        self.taste = taste
        self.token = token
        self.session = session
        self.bench = bench
        self.plan = plan
        self.visitors = visitors
        self._watching: list[Changed] = []
        self._used = False
        self._feed = feed
        self._listener = Listener(self._within)
        self.dead = False
        feed.join(self._listener)
        client.on_delete(self._close)

    def _close(self) -> None:
        self.dead = True
        self._feed.leave(self._listener)
        if self.bench is not None:
            for changed in self._watching:
                self.bench.unwatch(changed)

    def _within(self, heard: Heard, notice: Notice) -> None:
        with self.client:
            heard(notice)

    # words

    def say(self, text: str, **holes: object) -> str:
        """A text in the visitor's language, its `{holes}` filled."""
        said = self.taste.catalogue.gettext(text)
        return said.format(**holes) if holes else said

    def figure(self, value: float, form: str = "g") -> str:
        """A number to be read, with the decimal mark of the language; fields take either mark (`shapes.py`)."""
        figure = format(value, form)
        return figure.replace(".", ",") if self.taste.language in COMMA else figure

    def told(self, text: str) -> str:
        """What the device says (a message, a reason, a summary), in the visitor's language where it is known."""
        return self.taste.catalogue.told(text)

    # who

    def may(self, level: Level) -> bool:
        """Whether the visitor has the level; the owner of an action checks it again."""
        return self.caller.level >= level

    @property
    def info(self) -> DeviceInfo:
        """What the device is."""
        info = self.core.bus.state(DeviceInfo)
        assert info is not None, "pages are served once control has said which device this is"
        return info

    def used(self) -> None:
        """Somebody did something on this page."""
        self._used = True

    def take_use(self) -> bool:
        """Whether somebody did, since this was asked last."""
        used, self._used = self._used, False
        return used

    # facts

    def on(self, *classes: type[Event], then: Callable[[Notice], None]) -> None:
        """Call `then` with every fact of these classes while the page is open; retained states first, now."""
        self._feed.hear(self._listener, classes, then)

    def watch(self, changed: Changed) -> None:
        """Call `changed` with what the bench sees while the page is open, and soon with what it sees now."""
        bench = self.bench
        assert bench is not None, "a real device has no bench"

        def within(name: str, value: bool | str) -> None:
            with self.client:
                changed(name, value)

        async def begin() -> None:
            for name, value in (await bench.peers()).items():
                parts = value if isinstance(value, dict) else {"": value}
                for part, each in parts.items():
                    if isinstance(each, bool | str):
                        within(f"{name}.{part}" if part else name, each)

        self._watching.append(within)
        bench.watch(within)
        self.begin(begin())

    def mark(self) -> tuple[int, int]:
        """Where `rewind` goes back to: what is listened to now."""
        return len(self._listener.wishes), len(self._watching)

    def rewind(self, mark: tuple[int, int]) -> None:
        """Stop listening to what was asked for after the mark: a part of the page is built anew."""
        wishes, watching = mark
        del self._listener.wishes[wishes:]
        for changed in self._watching[watching:]:
            if self.bench is not None:
                self.bench.unwatch(changed)
        del self._watching[watching:]

    # commands

    async def ask(self, action: str, data: Mapping[str, object], answer: type[T]) -> T:
        """Carry out an action as the visitor. Raises what its owner raises."""
        return decode(answer, await self.core.link.command(action, data, self.caller), where=action)

    async def read(self, group: str) -> dict[str, Any]:
        """A parameter group as the visitor may see it. Raises NotFound, Forbidden, Unavailable."""
        return dict(await self.core.link.read(group, self.caller))

    async def change(self, group: str, patch: Mapping[str, Any]) -> dict[str, Any]:
        """Change parameters as the visitor, all or none. Raises Invalid with the place, Forbidden, Unavailable."""
        return dict(await self.core.link.change(group, patch, self.caller))

    async def attempt(self, work: Awaitable[T], *, done: str = "") -> T | None:
        """Await; what goes wrong is told to the visitor and answers None. `done` is told when it went well."""
        try:
            found = await work
        except StationError as error:
            self.complain(error)
            return None
        if done:
            self.tell(done)
        return found

    def begin(self, work: Coroutine[Any, Any, Any]) -> None:
        """Do something beside the handler that asks for it; what goes wrong is told to the visitor."""
        background_tasks.create(self.attempt(work), name=f"web {self.caller.name}", context=self.client.content)

    # talking to the visitor

    def tell(self, text: str) -> None:
        """Say that something was done."""
        ui.notify(text, type="positive", position="bottom", timeout=3000)

    def complain(self, error: StationError) -> None:
        """Say what went wrong: its kind and reason in the visitor's language, and the place."""
        ui.notify(explained(self, error), type="negative", position="bottom", timeout=8000, multi_line=True)

    def leave(self) -> None:
        """The visitor is no longer who it was: the page is loaded anew, and takes no more events."""
        if not self.dead:
            self._close()  # a browser that does not load it anew hears no more either
            self.client.run_javascript("lintel.unsaved.clear(); location.reload()")
