"""An event as these interfaces tell it: topic, source, data; and what a topic declares of its events.

Source: ONVIF Core Specification, Event Handling; names of the steps as clients of this face look for them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from xml.sax.saxutils import escape, quoteattr

from firmware.core.events import Event, Operation

NAMESPACES: Mapping[str, str] = {
    "tt": "http://www.onvif.org/ver10/schema",
    "tns1": "http://www.onvif.org/ver10/topics",
    "tnsaxis": "http://www.axis.com/2009/event/topics",
    "wsnt": "http://docs.oasis-open.org/wsn/b-2",
    "wsa5": "http://www.w3.org/2005/08/addressing",
}
DIALECT = "http://docs.oasis-open.org/wsn/t-1/TopicExpression/Simple"
# What XML cannot carry even escaped.
UNPRINTABLE = {code: "?" for code in (*range(9), 11, 12, *range(14, 32), 0xFFFE, 0xFFFF)}


class Change(StrEnum):
    """What happened to a property: the words of the protocol."""

    INITIALIZED = "Initialized"
    CHANGED = "Changed"
    DELETED = "Deleted"


CHANGES = {
    Operation.INITIALISED: Change.INITIALIZED,
    Operation.CHANGED: Change.CHANGED,
    Operation.DELETED: Change.DELETED,
    Operation.HAPPENED: None,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One item of a topic's source or data: name, XML schema type, and its values where they are few."""

    name: str
    type: str = "xsd:string"
    nice: str = ""
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What one event says under one topic."""

    source: Mapping[str, str] = field(default_factory=dict)
    data: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """A topic: its path with a prefix where the namespace changes, its items, and the event it is made of.

    `stateful` topics are properties: `data[0]` is the state, told to everybody who begins to listen. `say` makes the
    items of an event, or answers None for an event that is not of this topic.
    """

    path: str
    nice: str
    event: type[Event]
    say: Callable[[Event], Said | None]
    source: tuple[Item, ...] = ()
    data: tuple[Item, ...] = ()
    stateful: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One event ready to be sent; `change` is None for what only happened."""

    topic: Topic
    said: Said
    at: datetime
    change: Change | None

    @property
    def at_ms(self) -> int:
        """When, in milliseconds since 1970."""
        return round(self.at.timestamp() * 1000)


def utc(at: datetime) -> str:
    """A time as documents of this protocol write it."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def clean(text: str) -> str:
    """Text without the signs that XML cannot carry (hardening row 41)."""
    return "".join(sign if not 0xD800 <= ord(sign) <= 0xDFFF else "?" for sign in text.translate(UNPRINTABLE))


def document(told: Told, producer: str) -> str:
    """One event as a metadata document: small enough for one packet of a stream."""
    spaces = " ".join(f'xmlns:{prefix}="{NAMESPACES[prefix]}"' for prefix in ("tns1", "tnsaxis", "wsnt", "wsa5"))
    change = f' PropertyOperation="{told.change.value}"' if told.change is not None else ""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><tt:MetadataStream xmlns:tt="{NAMESPACES["tt"]}"><tt:Event>'
        f'<wsnt:NotificationMessage {spaces}><wsnt:Topic Dialect="{DIALECT}">{told.topic.path}</wsnt:Topic>'
        f"<wsnt:ProducerReference><wsa5:Address>uri://{escape(clean(producer))}/ProducerReference</wsa5:Address>"
        f'</wsnt:ProducerReference><wsnt:Message><tt:Message UtcTime="{utc(told.at)}"{change}>'
        f"<tt:Source>{_items(told.said.source)}</tt:Source><tt:Key></tt:Key><tt:Data>{_items(told.said.data)}</tt:Data>"
        "</tt:Message></wsnt:Message></wsnt:NotificationMessage></tt:Event></tt:MetadataStream>"
    )


def _items(items: Mapping[str, str]) -> str:
    return "".join(
        f"<tt:SimpleItem Name={quoteattr(name)} Value={quoteattr(clean(value))}/>" for name, value in items.items()
    )


def steps(path: str) -> Iterable[tuple[str, str]]:
    """The steps of a topic's path with the namespace prefix each has: a step without one has that before it."""
    prefix = "tns1"
    for step in path.split("/"):
        before, colon, name = step.rpartition(":")
        prefix = before if colon else prefix
        yield prefix, name
