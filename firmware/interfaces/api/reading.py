"""What the device is and how it is: answered from retained states, without asking anybody."""

from __future__ import annotations

import json

from starlette.requests import Request
from starlette.responses import Response

from firmware.core.actions import Level
from firmware.core.context import Core
from firmware.core.errors import Unavailable
from firmware.core.events import State
from firmware.core.params import MASK
from firmware.core.values import encode
from firmware.core.vocabulary.access import DoorAlarm, DoorState
from firmware.core.vocabulary.device import DeviceInfo, DevicePhase
from firmware.core.vocabulary.io import PortState, RelayChanged, RelayTrouble
from firmware.core.vocabulary.security import SetupState
from firmware.interfaces.api import shapes
from firmware.interfaces.api.routes import Routes, answer, answer_value, caller_of
from firmware.interfaces.api.shown import event_body


class Reading:
    """The endpoints that only look."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def add_to(self, routes: Routes) -> None:
        """Add the routes."""
        for path, endpoint, gives, summary in (
            ("/device", self.device, shapes.DeviceBody, "What the device is, and what it is doing"),
            ("/state", self.state, shapes.StatesBody, "Every retained state"),
            ("/ports", self.ports, shapes.PortsBody, "Terminals"),
            ("/relays", self.relays, shapes.RelaysBody, "Relays"),
            ("/doors", self.doors, shapes.DoorsBody, "Doors and their alarms"),
            ("/params", self.params, shapes.ParamsBody, "Declared parameters of all groups"),
            ("/actions", self.actions, shapes.ActionsBody, "Actions, with the schema of their parameters"),
        ):
            routes.add("GET", path, endpoint, level=Level.VIEWER, gives=gives, summary=summary)

    async def device(self, _: Request) -> Response:
        """Identity, phase and time. Raises Unavailable while control has not said who this is."""
        bus = self._core.bus
        info = bus.state(DeviceInfo)
        if info is None:
            raise Unavailable("device", "the device is starting; try again in a moment")
        phase, setup = bus.state(DevicePhase), bus.state(SetupState)
        body = encode(info)
        for stamp in ("id", "at", "cause"):
            del body[stamp]
        body["phase"] = encode(phase) if phase is not None else None
        body["setup"] = encode(setup) if setup is not None else None
        body["utc"] = self._core.clock.utc().isoformat()
        body["utc_trusted"] = self._core.clock.trusted()
        return answer(body)

    async def state(self, request: Request) -> Response:
        """All states, each with its topic."""
        caller = caller_of(request)
        return answer({"states": [event_body(state, caller) for state in self._core.bus.states(State)]})

    async def ports(self, _: Request) -> Response:
        """Terminals by name."""
        return answer_value(shapes.PortsBody(ports=self._core.bus.states(PortState)))

    async def relays(self, _: Request) -> Response:
        """Relays by name, and those that do not follow."""
        bus = self._core.bus
        troubles = tuple(trouble for trouble in bus.states(RelayTrouble) if trouble.stuck)
        return answer_value(shapes.RelaysBody(relays=bus.states(RelayChanged), troubles=troubles))

    async def doors(self, _: Request) -> Response:
        """Doors by name, and the alarms that stand."""
        bus = self._core.bus
        alarms = tuple(alarm for alarm in bus.states(DoorAlarm) if alarm.active)
        return answer_value(shapes.DoorsBody(doors=bus.states(DoorState), alarms=alarms))

    async def params(self, _: Request) -> Response:
        """Declarations of all groups; the default of a secret is not shown."""
        link = self._core.link
        found = []
        for group in await link.groups():
            for info in await link.infos(group):
                shape = {**encode(info), "level": info.level.name.lower(), "schema": json.loads(info.schema)}
                if info.secret and info.default:
                    shape["default"] = MASK
                found.append(shape)
        return answer({"params": found})

    async def actions(self, _: Request) -> Response:
        """Actions of all roles."""
        found = [
            {
                "name": info.name,
                "summary": info.summary,
                "level": info.level.name.lower(),
                "schema": json.loads(info.schema),
            }
            for info in await self._core.link.actions()
        ]
        return answer({"actions": found})
