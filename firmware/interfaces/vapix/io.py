"""Ports for programs: io/port.cgi with input.cgi and output.cgi, portmanagement, and virtual inputs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any
from xml.sax.saxutils import escape

from starlette.responses import Response, StreamingResponse

from firmware.core.actions import Level
from firmware.core.context import Core
from firmware.core.errors import Invalid, StationError
from firmware.core.vocabulary.io import VIRTUAL_INPUTS, PortState, VirtualInputState
from firmware.interfaces.vapix.asked import Address, Asked, plain
from firmware.interfaces.vapix.envelope import NEWER, Call, JsonApi, Method, Refusal
from firmware.interfaces.vapix.ports import LONGEST_STEP_MS, Port, Ports, Step, parse_action
from firmware.interfaces.vapix.sequences import Sequences
from hal.types import Direction

KEEP_ALIVE_S = 15.0
MOST_MONITORS = 16
STATES = ("open", "closed")
VIRTUAL = "http://www.axis.com/vapix/http_cgi/virtualinput1"
VIRTUAL_VERSION = "1.1"
# Error numbers of virtual inputs.
MISSING, NO_INPUT, NO_VERSION, INTERNAL, NO_DURATION = 10, 20, 30, 40, 50


class IoApis:
    """Terminals and virtual inputs."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._ports = Ports(core)
        self._sequences = Sequences(core, self._ports)
        self._monitors = 0

    def close(self) -> None:
        """End what runs on its own."""
        self._sequences.close()

    def addresses(self) -> tuple[Address, ...]:
        """The text addresses."""
        return (
            Address(path="/axis-cgi/io/port.cgi", endpoint=self._port, level=Level.VIEWER),
            Address(path="/axis-cgi/io/input.cgi", endpoint=self._port, level=Level.VIEWER),
            Address(path="/axis-cgi/io/output.cgi", endpoint=self._port, level=Level.VIEWER),
            Address(path="/axis-cgi/virtualinput/activate.cgi", endpoint=self._activate, level=Level.OPERATOR),
            Address(path="/axis-cgi/virtualinput/deactivate.cgi", endpoint=self._deactivate, level=Level.OPERATOR),
            Address(path="/axis-cgi/virtualinput/getschemaversions.cgi", endpoint=self._schemas, level=Level.VIEWER),
        )

    def apis(self) -> tuple[JsonApi, ...]:
        """The JSON address."""
        return (
            JsonApi(
                id="io-port-management",
                name="I/O Port Management",
                path="/axis-cgi/io/portmanagement.cgi",
                codes=NEWER,
                versions=("1.0", "1.1"),
                methods={
                    "getPorts": Method(run=self._get_ports),
                    "setPorts": Method(run=self._set_ports, level=Level.OPERATOR),
                    "setStateSequence": Method(run=self._set_sequence, level=Level.OPERATOR),
                },
            ),
        )

    async def _port(self, asked: Asked) -> Response:
        """check, checkactive, checkdirection, monitor, action. Raises NotFound, Invalid, Forbidden."""
        words = await asked.arguments()
        if "action" in words:
            return await self._act(asked, words["action"])
        if "monitor" in words:
            return self._monitor(self._numbered(words["monitor"]))
        answers: dict[str, Callable[[Port], str]] = {
            "check": lambda port: "1" if port.closed else "0",
            "checkactive": lambda port: "active" if port.state.active else "inactive",
            "checkdirection": lambda port: "output" if port.is_output else "input",
        }
        for word, say in answers.items():
            if word in words:
                ports = self._numbered(words[word])
                return plain("".join(f"port{port.number + 1}={say(port)}\n" for port in ports))
        raise Invalid("arguments", f"name one of {', '.join((*answers, 'monitor', 'action'))}")

    def _numbered(self, text: str) -> list[Port]:
        return [self._ports.find(number.strip(), first=1) for number in text.split(",")[:64]]

    async def _act(self, asked: Asked, text: str) -> Response:
        """The whole text is checked before anything moves."""
        asked.needs(Level.OPERATOR)
        number, steps = parse_action(text)
        if number is None:
            outputs = [port for port in self._ports.all() if port.is_output]
            if not outputs:
                raise Invalid("action", "names no port, and this device has no output")
            port = outputs[0]
        else:
            port = self._ports.find(number, first=1)
        await self._sequences.begin(port, steps, asked.caller, replace=True)
        return plain("")

    def _monitor(self, ports: list[Port]) -> Response:
        if self._monitors >= MOST_MONITORS:
            return plain("Error: too many monitors\n", 503)
        kind = "multipart/x-mixed-replace; boundary=ioboundary"
        return StreamingResponse(self._changes(ports), headers={"content-type": kind})

    async def _changes(self, ports: list[Port]) -> AsyncIterator[bytes]:
        """Each change as a part; an empty part when nothing has happened for a while."""
        numbers = {port.state.port: port.number + 1 for port in ports}
        self._monitors += 1
        try:
            with self._core.bus.subscribe(PortState, retained=False) as changes:
                for port in ports:  # how it is now: H active, L inactive
                    yield part(port.number + 1, port.state, "HL")
                while True:
                    notice = await self._within(changes.get(), KEEP_ALIVE_S)
                    if notice is None:
                        yield part_of("")
                    elif isinstance(notice.event, PortState) and notice.event.port in numbers:
                        yield part(numbers[notice.event.port], notice.event)
        finally:
            self._monitors -= 1

    async def _within(self, wanted: Any, patience_s: float) -> Any:
        task = asyncio.ensure_future(wanted)
        timer = asyncio.ensure_future(self._core.clock.sleep(patience_s))
        try:
            await asyncio.wait({task, timer}, return_when=asyncio.FIRST_COMPLETED)
            return task.result() if task.done() else None
        finally:
            timer.cancel()
            task.cancel()

    async def _get_ports(self, _: Call) -> Mapping[str, Any]:
        ports = self._ports.all()
        data: dict[str, Any] = {"numberOfPorts": len(ports)}
        if ports:
            data["items"] = [item(port) for port in ports]
        return data

    async def _set_ports(self, call: Call) -> Mapping[str, Any]:
        """Each port by itself: what can be done is done, and the first refusal is told."""
        wishes = call.params if isinstance(call.params, list) else call.items("ports", most=64)
        done: list[str] = []
        refused: Refusal | None = None
        for wish in wishes:
            if not isinstance(wish, dict) or "port" not in wish:
                raise Refusal(call.codes.missing, "Missing parameter: port")
            try:
                await self._set_port(call, wish)
                done.append(str(wish["port"]))
            except StationError as error:
                details = {"port": str(wish["port"]), "propertyName": error.where, "errors": []}
                refused = refused or Refusal(call.codes.invalid, error.message, details)
        if refused is not None:
            raise refused
        return {"ports": done}

    async def _set_port(self, call: Call, wish: Mapping[str, Any]) -> None:
        port = self._ports.find(wish["port"])
        change: dict[str, Any] = {}
        if "name" in wish:
            change["name"] = wish["name"]
        if "direction" in wish:
            change["direction"] = wish["direction"]
        if "normalState" in wish:
            change["normal"] = wish["normalState"]
        if "usage" in wish and wish["usage"] != "":
            raise Invalid("usage", "is not kept by this device")
        if change:
            await self._ports.configure(port, change, call.caller)
        if "state" in wish:
            if wish["state"] not in STATES:
                raise Invalid("state", f"{wish['state']!r:.40} is neither open nor closed")
            port = self._ports.find(wish["port"])  # its normal state may just have changed
            await self._ports.set_active(port, wish["state"] != port.normal, call.caller)

    async def _set_sequence(self, call: Call) -> Mapping[str, Any]:
        port = self._ports.find(call.text("port"))
        steps = []
        for step in call.items("sequence", most=64):
            if not isinstance(step, dict) or step.get("state") not in STATES:
                raise Refusal(call.codes.invalid, "sequence: each step has a state, open or closed, and a time")
            time_ms = step.get("time", 0)
            if not isinstance(time_ms, int) or isinstance(time_ms, bool) or not 0 <= time_ms <= LONGEST_STEP_MS:
                raise Refusal(call.codes.invalid, f"sequence: time is 0 to {LONGEST_STEP_MS} ms, not {time_ms!r:.40}")
            steps.append(Step(step["state"] != port.normal, time_ms))
        if not steps:
            raise Refusal(call.codes.invalid, "sequence: is empty")
        await self._sequences.begin(port, tuple(steps), call.caller, replace=False)
        return {"port": str(port.number)}

    async def _activate(self, asked: Asked) -> Response:
        return await self._virtual(asked, True)

    async def _deactivate(self, asked: Asked) -> Response:
        return await self._virtual(asked, False)

    async def _virtual(self, asked: Asked, active: bool) -> Response:
        """A virtual input, numbered from 1; the answer says whether its state changed."""
        words = await asked.arguments()
        wrong = self._virtual_wrong(words)
        if wrong is not None:
            return virtual_error(*wrong)
        number = int(words["port"])
        before = self._core.bus.state(VirtualInputState, str(number))
        wish: dict[str, Any] = {"input": number, "active": active}
        if "duration" in words:
            wish["for_s"] = float(words["duration"])
        try:
            await self._core.link.command("virtual_input.set", wish, asked.caller)
        except Invalid as error:
            return virtual_error(NO_DURATION if error.where.endswith("for_s") else NO_INPUT, error.message)
        changed = before is None or before.active is not active
        word = "ActivateSuccess" if active else "DeactivateSuccess"
        inner = f"<Success><{word}><StateChanged>{str(changed).lower()}</StateChanged></{word}></Success>"
        return virtual_answer(inner)

    def _virtual_wrong(self, words: Mapping[str, str]) -> tuple[int, str] | None:
        for name in ("schemaversion", "port"):
            if name not in words:
                return MISSING, f"the argument {name} is missing"
        if words["schemaversion"].partition(".")[0] != "1":
            return NO_VERSION, "the schema version is 1"
        port = words["port"]
        if not (port.isascii() and port.isdigit() and len(port) < 5 and 1 <= int(port) <= VIRTUAL_INPUTS):
            return NO_INPUT, f"virtual inputs are numbered 1 to {VIRTUAL_INPUTS}"
        duration = words.get("duration", "1")
        if not (duration.replace(".", "", 1).isdecimal() and duration.isascii() and len(duration) < 10):
            return NO_DURATION, "the duration is a number of seconds"
        return None

    async def _schemas(self, _: Asked) -> Response:
        inner = f"<VersionNumber>{VIRTUAL_VERSION}</VersionNumber><Deprecated>false</Deprecated>"
        return virtual_answer(
            "<Success><GetSchemaVersionsSuccess><SchemaVersion>"
            f"{inner}</SchemaVersion></GetSchemaVersionsSuccess></Success>"
        )


