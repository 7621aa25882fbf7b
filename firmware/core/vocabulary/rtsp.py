"""Words of the RTSP interface: where the device answers over RTSP."""

from __future__ import annotations

from dataclasses import dataclass

from firmware.core.events import State, topic


@topic("network/rtsp")
@dataclass(frozen=True, slots=True, kw_only=True)
class RtspState(State):
    """Where the device answers over RTSP, as HOST:PORT (empty: not), and what is to be said of it."""

    rtsp: str
    warning: str = ""
