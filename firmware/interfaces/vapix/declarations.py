"""GetEventInstances: which events there are, as a tree of topics, with the ports and inputs this device has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from xml.sax.saxutils import quoteattr

from firmware.core.context import Core
from firmware.core.events import Notice, State
from firmware.core.events import Operation as Happening
from firmware.interfaces.topics.feed import Projection
from firmware.interfaces.topics.told import NAMESPACES, Item, Topic, clean, steps
from firmware.interfaces.vapix.asked import Asked
from firmware.interfaces.vapix.soap import Operation
from firmware.interfaces.vapix.xml import Element

EVENTS = "http://www.axis.com/vapix/ws/event1"
WSTOP = "http://docs.oasis-open.org/wsn/t-1"
MOST_VALUES = 128


class EventDeclarations:
    """The operation."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._projection = Projection(core)

    def operations(self) -> Mapping[tuple[str, str], Operation]:
        """By namespace and name."""
        return {(EVENTS, "GetEventInstances"): Operation(run=self._instances)}

    async def _instances(self, _: Asked, __: Element) -> str:
        spaces = {"aev": EVENTS, "wstop": WSTOP, "tns1": NAMESPACES["tns1"], "tnsaxis": NAMESPACES["tnsaxis"]}
        declared = " ".join(f'xmlns:{prefix}="{space}"' for prefix, space in spaces.items())
        tree: dict[str, object] = {}
        for topic in self._projection.topics:
            place = tree
            *groups, leaf = list(prefixed(topic))
            for group in groups:
                place = place.setdefault(group, {})  # type: ignore[assignment]
            place[leaf] = topic
        inner = "".join(self._step(name, below) for name, below in tree.items())
        return (
            f"<aev:GetEventInstancesResponse {declared}><wstop:TopicSet>{inner}</wstop:TopicSet>"
            "</aev:GetEventInstancesResponse>"
        )

    def _step(self, name: str, below: object) -> str:
        if isinstance(below, Topic):
            return self._leaf(name, below)
        assert isinstance(below, dict), "a tree of topics"
        return f"<{name}>{''.join(self._step(step, rest) for step, rest in below.items())}</{name}>"

    def _leaf(self, name: str, topic: Topic) -> str:
        known = self._known_sources(topic)
        sources = "".join(_item(item, known.get(item.name, item.values)) for item in topic.source)
        data = "".join(
            _item(item, item.values, state=topic.stateful and place == 0) for place, item in enumerate(topic.data)
        )
        property_ = ' aev:isProperty="true"' if topic.stateful else ""
        source = f"<aev:SourceInstance>{sources}</aev:SourceInstance>" if topic.source else ""
        return (
            f'<{name} wstop:topic="true" aev:NiceName={quoteattr(topic.nice)}><aev:MessageInstance{property_}>'
            f"{source}<aev:DataInstance>{data}</aev:DataInstance></aev:MessageInstance></{name}>"
        )

    def _known_sources(self, topic: Topic) -> dict[str, tuple[str, ...]]:
        """The values that the source items have now, from the retained states."""
        found: dict[str, dict[str, None]] = {}
        for state in self._core.bus.states(State):
            for told in self._projection.told(Notice(Happening.INITIALISED, state)):
                if told.topic is topic:
                    for name, value in told.said.source.items():
                        found.setdefault(name, {})[value] = None
        return {name: tuple(values)[:MOST_VALUES] for name, values in found.items()}


def prefixed(topic: Topic) -> Iterable[str]:
    """The steps of a topic's path as element names: a prefix only where the namespace changes."""
    before = ""
    for prefix, step in steps(topic.path):
        yield f"{prefix}:{step}" if prefix != before else step
        before = prefix


def _item(item: Item, values: Iterable[str], *, state: bool = False) -> str:
    nice = f" aev:NiceName={quoteattr(item.nice)}" if item.nice else ""
    is_state = ' isPropertyState="true"' if state else ""
    inner = "".join(f"<aev:Value>{_text(value)}</aev:Value>" for value in values)
    return (
        f'<aev:SimpleItemInstance{nice} Type="{item.type}" Name="{item.name}"{is_state}>{inner}'
        "</aev:SimpleItemInstance>"
    )


def _text(value: str) -> str:
    return clean(value).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
