"""Reports and logs for programs: serverreport, systemlog, accesslog, auditlog, debug.tgz with a network trace."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from firmware.core.actions import Level
from firmware.core.context import Core
from firmware.core.errors import Invalid, Unsupported
from firmware.core.vocabulary.logs import LogKind
from firmware.interfaces.net.capture import LONGEST_S
from firmware.interfaces.net.looking import REPORT, Looking
from firmware.interfaces.report.logs import read
from firmware.interfaces.report.making import crash_files, packed, report_files, report_text, traced
from firmware.interfaces.vapix.asked import Address, Asked, Endpoint, plain
from firmware.interfaces.vapix.images import ImageCgis, number_of
from hal.errors import nearest

MODES = ("text", "zip", "zip_with_image", "tar_all")
TRACE_S = 30
MOST_LINES = 2000
HEADS = {LogKind.SYSTEM: "System log", LogKind.ACCESS: "Access log", LogKind.AUDIT: "Audit log"}


class ReportCgis:
    """The addresses; one report or trace is made at a time."""

    def __init__(self, core: Core, images: ImageCgis, looking: Looking) -> None:
        self._core = core
        self._looking = looking
        self._images = images

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
        with self._looking.turn(REPORT):
            if mode == "text":
                return plain((await report_text(self._core, asked.caller)).decode())
            picture = self._images.image if mode in ("zip_with_image", "tar_all") else None
            files = await report_files(self._core, asked.caller, logs=mode == "tar_all", picture=picture)
            return (await packed(self._core, files, "server_report", tar=mode == "tar_all")).answer()

    async def _debug(self, asked: Asked) -> Response:
        """Report and logs, or with `cmd=pcapdump` a network trace. Raises Invalid, Busy, Unsupported."""
        words = await asked.arguments()
        if "listen" in words:
            raise Unsupported("listen", "this device keeps no memory of its processes")
        command = words.get("cmd", "")
        if command not in ("", "pcapdump"):
            raise Invalid("cmd", f"no command {command[:40]!r}{nearest(command[:40], ['pcapdump'])}")
        if command:
            return await self._trace(asked.request, words)
        with self._looking.turn(REPORT):
            files = await crash_files(self._core, asked.caller, self._looking)
            return (await packed(self._core, files, "crash_report", tar=True)).answer()

    async def _trace(self, request: Request, words: Mapping[str, str]) -> Response:
        for_s = number_of(words, "duration", most=int(LONGEST_S)) or TRACE_S
        name = self._looking.adapter("interface", words.get("interface", ""))
        return (await traced(self._core, self._looking, name, for_s, request.receive)).answer()
