"""What the device is and whether it is ready: basicdeviceinfo, systemready, apidiscovery."""

from __future__ import annotations

import asyncio
import platform
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import firmware
from firmware.core.actions import Level
from firmware.core.context import Core
from firmware.core.errors import Unavailable
from firmware.core.vocabulary.device import DeviceInfo, DevicePhase, Phase
from firmware.core.vocabulary.security import SetupState
from firmware.interfaces.vapix.envelope import DISCOVERY, Call, JsonApi, Method, Refusal
from hal.errors import nearest

BRAND = "Lintel"
WEB = "https://lintel.invalid"  # a name that nobody can own (RFC 2606): the project has no site of its own
LONGEST_WAIT_S = 300.0
# Names a caller without log-in is not told.
RESTRICTED = ("Architecture", "Soc", "SocSerialNumber")
READY_CODES = DISCOVERY
BOOTS = uuid.UUID("6d0c9d8a-53a1-4b80-9a54-2b0f3f0f1d7e")


def identity(core: Core) -> DeviceInfo:
    """Who this is. Raises Unavailable while control has not said so."""
    info = core.bus.state(DeviceInfo)
    if info is None:
        raise Unavailable("device", "the device is starting; try again in a moment")
    return info


def built() -> datetime:
    """When the program that runs was put together: the time its tree carries."""
    return datetime.fromtimestamp(Path(firmware.__file__).stat().st_mtime, UTC)


def properties(core: Core) -> dict[str, str]:
    """The properties that clients ask for, all of them texts. Raises Unavailable."""
    info = identity(core)
    return {
        "Architecture": platform.machine(),
        "Brand": BRAND,
        "BuildDate": built().strftime("%b %d %Y %H:%M"),
        "HardwareID": info.board,
        "ProdFullName": f"{BRAND} {info.model} {info.product}",
        "ProdNbr": info.model,
        "ProdShortName": f"{BRAND} {info.model}",
        "ProdType": info.product,
        "ProdVariant": "",
        "SerialNumber": info.serial,
        "Soc": "simulated" if info.simulated else platform.processor() or platform.machine(),
        "SocSerialNumber": info.chip_id,
        "Version": info.version,
        "WebURL": WEB,
    }


class DeviceApis:
    """basicdeviceinfo and systemready."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._began_ns = core.clock.now_ns()

    def apis(self) -> tuple[JsonApi, ...]:
        """The addresses."""
        return (
            JsonApi(
                id="basic-device-info",
                name="Basic Device Information",
                path="/axis-cgi/basicdeviceinfo.cgi",
                codes=DISCOVERY,
                versions=("1.0", "1.3"),
                methods={
                    "getAllProperties": Method(run=self._all, level=Level.OPERATOR),
                    "getProperties": Method(run=self._some, level=Level.VIEWER),
                    "getAllUnrestrictedProperties": Method(run=self._open, level=Level.ANONYMOUS),
                },
            ),
            JsonApi(
                id="systemready",
                name="Systemready",
                path="/axis-cgi/systemready.cgi",
                codes=READY_CODES,
                versions=("1.0", "1.4"),
                methods={"systemready": Method(run=self._ready, level=Level.ANONYMOUS)},
            ),
        )

    async def _all(self, _: Call) -> Mapping[str, Any]:
        return {"propertyList": properties(self._core)}

    async def _open(self, _: Call) -> Mapping[str, Any]:
        found = properties(self._core)
        return {"propertyList": {name: value for name, value in found.items() if name not in RESTRICTED}}

    async def _some(self, call: Call) -> Mapping[str, Any]:
        known = properties(self._core)
        wanted = call.items("propertyList")
        for name in wanted:
            if name not in known:
                raise Refusal(call.codes.invalid, f"Property not supported: {name!s:.60}{nearest(str(name), known)}")
        return {"propertyList": {name: known[name] for name in wanted}}

    async def _ready(self, call: Call) -> Mapping[str, Any]:
        """Whether the device is ready; waits for it up to `timeout` seconds."""
        patience_s = call.number("timeout", 0, least=0, most=LONGEST_WAIT_S)
        if not self._is_ready() and patience_s:
            await self._wait(patience_s)
        setup, info = self._core.bus.state(SetupState), self._core.bus.state(DeviceInfo)
        boot = info.id.partition("-")[0] if info is not None else ""
        return {
            "systemready": "yes" if self._is_ready() else "no",
            "needsetup": "yes" if setup is not None and setup.needed else "no",
            "uptime": str((self._core.clock.now_ns() - self._began_ns) // 10**9),
            "bootid": str(uuid.uuid5(BOOTS, boot)),
        }

    def _is_ready(self) -> bool:
        phase = self._core.bus.state(DevicePhase)
        return phase is not None and phase.phase is not Phase.STARTING

    async def _wait(self, patience_s: float) -> None:
        with self._core.bus.subscribe(DevicePhase) as phases:
            arrives = asyncio.ensure_future(self._until_ready(phases))
            timer = asyncio.ensure_future(self._core.clock.sleep(patience_s))
            try:
                await asyncio.wait({arrives, timer}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                arrives.cancel()
                timer.cancel()

    async def _until_ready(self, phases: Any) -> None:
        async for _ in phases:
            if self._is_ready():
                return


class DiscoveryApi:
    """apidiscovery: what this device answers, and nothing that it does not."""

    def __init__(
        self, apis: Callable[[], tuple[JsonApi, ...]], others: Callable[[], Mapping[str, tuple[str, str]]]
    ) -> None:
        """`others` are addresses without the envelope: id -> (name, version)."""
        self._apis = apis
        self._others = others

    def api(self) -> JsonApi:
        """The address."""
        return JsonApi(
            id="api-discovery",
            name="API Discovery Service",
            path="/axis-cgi/apidiscovery.cgi",
            codes=DISCOVERY,
            methods={"getApiList": Method(run=self._list, level=Level.ANONYMOUS)},
        )

    async def _list(self, call: Call) -> Mapping[str, Any]:
        id_glob = call.text("id", "*", longest=64)
        version_glob = call.text("version", "*", longest=64)
        rows = [
            (api.id, api.name, version, api.status)
            for api in self._apis()
            if api.here()
            for version in newest(api.versions)
        ]
        rows += [(id_, name, version, "official") for id_, (name, version) in self._others().items()]
        return {
            "apiList": [
                {"id": id_, "version": version, "name": name, "docLink": "", "status": status}
                for id_, name, version, status in sorted(rows)
                if matches(id_, id_glob) and matches(version, version_glob)
            ]
        }


def newest(versions: tuple[str, ...]) -> list[str]:
    """The newest version of each major one."""
    return list({version.partition(".")[0]: version for version in versions}.values())


def matches(text: str, glob: str) -> bool:
    """Whether a name fits a pattern of `*` and `?`; brackets mean themselves."""
    return fnmatchcase(text, glob.replace("[", "[[]"))
