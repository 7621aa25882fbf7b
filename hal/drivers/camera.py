"""Frames in, a camera out: starts it, watches that pictures come, and brings it back when it was lost.

A camera is lost when its wire says so, or when no frame came for `SILENT_S` (or `SILENT_FRAMES` frames, if that is
longer). It is tried again after `AGAIN_S`, each time twice as long, up to `AGAIN_AT_MOST_S`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

from hal.clock import Clock
from hal.errors import BusError, HalError, OutOfRange
from hal.pictures import CameraMode, CameraPhase, CameraSettings, CameraStatus, Frame, Size, Tuning
from hal.wires import Frames

log = logging.getLogger("hal.camera")

SILENT_S = 1.0
SILENT_FRAMES = 5
AGAIN_S = 0.5
AGAIN_AT_MOST_S = 5.0

SMALLEST = Size(64, 48)
SLOWEST_FPS = 1.0
EXPOSURE_US = (50, 10_000_000)
PERCENTS = (Tuning.BRIGHTNESS, Tuning.CONTRAST, Tuning.SATURATION, Tuning.SHARPNESS)


@dataclass(frozen=True, slots=True)
class _Wish:
    mode: CameraMode
    settings: CameraSettings


class VideoCamera:
    """A camera; implements Camera. `run` does the work."""

    def __init__(self, name: str, frames: Frames, clock: Clock, largest: CameraMode) -> None:
        self.name = name
        self.largest = largest
        self._frames = frames
        self._clock = clock
        self._status = CameraStatus()  # but for the counts, which every frame changes
        self._delivered = self._missed = 0
        self._wish: _Wish | None = None
        self._mode_changed = self._settings_changed = False
        self._wake = asyncio.Event()
        self._gone: BusError | None = None
        self._heard_ns = 0
        self._last_seq = 0
        self._handler: Callable[[Frame], None] | None = None
        self._status_handler: Callable[[CameraStatus], None] | None = None

    # what a service does

    @property
    def status(self) -> CameraStatus:
        """What it is doing now."""
        return replace(self._status, frames=self._delivered, missed=self._missed)

    def start(self, mode: CameraMode, settings: CameraSettings) -> None:
        """Deliver frames from now on, instead of what it did. Raises OutOfRange with value and valid range."""
        self._check_mode(mode)
        self._check_settings(settings)
        self._wish = _Wish(mode, settings)
        self._mode_changed = True
        self._wake.set()

    def tune(self, settings: CameraSettings) -> None:
        """Change the settings without a break. Raises OutOfRange, also for a setting the running camera lacks."""
        if self._wish is None:
            raise OutOfRange(self.name, "is off; start it first")
        self._check_settings(settings)
        lacking = settings.changed() - self._status.tunings
        if self._status.phase is CameraPhase.RUNNING and lacking:
            has = ", ".join(sorted(self._status.tunings)) or "none"
            raise OutOfRange(self.name, f"cannot set {', '.join(sorted(lacking))}; can set: {has}")
        self._wish = replace(self._wish, settings=settings)
        self._settings_changed = True
        self._wake.set()

    def stop(self) -> None:
        """Close the camera."""
        self._wish = None
        self._mode_changed = True
        self._wake.set()

    def watch(self, handler: Callable[[Frame], None] | None) -> None:
        """Report every frame."""
        self._handler = handler

    def on_status(self, handler: Callable[[CameraStatus], None] | None) -> None:
        """Report every change of phase or reason."""
        self._status_handler = handler

    def close(self) -> None:
        """Forget whoever listens; the camera itself is closed when `run` ends."""
        self.stop()
        self._handler = self._status_handler = None

    # checks

    def _check_mode(self, mode: CameraMode) -> None:
        self._check_size("size", mode.size, self.largest.size)
        if mode.lores is not None:
            self._check_size("small stream", mode.lores, mode.size)
        if not SLOWEST_FPS <= mode.fps <= self.largest.fps:
            raise OutOfRange(self.name, f"fps is {SLOWEST_FPS:g} to {self.largest.fps:g} (got {mode.fps:g})")

    def _check_size(self, what: str, size: Size, most: Size) -> None:
        fits = SMALLEST.width <= size.width <= most.width and SMALLEST.height <= size.height <= most.height
        if not fits or size.width % 2 or size.height % 2:
            raise OutOfRange(self.name, f"{what} is even and {SMALLEST} to {most} (got {size})")

    def _check_settings(self, settings: CameraSettings) -> None:
        for tuning in PERCENTS:
            value = getattr(settings, tuning)
            if not 0 <= value <= 100:
                raise OutOfRange(self.name, f"{tuning} is 0 to 100 (got {value})")
        low, high = EXPOSURE_US
        for tuning in (Tuning.EXPOSURE, Tuning.LONGEST_EXPOSURE):
            value = getattr(settings, tuning)
            if value is not None and not low <= value <= high:
                raise OutOfRange(self.name, f"{tuning} is {low} to {high} (got {value})")

    # the work

    async def run(self) -> None:
        """Keep the camera as it is wished; ends only by cancellation, with the camera closed."""
        again_s = AGAIN_S
        try:
            while True:
                self._mode_changed = self._settings_changed = False
                self._wake.clear()
                wish = self._wish
                if wish is None:
                    self._turn_off()
                    await self._wake.wait()
                    continue
                before = self._delivered
                reason = await self._session(wish)
                await self._close_wire()
                if reason is None:
                    again_s = AGAIN_S
                    continue
                again_s = AGAIN_S if self._delivered > before else min(2 * again_s, AGAIN_AT_MOST_S)
                await self._rest(again_s)
        finally:
            await self._close_wire()
            self._turn_off()

    def _turn_off(self) -> None:
        self._delivered = self._missed = 0
        self._tell(CameraStatus())

    async def _close_wire(self) -> None:
        try:
            await self._frames.stop()
        except HalError as error:
            log.error("%s: could not be closed: %s", self.name, error)

    async def _session(self, wish: _Wish) -> str | None:
        """From one start to the loss of the camera (answers why), or until another mode is wished (answers None)."""
        if self._status.phase in (CameraPhase.OFF, CameraPhase.RUNNING):
            counts = replace(self._status, phase=CameraPhase.STARTING, reason="", mode=None, tunings=frozenset())
            self._tell(counts)
        self._gone = None
        self._last_seq = 0
        try:
            mode = await self._frames.start(wish.mode, wish.settings, self._frame, self._lost)
            self._heard_ns = self._clock.now_ns()
            self._status = replace(self._status, mode=mode, tunings=self._frames.tunings)
            reason = await self._until_silent(max(SILENT_S, SILENT_FRAMES / mode.fps))
        except HalError as error:
            reason = error.message
        if reason is not None:
            losses = self._status.losses + (self._status.phase is not CameraPhase.LOST)
            self._tell(replace(self._status, phase=CameraPhase.LOST, reason=reason, mode=None, losses=losses))
        return reason

    async def _until_silent(self, silent_s: float) -> str | None:
        silent_ns = round(silent_s * 1e9)
        while True:
            if self._mode_changed:
                return None
            if self._gone is not None:
                return self._gone.message
            if self._clock.now_ns() - self._heard_ns >= silent_ns:
                why = f"no picture for {silent_s:g} s"
                if refused := self._frames.refused:
                    why = f"no whole picture for {silent_s:g} s: {refused}"
                return why
            if self._settings_changed and self._wish is not None:
                self._settings_changed = False
                await self._frames.tune(self._wish.settings)
                continue
            self._wake.clear()
            timer = self._clock.call_at(self._heard_ns + silent_ns, self._wake.set)
            try:
                await self._wake.wait()
            finally:
                timer.cancel()

    async def _rest(self, s: float) -> None:
        """Wait before the next try, or until something else is wished."""
        if self._mode_changed:
            return
        self._wake.clear()
        timer = self._clock.call_later(s, self._wake.set)
        try:
            await self._wake.wait()
        finally:
            timer.cancel()

    def _frame(self, frame: Frame) -> None:
        self._heard_ns = self._clock.now_ns()
        self._delivered += 1
        if frame.seq > self._last_seq + 1:
            self._missed += frame.seq - self._last_seq - 1
        self._last_seq = frame.seq
        if self._status.phase is not CameraPhase.RUNNING:
            self._tell(replace(self._status, phase=CameraPhase.RUNNING, reason=""))
        if self._handler is not None:
            self._handler(frame)

    def _lost(self, error: BusError) -> None:
        self._gone = error
        self._wake.set()

    def _tell(self, status: CameraStatus) -> None:
        before, self._status = self._status, status
        if (before.phase, before.reason) == (status.phase, status.reason):
            return
        if status.phase is CameraPhase.LOST:
            log.warning("%s: lost: %s", self.name, status.reason)
        if self._status_handler is not None:
            self._status_handler(self.status)
