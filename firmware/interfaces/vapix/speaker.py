"""The speaker test for programs: CalibrateSpeakerTest, PerformSpeakerTest, GetSpeakerTestReport at /vapix/axast.

Words, faults and path are published (auto speaker test service API; the path in the fault example of the call service
API, whose form of requests it shares). Taken are requests in JSON; the simplified form of key and value is not.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.responses import JSONResponse, Response

from firmware.core.actions import Level
from firmware.core.context import Core
from firmware.core.errors import Forbidden, StationError
from firmware.core.values import decode
from firmware.core.vocabulary.speaker_test import Finding, SpeakerTestResult, SpeakerTestState, Verdict
from firmware.interfaces.http.body import read_json
from firmware.interfaces.http.errors import HttpRefusal, status_of
from firmware.interfaces.topics.told import utc
from firmware.interfaces.vapix.asked import Address, Asked
from hal.errors import nearest

PATH = "/vapix/axast"
PREFIX = "axast:"
FAILED = "ter:Failure"
WORDS = {Verdict.PASSED: "OK", Verdict.FAILED: "Failed", Verdict.INCONCLUSIVE: "InternalError"}

NAMED = {Finding.MICROPHONE_DISABLED: "DisabledInHardware", Finding.NOT_CALIBRATED: "Uncalibrated"}

# Why a test was none, each with the word for it.
UNDONE = {
    Finding.NOT_CALIBRATED: "axast:DeviceNotCalibrated",
    Finding.MICROPHONE_DISABLED: "axast:DisabledInHardware",
}
ARGUMENT, ACTION = ("env:Sender", "ter:InvalidArgVal"), ("env:Receiver", "ter:Action")

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
            return fault(status_of(error), FAILED, f"{error.where}: {error.message}", ACTION)
        except _Undone as undone:
            return fault(400, undone.subcode, str(undone), ACTION)

    async def _calibrate(self, asked: Asked) -> Mapping[str, Any]:
        await self._core.link.command("speaker_test.calibrate", {}, asked.caller)
        return {}

    async def _perform(self, asked: Asked) -> Mapping[str, Any]:
        data = await self._core.link.command("speaker_test.run", {}, asked.caller)
        findings = decode(SpeakerTestResult, data, where="speaker_test.run").findings
        for finding, subcode in UNDONE.items():
            if finding in findings:
                raise _Undone(subcode, f"the speaker was not tested: {finding.value.replace('_', ' ')}")
        return {}

    async def _report(self, _: Asked) -> Mapping[str, Any]:
        state = self._core.bus.state(SpeakerTestState) or SpeakerTestState()
        return {"SpeakerTestReport": report(state)}


def report(state: SpeakerTestState) -> dict[str, str]:
    """The state of the test in these words; all fields are mandatory, and a time that does not exist is empty."""
    return {
        "SpeakerTestStatus": status(state),
        "TestTimestamp": "" if state.result is None else utc(state.result.ended_at),
        "CalibrationTimestamp": "" if state.calibrated_at is None else utc(state.calibrated_at),
    }


def status(state: SpeakerTestState) -> str:
    """One word for how things are."""
    if state.running is not None:
        return "Pending"
    if state.result is not None:
        named = next((word for finding, word in NAMED.items() if finding in state.result.findings), None)
        return named or WORDS[state.result.verdict]
    return "Calibrated" if state.calibrated_at is not None else "Uncalibrated"


class _Undone(Exception):
    """Nothing was tested, for a reason that has a word of its own."""

    def __init__(self, subcode: str, why: str) -> None:
        super().__init__(why)
        self.subcode = subcode


def fault(status_code: int, subcode: str, reason: str, kind: tuple[str, str] = ARGUMENT) -> Response:
    """What went wrong, as these interfaces say it: with the request, or with what it asks for."""
    told = {
        "Fault": kind[0],
        "FaultCode": kind[1],
        "FaultSubCode": subcode,
        "FaultReason": reason,
        "FaultMsg": None,
    }
    return JSONResponse(told, status_code=status_code)
