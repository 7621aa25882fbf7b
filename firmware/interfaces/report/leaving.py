"""Tests and reports as actions, for whoever comes over the link: the command line at the device itself.

A report does not cross the link: it is left in the spool, where whoever asked may read the device's files anyway.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from firmware.core.actions import Invocation, Level
from firmware.core.context import Core
from firmware.core.errors import Unavailable, Unsupported
from firmware.core.vocabulary.troubleshooting import (
    PingAnswer,
    PingParams,
    PortAnswer,
    PortParams,
    ReportLeft,
    ReportParams,
)
from firmware.interfaces.net.looking import Looking
from firmware.interfaces.report.making import report_of
from firmware.interfaces.video.views import Views


class TroubleshootingDesk:
    """Owns the private actions `troubleshooting.*`; reports are left in `spool`, which others clear at their start."""

    def __init__(self, core: Core, looking: Looking, views: Views, spool: Path | None) -> None:
        self._core = core
        self._looking = looking
        self._views = views
        self._spool = spool
        register, admin = core.actions.register, Level.ADMIN
        register("troubleshooting.ping", PingParams, self._ping, level=admin, answer=PingAnswer, private=True,
                 summary="Send four echo requests.")  # fmt: skip
        register("troubleshooting.port_check", PortParams, self._port, level=admin, answer=PortAnswer, private=True,
                 summary="Try a TCP or UDP port.")  # fmt: skip
        register("troubleshooting.report", ReportParams, self._report, level=admin, answer=ReportLeft, private=True,
                 summary="Make a report and leave it in the spool.")  # fmt: skip

    async def _ping(self, invocation: Invocation) -> PingAnswer:
        assert isinstance(invocation.params, PingParams)
        return await self._looking.pinged(invocation.params)

    async def _port(self, invocation: Invocation) -> PortAnswer:
        assert isinstance(invocation.params, PortParams)
        return await self._looking.knocked(invocation.params)

    async def _report(self, invocation: Invocation) -> ReportLeft:
        """Raises Busy, Unsupported, Unavailable (storage fails)."""
        assert isinstance(invocation.params, ReportParams)
        if self._spool is None:
            raise Unsupported("troubleshooting.report", "there is no spool")
        folder, name = self._spool, secrets.token_hex(16)
        kept = await report_of(self._core, self._looking, invocation.caller, invocation.params.kind, self._views.first)

        def leave() -> None:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with open(handle, "wb") as file:
                file.write(kept.data)

        try:
            await self._core.shared.run(leave, what="spool")
        except Unavailable:
            self._core.shared.post(lambda: (folder / name).unlink(missing_ok=True), what="spool")
            raise
        return ReportLeft(spool=name, name=kept.name)
