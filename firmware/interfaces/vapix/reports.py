"""Reports and logs for programs: serverreport, systemlog, accesslog, auditlog, debug.tgz with a network trace."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from firmware.core.actions import Level
from firmware.core.context import Core
from firmware.core.errors import Invalid, StationError, Unsupported
from firmware.core.vocabulary.logs import LogKind
from firmware.interfaces.http.ending import first_of
from firmware.interfaces.net.adapters import adapters
from firmware.interfaces.net.capture import LONGEST_S, capture
from firmware.interfaces.report.logs import read
from firmware.interfaces.report.pack import files_of, packed
from firmware.interfaces.vapix.asked import Address, Asked, Endpoint, Turn, plain
from firmware.interfaces.vapix.device import identity
from firmware.interfaces.vapix.images import ImageCgis, number_of
from hal.errors import nearest

MODES = ("text", "zip", "zip_with_image", "tar_all")
TRACE_S = 30
MOST_LINES = 2000
PCAP = "application/vnd.tcpdump.pcap"
HEADS = {LogKind.SYSTEM: "System log", LogKind.ACCESS: "Access log", LogKind.AUDIT: "Audit log"}


class ReportCgis:
    """The addresses; one report or trace is made at a time."""

    def __init__(self, core: Core, images: ImageCgis) -> None:
        self._core = core
        self._images = images
        self._turn = Turn("report")

    def addresses(self) -> tuple[Address, ...]:
        """The addresses."""
        paths = {
            "serverreport.cgi": self._report,
            "systemlog.cgi": self._log(LogKind.SYSTEM),
            "accesslog.cgi": self._log(LogKind.ACCESS),
            "auditlog.cgi": self._log(LogKind.AUDIT),
        }
        return (
            *(
                Address(path=f"/axis-cgi/{folder}{name}", endpoint=endpoint, level=Level.ADMIN)
                for name, endpoint in paths.items()
                for folder in ("", "admin/")
            ),
            Address(path="/axis-cgi/debug/debug.tgz", endpoint=self._debug, level=Level.ADMIN),
        )

    def _log(self, log: LogKind) -> Endpoint:
        async def answer(asked: Asked) -> Response:
            """The lines with `text` in them, the newest `tail` of those."""
            words = await asked.arguments()
            tail = number_of(words, "tail", most=MOST_LINES) or MOST_LINES
            lines = await read(self._core, asked.caller, log, text=words.get("text", ""), tail=tail)
            return plain(f"----- {HEADS[log]} -----\n{lines}")

        return answer

    async def _report(self, asked: Asked) -> Response:
        """The report in one of four forms. Raises Invalid, Busy."""
        mode = (await asked.arguments()).get("mode", "text")
        if mode not in MODES:
            raise Invalid("mode", f"no form {mode[:40]!r}{nearest(mode[:40], MODES)}; valid: {', '.join(MODES)}")
        with self._turn:
            files = await self._files(asked, logs=mode == "tar_all", image=mode in ("zip_with_image", "tar_all"))
            if mode == "text":
                return plain(files["server_report.txt"].decode())
            return await self._packed(files, tar=mode == "tar_all")

    async def _debug(self, asked: Asked) -> Response:
        """Report and logs, or with `cmd=pcapdump` a network trace. Raises Invalid, Busy, Unsupported."""
        words = await asked.arguments()
        if "listen" in words:
            raise Unsupported("listen", "this device keeps no memory of its processes")
        command = words.get("cmd", "")
        if command not in ("", "pcapdump"):
            raise Invalid("cmd", f"no command {command[:40]!r}{nearest(command[:40], ['pcapdump'])}")
        with self._turn:
            if command:
                return await self._trace(asked.request, words)
            return await self._packed(await self._files(asked, logs=True, image=False), tar=True)

    async def _trace(self, request: Request, words: Mapping[str, str]) -> Response:
        for_s = number_of(words, "duration", most=int(LONGEST_S)) or TRACE_S
        known = adapters()
        names = [each.name for each in known]
        first = next((each.name for each in known if each.up and not each.loopback), names[0])
        name = words.get("interface", first)
        if name not in names:
            raise Invalid(
                "interface", f"no adapter {name[:20]!r}{nearest(name[:20], names)}; valid: {', '.join(names)}"
            )
        kept: list[bytes] = []

        async def listen() -> None:
            kept.append(await capture(name, for_s, self._core.clock))

        await first_of(listen(), until_gone(request))
        return attached(b"".join(kept), f"{identity(self._core).serial}_{name}.pcap", PCAP)

    async def _files(self, asked: Asked, *, logs: bool, image: bool) -> dict[str, bytes]:
        files = await files_of(self._core, asked.caller, logs=logs)
        if image:
            files |= await self._picture()
        return files

    async def _picture(self) -> dict[str, bytes]:
        try:
            data = await self._images.image()
        except StationError as error:
            return {"image.txt": f"there is no picture: {error.message}\n".encode()}
        return {} if data is None else {"image.jpg": data}

    async def _packed(self, files: Mapping[str, bytes], *, tar: bool) -> Response:
        """In a file."""
        data, name = await packed(self._core, files, identity(self._core).serial, tar=tar)
        return attached(data, name, "application/gzip" if tar else "application/zip")


async def until_gone(request: Request) -> None:
    """Until the client hangs up."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def attached(data: bytes, name: str, kind: str) -> Response:
    """A file to keep."""
    headers = {"content-disposition": f'attachment; filename="{name}"', "cache-control": "no-store"}
    return Response(data, media_type=kind, headers=headers)
