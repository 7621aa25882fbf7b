"""Firmware for programs: firmwaremanagement.cgi with its methods and upload, and the older firmwareupgrade.cgi.

The owner of it all is control; here its modes, states and refusals get the words and numbers that clients know. The
parts of an upload are told apart by their content type, because clients name them differently.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from firmware.core.actions import Level
from firmware.core.context import Core
from firmware.core.errors import Busy, Invalid, StationError, Unsupported
from firmware.core.vocabulary.upgrade import UpgradeStage, UpgradeState
from firmware.interfaces.api.upload import Spool
from firmware.interfaces.http.body import read_json
from firmware.interfaces.http.errors import HttpRefusal
from firmware.interfaces.vapix.asked import Address, Asked, plain
from firmware.interfaces.vapix.envelope import FIRMWARE, Call, JsonApi, Method, Refusal

PATH = "/axis-cgi/firmwaremanagement.cgi"
OLD_PATH = "/axis-cgi/firmwareupgrade.cgi"
FILE, DOCUMENT = "file", "json"
KINDS = {b"application/json": DOCUMENT}
LARGEST_CALL = 64 * 1024
DEFAULTS = ("none", "soft", "hard")
NO_BUSINESS, NOTHING_OLD, DOWNGRADE, REVOKED, UNCOMMITTED, BAD_IMAGE = 417, 404, 409, 410, 412, 415
OTHER_DEVICE, UNSIGNED, BUSY, UNKNOWN_SIGNER = 421, 422, 423, 424
# The codes of refusals (docs/upgrade.md) as numbers; a code that is not here says that the image is no good.
NUMBERS: Mapping[str, int] = {
    "downgrade": DOWNGRADE,
    "rollback-floor": DOWNGRADE,
    "certificate-revoked": REVOKED,
    "other-model": OTHER_DEVICE,
    "other-hardware": OTHER_DEVICE,
    "other-device": OTHER_DEVICE,
    "signature-form": UNSIGNED,
    "signature-wrong": UNSIGNED,
    "foreign-key": UNKNOWN_SIGNER,
    "certificate-not-installed": UNKNOWN_SIGNER,
    "busy": BUSY,
    "rollback_refused": NOTHING_OLD,
    "no_trial": UNCOMMITTED,
    "unavailable": FIRMWARE.internal,
    "unsupported": NO_BUSINESS,
    "exhausted": FIRMWARE.internal,
    "invalid": FIRMWARE.invalid,
}


class FirmwareCgis:
    """The addresses. Without a spool nothing can be uploaded, and an upgrade is refused."""

    def __init__(self, core: Core, spool: Spool | None) -> None:
        self._core = core
        self._spool = spool
        self._api = JsonApi(
            id="fwmgr",
            name="Firmware Management API",
            path=PATH,
            codes=FIRMWARE,
            versions=("1.0", "1.4"),
            methods={
                "status": self._method(self._status),
                "commit": self._method(self._commit),
                "rollback": self._method(self._rollback),
                "purge": self._method(self._purge),
                "stopAuto": self._method(self._stop_auto),
                "factoryDefault": self._method(self._factory_default),
                "reboot": self._method(self._reboot),
            },
        )

    def apis(self) -> tuple[JsonApi, ...]:
        """What apidiscovery lists."""
        return (self._api,)

    def addresses(self) -> tuple[Address, ...]:
        """Both addresses; the first answers methods as well as uploads."""
        return (
            Address(path=PATH, endpoint=self._answer, level=Level.ADMIN),
            Address(path=OLD_PATH, endpoint=self._old, level=Level.ADMIN, methods=("POST",)),
        )

    def sizes(self) -> Mapping[bytes, int]:
        """The paths whose bodies may be larger than usual."""
        return {} if self._spool is None else {path.encode(): self._spool.largest for path in (PATH, OLD_PATH)}

    def _method(self, run: Any) -> Method:
        async def told(call: Call) -> Mapping[str, Any]:
            try:
                found: Mapping[str, Any] = await run(call)
            except StationError as error:
                raise refused(error) from None
            return found

        return Method(run=told, level=Level.ADMIN)

    async def _answer(self, asked: Asked) -> Response:
        if is_form(asked.request):
            return await self._upgrade(asked)
        check_small(asked.request)
        return await self._api.answer(asked)

    def _state(self) -> UpgradeState:
        state = self._core.bus.state(UpgradeState)
        if state is None:
            raise Unsupported("upgrade", "this device was not started from a slot, or cannot read its record")
        return state

    async def _status(self, _: Call) -> Mapping[str, Any]:
        state = self._state()
        slots = {slot.slot: slot for slot in state.slots}
        data: dict[str, Any] = {
            "activeFirmwareVersion": slots[state.running].version,
            "activeFirmwarePart": state.running,
        }
        other = next((slot for name, slot in slots.items() if name != state.running and slot.version), None)
        if other is not None:
            on_trial = state.stage is UpgradeStage.TRIAL
            data |= {"inactiveFirmwareVersion": other.version, "isCommited": not on_trial}
            if on_trial and state.confirm_left_s is None:
                data["pendingCommit"] = "started"
            if state.confirm_left_s is not None:
                data["timeToRollback"] = state.confirm_left_s
        return data

    async def _commit(self, call: Call) -> Mapping[str, Any]:
        """Keep the firmware on trial."""
        await self._core.link.command("upgrade.confirm", {}, call.caller)
        state = self._state()
        return {"firmwareVersion": next(slot.version for slot in state.slots if slot.slot == state.running)}

    async def _rollback(self, call: Call) -> Mapping[str, Any]:
        """Back to the former firmware with its settings; the device restarts."""
        answer = await self._core.link.command("upgrade.rollback", {}, call.caller)
        return {"firmwareVersion": answer["version"]}

    async def _purge(self, _: Call) -> Mapping[str, Any]:
        raise Refusal(NO_BUSINESS, "this device keeps its former firmware until the next upgrade overwrites it")

    async def _stop_auto(self, call: Call) -> Mapping[str, Any]:
        """What would happen by itself: a trial that waits can only be confirmed or rolled back here."""
        if self._state().stage is not UpgradeStage.TRIAL:
            return {}
        message = "a firmware on trial is undone by itself unless it is committed; use commit or rollback"
        raise Refusal(UNCOMMITTED, message)

    async def _factory_default(self, call: Call) -> Mapping[str, Any]:
        """Soft keeps the network settings, hard keeps nothing."""
        mode = call.choice("factoryDefaultMode", DEFAULTS[1:])
        action = "device.restore" if mode == "soft" else "device.factory_default"
        await self._core.link.command(action, {}, call.caller)
        return {}

    async def _reboot(self, call: Call) -> Mapping[str, Any]:
        await self._core.link.command("device.restart", {}, call.caller)
        return {}

    async def _upgrade(self, asked: Asked) -> Response:
        """Into the spool, and to control; every outcome is in the envelope."""
        head: dict[str, Any] = {"apiVersion": self._api.version, "method": "upgrade"}
        try:
            version = await self._installed(asked, head)
        except (Refusal, StationError) as error:
            told = error if isinstance(error, Refusal) else refused(error)
            return JSONResponse({**head, "error": {"code": told.code, "message": told.message}})
        return JSONResponse({**head, "data": {"firmwareVersion": version}})

    async def _installed(self, asked: Asked, head: dict[str, Any]) -> str:
        async with self._ready().taken(asked.request, FILE, (DOCUMENT,), KINDS) as form:
            request = document_of(form.fields.get(DOCUMENT, ""))
            if "context" in request:
                head["context"] = request["context"]
            return await self._install(asked, form.file, wish_of(request))

    async def _old(self, asked: Asked) -> Response:
        """One file; `type` is normal or factorydefault. Raises Invalid, Busy and what control refuses with."""
        kind = asked.request.query_params.get("type", "normal")
        if kind not in ("normal", "factorydefault"):
            raise Invalid("type", f"{kind[:40]!r} is neither normal nor factorydefault")
        wish = {"mode": "standard" if kind == "normal" else "factory_default"}
        async with self._ready().taken(asked.request, FILE, (), {}) as form:
            version = await self._install(asked, form.file, wish)
        return plain(f"OK\n{version} is installed; the device restarts.\n")

    async def _install(self, asked: Asked, file: str, wish: Mapping[str, Any]) -> str:
        answer = await self._core.link.command("upgrade.install", {**wish, "spool": file}, asked.caller)
        return str(answer["version"])

    def _ready(self) -> Spool:
        """The spool; whoever cannot be served is told before the file is sent. Raises Unsupported, Busy."""
        if self._spool is None:
            raise Unsupported("upgrade", "there is no spool")
        stage = self._state().stage
        if stage is not UpgradeStage.IDLE:
            raise Busy("upgrade", f"an upgrade is under way ({stage.value})")
        return self._spool


def is_form(request: Request) -> bool:
    """Whether a file comes."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() == "multipart/form-data"


