"""What every service is handed: the core of its role."""

from __future__ import annotations

from dataclasses import dataclass

from firmware.core.actions import ActionTable
from firmware.core.bus import Bus
from firmware.core.link.face import Link
from firmware.core.params import Params
from firmware.core.store import Store
from hal.clock import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    """The core of one role: its bus, its own actions and parameters, its stores, and the link to all.

    `store` is `settings/<slot>/<role>` (goes with the slot), `shared` is `shared/<role>`.
    """

    role: str
    clock: Clock
    bus: Bus
    actions: ActionTable
    link: Link
    params: Params
    store: Store
    shared: Store
