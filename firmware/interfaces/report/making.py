"""A report as files, and as one file to keep: for every interface that gives reports away."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime

from starlette.responses import Response
from starlette.types import Receive

from firmware.core.actions import Caller
from firmware.core.context import Core
from firmware.core.errors import StationError
from firmware.core.vocabulary.device import DeviceInfo
from firmware.core.vocabulary.logs import LogKind
from firmware.core.vocabulary.troubleshooting import ReportKind
from firmware.core.worker import Worker
from firmware.interfaces.http.ending import first_of, until_gone
from firmware.interfaces.net.capture import KIND
from firmware.interfaces.net.looking import REPORT, Looking
from firmware.interfaces.report.gather import gather
from firmware.interfaces.report.logs import read
from firmware.interfaces.report.pack import as_tar, as_text, as_zip
from firmware.interfaces.report.processes import told_of_processes

TEXT = "server_report.txt"
TEXT_KIND = "text/plain; charset=utf-8"
Picture = Callable[[], Awaitable[bytes | None]]


@dataclass(frozen=True, slots=True)
class Kept:
    """A file to keep: its bytes, its name, its media type."""

    data: bytes
    name: str
    kind: str

    def answer(self) -> Response:
        """As an answer that is saved, not shown."""
        headers = {"content-disposition": f'attachment; filename="{self.name}"', "cache-control": "no-store"}
        return Response(self.data, media_type=self.kind, headers=headers)


async def report_of(
    core: Core, looking: Looking, caller: Caller, kind: ReportKind, picture: Picture | None = None
) -> Kept:
    """A report as one file, one at a time, whoever asks. Raises Busy."""
    with looking.turn(REPORT):
        match kind:
            case ReportKind.TEXT:
                data = await report_text(core, caller)
                return Kept(data, _name(core, "server_report", core.clock.utc(), "txt"), TEXT_KIND)
            case ReportKind.ZIP:
                return await packed(core, await report_files(core, caller, picture=picture), "server_report")
            case ReportKind.CRASH:
                return await packed(core, await crash_files(core, caller, looking, picture), "crash_report", tar=True)


async def report_text(core: Core, caller: Caller) -> bytes:
    """The report alone, as somebody with the rights of `caller` may have it."""
    return as_text({each.title: each.text for each in await gather(core, caller)}).encode()


async def report_files(
    core: Core, caller: Caller, *, logs: bool = True, picture: Picture | None = None
) -> dict[str, bytes]:
    """The report, with the logs and a picture of the first camera where they are wanted."""
    files = {TEXT: await report_text(core, caller)}
    if logs:
        files |= {f"{log.value}.log": (await _log(core, caller, log)).encode() for log in LogKind}
    if picture is not None:
        files |= await _picture(picture)
    return files


async def crash_files(core: Core, caller: Caller, looking: Looking, picture: Picture | None = None) -> dict[str, bytes]:
    """What a report holds, with more for whoever looks for a fault: processes and connections as they are."""
    found = [asdict(each) for each in await looking.clients()]
    return {
        **await report_files(core, caller, picture=picture),
        "processes.txt": told_of_processes().encode(),
        "clients.json": (json.dumps(found, indent=1) + "\n").encode(),
    }


async def packed(core: Core, files: Mapping[str, bytes], what: str, *, tar: bool = False) -> Kept:
    """The files in one, named by `what`, serial number and time; the loop goes on while it is packed."""
    at = core.clock.utc()
    pack, suffix, kind = (as_tar, "tgz", "application/gzip") if tar else (as_zip, "zip", "application/zip")
    worker = Worker(core.clock, "report")
    worker.start()
    try:
        data = await worker.run(lambda: pack(files, at))
    finally:
        worker.close()
    return Kept(data, _name(core, what, at, suffix), kind)


async def traced(core: Core, looking: Looking, adapter: str, for_s: float, receive: Receive) -> Kept:
    """What goes over an adapter for so long, or until the client hangs up. Raises as `Looking.trace`."""
    kept: list[bytes] = []

    async def listen() -> None:
        kept.append(await looking.trace(adapter, for_s))

    await first_of(listen(), until_gone(receive))
    return Kept(b"".join(kept), f"{_serial(core)}_{adapter}.pcap", KIND)


def _name(core: Core, what: str, at: datetime, suffix: str) -> str:
    return f"{what}_{_serial(core)}_{at:%Y%m%d_%H%M%S}.{suffix}"


def _serial(core: Core) -> str:
    info = core.bus.state(DeviceInfo)
    return info.serial if info is not None else "unknown"


async def _log(core: Core, caller: Caller, log: LogKind) -> str:
    try:
        return await read(core, caller, log)
    except StationError as error:
        return f"cannot be had now: {error.message}\n"


async def _picture(picture: Picture) -> dict[str, bytes]:
    try:
        data = await picture()
    except StationError as error:
        return {"image.txt": f"there is no picture: {error.message}\n".encode()}
    return {} if data is None else {"image.jpg": data}
