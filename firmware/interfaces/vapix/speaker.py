"""The speaker test for programs: CalibrateSpeakerTest, PerformSpeakerTest, GetSpeakerTestReport at /vapix/axast.

The words are published, the path is not: it follows the pattern of its neighbours.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.responses import JSONResponse, Response

from firmware.core.actions import Level
from firmware.core.context import Core
from firmware.core.errors import Forbidden, StationError
from firmware.core.vocabulary.speaker_test import Finding, SpeakerTestState, Verdict
from firmware.interfaces.http.body import read_json
from firmware.interfaces.http.errors import HttpRefusal, status_of
from firmware.interfaces.topics.told import utc
from firmware.interfaces.vapix.asked import Address, Asked
from hal.errors import nearest

PATH = "/vapix/axast"
PREFIX = "axast:"
WORDS = {Verdict.PASSED: "OK", Verdict.FAILED: "Failed", Verdict.INCONCLUSIVE: "InternalError"}

NAMED = {Finding.MICROPHONE_DISABLED: "DisabledInHardware", Finding.NOT_CALIBRATED: "Uncalibrated"}

Does = Callable[[Asked], Awaitable[Mapping[str, Any]]]


class SpeakerTestApi:
    """The address; a device that cannot test its speaker has none."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._commands: dict[str, tuple[Level, Does]] = {
            "CalibrateSpeakerTest": (Level.ADMIN, self._calibrate),
            "PerformSpeakerTest": (Level.OPERATOR, self._perform),
            "GetSpeakerTestReport": (Level.VIEWER, self._report),
        }

    def addresses(self) -> tuple[Address, ...]:
        """The address."""
        here = self._core.bus.state
        return (
            Address(
                path=PATH, endpoint=self._answer, level=Level.VIEWER, methods=("POST",),
                here=lambda: here(SpeakerTestState) is not None,
            ),
        )  # fmt: skip

    async def _answer(self, asked: Asked) -> Response:
        """One command, named by the one member of the request. Raises Forbidden."""
        try:
            request = read_json(await asked.request.body())
        except (ValueError, RecursionError, HttpRefusal):
            return fault(400, "ter:WellFormed", "the body is no JSON")
        names = list(request) if isinstance(request, dict) else []
        name = names[0].removeprefix(PREFIX) if len(names) == 1 else ""
        if name not in self._commands:
            known = ", ".join(self._commands) + nearest(name[:40], self._commands)
            return fault(400, "ter:ActionNotSupported", f"the body names one of {known}")
        level, does = self._commands[name]
        asked.needs(level)
        try:
            return JSONResponse(dict(await does(asked)))
        except Forbidden:
            raise
        except StationError as error:
            return fault(status_of(error), f"ter:{error.code}", f"{error.where}: {error.message}")

    async def _calibrate(self, asked: Asked) -> Mapping[str, Any]:
        await self._core.link.command("speaker_test.calibrate", {}, asked.caller)
        return {}

    async def _perform(self, asked: Asked) -> Mapping[str, Any]:
        await self._core.link.command("speaker_test.run", {}, asked.caller)
        return {}

    async def _report(self, _: Asked) -> Mapping[str, Any]:
        state = self._core.bus.state(SpeakerTestState) or SpeakerTestState()
        return {"SpeakerTestReport": report(state)}


def report(state: SpeakerTestState) -> dict[str, str]:
    """The state of the test in these words; a time that does not exist is left out."""
    found = {"SpeakerTestStatus": status(state)}
    if state.result is not None:
        found["TestTimestamp"] = utc(state.result.ended_at)
    if state.calibrated_at is not None:
        found["CalibrationTimestamp"] = utc(state.calibrated_at)
    return found


def status(state: SpeakerTestState) -> str:
    """One word for how things are."""
    if state.running is not None:
        return "Pending"
    if state.result is not None:
        named = next((word for finding, word in NAMED.items() if finding in state.result.findings), None)
        return named or WORDS[state.result.verdict]
    return "Calibrated" if state.calibrated_at is not None else "Uncalibrated"


def fault(status_code: int, subcode: str, reason: str) -> Response:
    """What went wrong, as these interfaces say it."""
    told = {
        "Fault": "env:Sender",
        "FaultCode": "ter:InvalidArgVal",
        "FaultSubCode": subcode,
        "FaultReason": reason,
        "FaultMsg": None,
    }
    return JSONResponse(told, status_code=status_code)
