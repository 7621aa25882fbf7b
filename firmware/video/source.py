"""A picture source: a camera as the video room has it, with its wishes, its frame tap and its state on the bus."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

from firmware.core.bus import Bus
from firmware.core.vocabulary.video import Signal, VideoSource
from firmware.video.frames import FrameTap
from firmware.video.settings import ImageSettings, VideoSettings, default_video, mode_of
from firmware.video.sizes import offered, small, text_of, turned
from hal.errors import OutOfRange
from hal.pictures import CameraMode, CameraPhase, CameraSettings, CameraStatus
from hal.ports import Camera

log = logging.getLogger("lintel.video")


class Source:
    """One camera. `tap` has its frames; `expose` is for whoever looks after night and day."""

    def __init__(self, name: str, alias: str, camera: Camera, bus: Bus) -> None:
        self.name = name
        self.alias = alias
        self.tap = FrameTap()
        self.image = ImageSettings()
        self.video = default_video(camera.largest)
        self._camera = camera
        self.mode = _mode(self.video, camera.largest)
        """What is asked of the camera now, with its small stream."""
        self._bus = bus
        self._on = False
        self._colour = True
        self._exposure_us: int | None = None
        self._longest_us: int | None = None
        self._watchers: list[Callable[[], None]] = []
        self.phase = Signal.NO_SIGNAL
        self.reason = "the camera is off"

    def watch(self, watcher: Callable[[], None]) -> None:
        """Call `watcher` whenever `phase` or `reason` may have changed; it may neither wait nor raise."""
        self._watchers.append(watcher)

    @property
    def largest(self) -> CameraMode:
        """The most this camera delivers."""
        return self._camera.largest

    def start(self) -> None:
        """Deliver pictures from now on."""
        self._on = True
        self._camera.watch(self.tap.put)
        self._camera.on_status(self._changed)
        self._camera.start(self.mode, self._settings())
        self._changed(self._camera.status)

    def stop(self) -> None:
        """Close the camera."""
        self._on = False
        self._camera.stop()
        self._camera.watch(None)
        self._camera.on_status(None)
        self.tap.lose()

    def change(self, image: ImageSettings, video: VideoSettings) -> None:
        """Follow changed parameters; only another size or rate interrupts the pictures."""
        before = self.mode
        self.image, self.video = image, video
        self.mode = _mode(video, self.largest)
        if not self._on:
            return
        if self.mode != before:
            self.tap.lose()
            self._camera.start(self.mode, self._settings())
        else:
            self._tune()
        self._changed(self._camera.status)

    def expose(self, *, exposure_us: int | None = None, longest_exposure_us: int | None = None) -> None:
        """Fix the exposure time, or bound the automatic one (None: neither). Raises OutOfRange with the valid range."""
        wished = replace(self._settings(), exposure_us=exposure_us, longest_exposure_us=longest_exposure_us)
        if self._on:
            self._camera.tune(wished)
        self._exposure_us, self._longest_us = exposure_us, longest_exposure_us

    def show_colour(self, colour: bool) -> None:
        """Show colour, or black and white: what a sensor gives that sees infrared."""
        if colour is not self._colour:
            self._colour = colour
            if self._on:
                self._tune()

    def _settings(self) -> CameraSettings:
        image = self.image
        return CameraSettings(
            brightness=image.brightness,
            contrast=image.contrast,
            saturation=image.saturation if self._colour else 0,
            sharpness=image.sharpness,
            exposure_us=self._exposure_us,
            longest_exposure_us=self._longest_us,
        )

    def _tune(self) -> None:
        """Apply the settings to the running camera, as far as it has them."""
        wished, status = self._settings(), self._camera.status
        if status.phase is CameraPhase.RUNNING and (lacking := wished.changed() - status.tunings):
            log.warning("%s cannot set %s; the rest is set", self.name, ", ".join(sorted(lacking)))
            own = CameraSettings()
            wished = replace(wished, **{tuning.value: getattr(own, tuning.value) for tuning in lacking})
        try:
            self._camera.tune(wished)
        except OutOfRange as error:
            log.error("%s: %s", self.name, error.message)

    def _changed(self, status: CameraStatus) -> None:
        running = status.phase is CameraPhase.RUNNING
        if not running:
            self.tap.lose()
        self.phase = Signal.RUNNING if running else Signal.NO_SIGNAL
        self.reason = "" if running else status.reason or "the camera is starting"
        mode = (status.mode if running else None) or self.mode
        size = turned(mode.size, self.image.rotate)
        self._bus.publish(
            VideoSource(
                source=self.name,
                alias=self.alias,
                phase=self.phase,
                reason=self.reason,
                width=size.width,
                height=size.height,
                fps=mode.fps,
                sizes=tuple(text_of(turned(each, self.image.rotate)) for each in offered(mode.size)),
            )
        )
        for watcher in self._watchers:
            watcher()


def _mode(video: VideoSettings, largest: CameraMode) -> CameraMode:
    mode = mode_of(video, largest)
    return replace(mode, lores=small(mode.size))
