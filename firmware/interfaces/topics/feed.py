"""What one listener is told: the events of the device under its topics, filtered as it asked, properties first."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from firmware.core.bus import Subscription
from firmware.core.context import Core
from firmware.core.errors import Invalid
from firmware.core.events import Event, Notice
from firmware.interfaces.topics.table import topics
from firmware.interfaces.topics.told import CHANGES, Told, Topic

LONGEST_FILTER = 2048
MOST_FILTERS = 64
DEPTH = 512

Wanted = Callable[[Told], bool]


class Projection:
    """Makes what is told out of notices of the bus."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self.topics = topics(core)

    def told(self, notice: Notice) -> Iterator[Told]:
        """A notice under every topic it belongs to."""
        for topic in self.topics:
            if topic.event is type(notice.event) and (said := topic.say(notice.event)) is not None:
                change = CHANGES[notice.operation] if topic.stateful else None
                yield Told(topic=topic, said=said, at=notice.event.at, change=change)

    def subscribe(self, *others: type[Event]) -> Subscription:
        """The events this makes something of, and others; the retained ones come first."""
        classes = {topic.event for topic in self.topics}
        return self._core.bus.subscribe(*classes, *others, depth=DEPTH)


def topic_filter(text: str) -> Callable[[Topic], bool]:
    """A filter of topics: paths joined by `|`, `//.` for everything below; both spellings of each step are taken.

    Raises Invalid for a filter that is none.
    """
    if len(text) > LONGEST_FILTER:
        raise Invalid("filter", f"is longer than {LONGEST_FILTER} signs")
    wanted = []
    for alternative in text.split("|")[:MOST_FILTERS]:
        path = alternative.strip()
        deep = path.endswith("//.")
        path = path.removesuffix("//.")
        if path and not re.fullmatch(r"(?:(?:\w+:)?\w+)(?:/(?:\w+:)?[\w*]+)*", path):
            raise Invalid("filter", f"{alternative.strip()[:60]!r} is no topic, as in tns1:Device/tnsaxis:IO//.")
        if not path and not deep:
            raise Invalid("filter", "is empty; //. stands for every topic")
        wanted.append((bare(path), deep))
    return lambda topic: any(_fits(bare(topic.path), path, deep) for path, deep in wanted)


def bare(path: str) -> tuple[str, ...]:
    """The steps of a path without prefixes, which clients write on the first step, on some or on all."""
    return tuple(step.rpartition(":")[2] for step in path.split("/") if step)


def _fits(topic: tuple[str, ...], wanted: tuple[str, ...], deep: bool) -> bool:
    if len(topic) < len(wanted) or (len(topic) > len(wanted) and not deep):
        return False
    return all(step in ("*", found) for step, found in zip(wanted, topic, strict=False))


CONDITION = re.compile(r"""@Name\s*=\s*["']([\w.]+)["']\s+and\s+@Value\s*=\s*["']([^"']*)["']""")


def content_filter(text: str) -> Wanted:
    """A filter of contents: every `@Name="x" and @Value="y"` in it must be an item of the event. Raises Invalid."""
    if len(text) > LONGEST_FILTER:
        raise Invalid("filter", f"is longer than {LONGEST_FILTER} signs")
    conditions = CONDITION.findall(text)
    if not conditions:
        raise Invalid("filter", 'has no condition such as boolean(//SimpleItem[@Name="port" and @Value="1"])')
    return lambda told: all(told.said.source.get(name, told.said.data.get(name)) == value for name, value in conditions)
