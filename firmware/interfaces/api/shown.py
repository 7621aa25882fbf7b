"""Events as clients see them: JSON with the topic, and card data only for those who may work with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from firmware.core.actions import Caller, Level
from firmware.core.events import Event, Notice
from firmware.core.params import MASK
from firmware.core.values import encode

# Fields from which a card could be copied, by topic; a viewer sees that a card was read, not which.
CARD_FIELDS: Mapping[str, Mapping[str, Any]] = {
    "access/card": {"bits": MASK, "credential": MASK, "fitting": [], "uid": MASK},
    "access/granted": {"credential": MASK},
    "access/denied": {"credential": MASK},
    "access/forwarded": {"credential": MASK},
}


def event_body(event: Event, caller: Caller) -> dict[str, Any]:
    """An event or state for one caller."""
    body = {"topic": event.topic, **encode(event)}
    return masked(event.topic, body) if caller.level < Level.OPERATOR else body


def masked(topic: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of an event without card data."""
    masks = CARD_FIELDS.get(topic, {})
    return {name: masks[name] if name in masks and value else value for name, value in fields.items()}


def notice_body(notice: Notice, caller: Caller) -> dict[str, Any]:
    """An event with what happened to it."""
    return {"operation": notice.operation.value, **event_body(notice.event, caller)}
