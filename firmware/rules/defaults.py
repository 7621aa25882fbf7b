"""The product's own rules, as data: nobody can change them, and they go before all others.

Manual 001, door schedule of the relay: a granted access holds the door for the door's own time, 7 s unless it is set.
"""

from __future__ import annotations

from firmware.rules.rule import Do, Rule

DEFAULTS = (
    Rule(
        name="access granted",
        locked=True,
        trigger="access/granted",
        actions=(
            # Without hold_s the door's own time counts.
            Do(action="door.release", params={"door": "$event.door"}),
            # Green for as long as the door is released.
            Do(
                action="reader.indicate",
                params={"reader": "$event.reader", "colour": "green", "door": "$event.door"},
            ),
        ),
    ),
    Rule(
        name="access denied",
        locked=True,
        trigger="access/denied",
        actions=(Do(action="reader.indicate", params={"reader": "$event.reader", "colour": "red", "for_s": 2.0}),),
    ),
    Rule(
        name="exit requested",
        locked=True,
        trigger="door/exit",
        actions=(Do(action="door.release", params={"door": "$event.door"}),),
    ),
)
