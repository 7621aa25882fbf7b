"""The words rooms share: each module holds one room's events, states, and action and parameter types.

Importing this package registers every topic, so that the link can read any event of any role.
"""

from firmware.core.vocabulary import (
    access,
    certificates,
    controller,
    device,
    entries,
    io,
    osdp,
    rules,
    security,
    station,
    upgrade,
)

__all__ = [
    "access",
    "certificates",
    "controller",
    "device",
    "entries",
    "io",
    "osdp",
    "rules",
    "security",
    "station",
    "upgrade",
]