def check_small(request: Request) -> None:
    """Only a form may be large here, so a call says how long it is before it is read. Raises HttpRefusal."""
    headers = request.headers
    if "transfer-encoding" in headers:
        raise HttpRefusal(411, "length_required", "content-length", "a call that is no form says its length")
    if int(headers.get("content-length", "0")) > LARGEST_CALL:
        raise HttpRefusal(413, "too_large", "body", f"is larger than {LARGEST_CALL} bytes")


def document_of(text: str) -> Mapping[str, Any]:
    """The JSON part of an upload. Raises Refusal."""
    try:
        found = read_json(text or "{}")
    except ValueError:
        raise Refusal(FIRMWARE.json, "Invalid JSON") from None
    if not isinstance(found, dict) or found.get("method", "upgrade") != "upgrade":
        raise Refusal(FIRMWARE.method, "Unknown method in request; a file comes with the method upgrade")
    if not isinstance(found.get("params", {}), dict) or not isinstance(found.get("context", ""), (str, int)):
        raise Refusal(FIRMWARE.invalid, "params is an object, context a text")
    return found


def wish_of(request: Mapping[str, Any]) -> Mapping[str, Any]:
    """What clients ask of an upgrade, as this device does it. Raises Refusal for what it cannot do."""
    params: Mapping[str, Any] = request.get("params", {})
    default = params.get("factoryDefaultMode", "none")
    if default not in DEFAULTS:
        raise Refusal(FIRMWARE.invalid, f"factoryDefaultMode: {default!r:.40} is none of {', '.join(DEFAULTS)}")
    if default == "soft":
        raise Refusal(NO_BUSINESS, "factoryDefaultMode: an upgrade here keeps all settings (none) or no setting (hard)")
    minutes = rollback_of(params.get("autoRollback", "default"))
    commit = params.get("autoCommit", "default")
    if commit not in ("never", "boot", "started", "default"):
        raise Refusal(FIRMWARE.invalid, f"autoCommit: {commit!r:.40} is none of never, boot, started, default")
    if default == "hard":
        return {"mode": "factory_default"}
    if commit == "never" or (commit == "default" and minutes is not None):
        # Somebody has to commit it, or it is undone.
        return {"mode": "automatic_rollback", **({} if minutes is None else {"confirm_within_s": minutes * 60})}
    return {"mode": "standard"}  # it commits itself once everything runs


def rollback_of(value: object) -> int | None:
    """Minutes until an uncommitted firmware is undone; None where the device decides. Raises Refusal."""
    if value in ("default", "never"):
        return None
    text = str(value)
    if not (text.isascii() and text.isdigit() and len(text) < 6 and 1 <= int(text) <= 1440):
        raise Refusal(FIRMWARE.invalid, f"autoRollback: {value!r:.40} is never, default, or 1 to 1440 minutes")
    return int(text)


def refused(error: StationError) -> Refusal:
    """A refusal of the owner, with the number that clients know."""
    number = NUMBERS.get(error.code, BUSY if isinstance(error, Busy) else BAD_IMAGE)
    return Refusal(number, f"{error.where}: {error.message}")
