"""Service `osdp_trace`: what is said on the wires of readers and panels, decoded, for people who look for a fault.

Recording is started by hand and ends by itself. Frames come from the ports with their keys masked already: a
trace can be given away. The memory is bounded; the oldest frames go first and are counted.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from itertools import islice
from typing import ClassVar

from firmware.core.actions import NOTHING, Invocation, Level, Nothing
from firmware.core.context import Core
from firmware.core.errors import NotFound
from firmware.core.vocabulary.osdp import Capture, TraceLine, TracePage, TraceQuery, TraceRef, TraceStart
from hal.clock import Timer
from hal.errors import nearest
from hal.osdp.osdpcap import Captured, write
from hal.ports import Hardware, PanelPort, SerialReader
from hal.types import BusFrame

DEPTH = 5000


@dataclass(eq=False, slots=True)
class Recording:
    """The frames of one port: the newest `DEPTH`, numbered from 1."""

    port: SerialReader | PanelPort
    frames: deque[BusFrame]
    began_ns: int = 0
    began_unix_ns: int = 0
    count: int = 0
    ends: Timer | None = None

    def take(self, frame: BusFrame) -> None:
        """Keep a frame."""
        self.count += 1
        self.frames.append(frame)

    def after(self, number: int, limit: int) -> tuple[int, list[tuple[int, BusFrame]]]:
        """Frames after a number, and how many of those are gone."""
        first = self.count - len(self.frames)
        start = max(number, first)
        numbered = zip(range(start + 1, self.count + 1), islice(self.frames, start - first, None), strict=False)
        return max(0, first - number), list(islice(numbered, limit))


class OsdpTraceService:
    """Owns the `osdp.trace.*` actions; ports are named by node or alias."""

    name: ClassVar[str] = "osdp_trace"
    vital: ClassVar[bool] = False
    needs: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, core: Core, hardware: Hardware) -> None:
        self._core = core
        ports: dict[str, SerialReader | PanelPort] = {**hardware.serial_readers, **hardware.panels}
        self._recordings = {node: Recording(port, deque(maxlen=DEPTH)) for node, port in ports.items()}
        self._names = {hardware.alias(node): node for node in ports}

    async def start(self) -> None:
        """Offer the actions; nothing is recorded yet."""
        register = self._core.actions.register
        admin = Level.ADMIN
        register("osdp.trace.start", TraceStart, self._start, level=admin,
                 summary="Record the frames of a reader's or a panel's port, anew, for a time.")  # fmt: skip
        register("osdp.trace.stop", TraceRef, self._stop, level=admin, summary="End a recording; its frames stay.")
        register("osdp.trace.read", TraceQuery, self._read, level=admin, answer=TracePage,
                 summary="Recorded frames, decoded, after a number.")  # fmt: skip
        register("osdp.trace.capture", TraceRef, self._capture, level=admin, answer=Capture,
                 summary="A recording as an osdpcap file.")  # fmt: skip

    async def run(self) -> None:
        """Wait until cancelled."""
        await asyncio.Event().wait()

    async def stop(self) -> None:
        """End every recording."""
        for recording in self._recordings.values():
            self._end(recording)

    def _find(self, name: str, where: str) -> Recording:
        recording = self._recordings.get(self._names.get(name, name))
        if recording is None:
            hint = nearest(name, (*self._names, *self._recordings))
            raise NotFound(f"{where}.port", f"no OSDP port {name!r}{hint}")
        return recording

    async def _start(self, invocation: Invocation) -> Nothing:
        params = invocation.params
        assert isinstance(params, TraceStart)
        recording = self._find(params.port, invocation.action)
        self._end(recording)
        clock = self._core.clock
        recording.frames.clear()
        recording.count = 0
        recording.began_ns = clock.now_ns()
        recording.began_unix_ns = round(clock.utc().timestamp() * 1e9)
        recording.ends = clock.call_later(params.for_s, self._end, recording)
        recording.port.on_frame(recording.take)
        return NOTHING

    def _end(self, recording: Recording) -> None:
        if recording.ends is not None:
            recording.ends.cancel()
            recording.ends = None
            recording.port.on_frame(None)

    async def _stop(self, invocation: Invocation) -> Nothing:
        params = invocation.params
        assert isinstance(params, TraceRef)
        self._end(self._find(params.port, invocation.action))
        return NOTHING

    async def _read(self, invocation: Invocation) -> TracePage:
        params = invocation.params
        assert isinstance(params, TraceQuery)
        recording = self._find(params.port, invocation.action)
        lost, frames = recording.after(params.after, params.limit)
        return TracePage(
            recording=recording.ends is not None,
            lost=lost,
            lines=tuple(
                TraceLine(
                    number=number,
                    at_s=(frame.t_ns - recording.began_ns) / 1e9,
                    sent=frame.sent,
                    hex=frame.data.hex(),
                    text=frame.text,
                )
                for number, frame in frames
            ),
        )

    async def _capture(self, invocation: Invocation) -> Capture:
        params = invocation.params
        assert isinstance(params, TraceRef)
        recording = self._find(params.port, invocation.action)
        shift_ns = recording.began_unix_ns - recording.began_ns
        frames = (
            Captured(frame.t_ns + shift_ns, "output" if frame.sent else "input", frame.data)
            for frame in recording.frames
        )
        return Capture(name=f"{params.port}.osdpcap", text="".join(write(frames)))