def item(port: Port) -> dict[str, Any]:
    """A port as getPorts lists it."""
    return {
        "port": str(port.number),
        "configurable": port.state.configurable,
        "usage": "",
        "name": port.state.name,
        "direction": "output" if port.is_output else "input",
        "state": "closed" if port.closed else "open",
        "normalState": port.normal,
    }


def part(number: int, state: PortState, signs: str = "/\\") -> bytes:
    """A change of a port: `3I:/` to active, `3I:\\` to inactive; O for an output."""
    letter = "O" if state.direction is Direction.OUTPUT else "I"
    return part_of(f"{number}{letter}:{signs[0] if state.active else signs[1]}")


def part_of(text: str) -> bytes:
    """One part of the endless answer."""
    return f"--ioboundary\r\nContent-Type: text/plain\r\n\r\n{text}\r\n\r\n".encode()


def virtual_answer(inner: str) -> Response:
    """An answer about virtual inputs."""
    body = (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        f'<VirtualInputResponse xmlns="{VIRTUAL}" SchemaVersion="{VIRTUAL_VERSION}">{inner}</VirtualInputResponse>'
    )
    return plain(body, kind="text/xml; charset=utf-8")


def virtual_error(code: int, words: str) -> Response:
    """A refusal about virtual inputs."""
    error = f"<ErrorCode>{code}</ErrorCode><ErrorDescription>{escape(words)}</ErrorDescription>"
    return virtual_answer(f"<Error><GeneralError>{error}</GeneralError></Error>")
