"""The bus face of a simulated camera: frames of the scene, at the rate that was asked for, until it is unplugged."""

from __future__ import annotations

from hal.clock import Clock, Timer
from hal.errors import Absent, BusError, HalError
from hal.pictures import CameraMode, CameraSettings, Frame, Picture, Tuning
from hal.planes import scaled
from hal.sim.scene.eye import Eye
from hal.sim.scene.film import Film
from hal.sim.scene.paint import ScenePainter, View, seen, small
from hal.wires import FrameHandler, LostHandler

# A scene has no lens: sharpness is the one thing that cannot be tuned.
TUNINGS = frozenset(Tuning) - {Tuning.SHARPNESS}


class SceneFrames:
    """A simulated camera; implements Frames."""

    def __init__(self, eye: Eye, clock: Clock) -> None:
        self._eye = eye
        self._clock = clock
        self._timer: Timer | None = None
        self._film: Film | None = None
        self._running: _Running | None = None

    @property
    def tunings(self) -> frozenset[Tuning]:
        """All but sharpness, while it runs."""
        return TUNINGS if self._running else frozenset()

    @property
    def refused(self) -> str:
        """Nothing: what is painted is whole."""
        return ""

    async def start(
        self, mode: CameraMode, settings: CameraSettings, handler: FrameHandler, lost: LostHandler
    ) -> CameraMode:
        """Begin to look. Raises Absent while the camera is unplugged, DeviceError for a film that cannot be shown."""
        if self._running is not None:
            raise BusError(self._eye.bus, "is in use")
        if not self._eye.scene().present:
            raise Absent(self._eye.bus, "no camera is there")
        self._running = _Running(mode, settings, handler, lost, self._clock.now_ns())
        self._eye.looking(True)
        self._next()
        return mode

    async def tune(self, settings: CameraSettings) -> None:
        """Look with other settings from the next frame on. Raises BusError when it is off."""
        if self._running is None:
            raise BusError(self._eye.bus, "is off")
        self._running.settings = settings

    async def stop(self) -> None:
        """Look away."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._running is not None:
            self._eye.looking(False)
        self._running = None

    def _next(self) -> None:
        running = self._running
        assert running is not None
        running.seq += 1
        due_ns = running.from_ns + round(running.seq * 1e9 / running.mode.fps)
        self._timer = self._clock.call_at(due_ns, self._tick)

    def _tick(self) -> None:
        running = self._running
        if running is None:
            return
        if not self._eye.scene().present:
            self._eye.looking(False)
            running.lost(BusError(self._eye.bus, "the camera was unplugged"))
            return
        t_ns = self._clock.now_ns()
        if "hung" not in self._eye.scene().faults:
            try:
                main = self._look(running, t_ns)
            except HalError as error:
                running.lost(BusError(self._eye.bus, str(error)))
                return
            running.handler(Frame(t_ns, running.seq, main, small(main, running.mode.lores)))
        # a late loop loses frames, as a camera does that nobody empties
        behind = int((t_ns - running.from_ns) * running.mode.fps / 1e9)
        running.seq = max(running.seq, behind)
        if self._running is running:
            self._next()

    def _look(self, running: _Running, t_ns: int) -> Picture:
        scene = self._eye.scene()
        t_s = (t_ns - scene.origin_ns) / 1e9
        if scene.film is None:
            picture = running.painter.picture(t_s, scene.plate)
        else:
            if self._film is None or self._film.path != scene.film:
                self._film = Film(scene.film)
            picture = scaled(self._film.picture(t_s), running.mode.size)
        view = View(
            settings=running.settings,
            fps=running.mode.fps,
            t_s=t_s,
            faults=scene.faults,
            lux=scene.lux,
            lit=scene.lit,
            cut=scene.cut,
        )
        return seen(picture, view, running.seq)


class _Running:
    """One session, from start to stop."""

    def __init__(
        self, mode: CameraMode, settings: CameraSettings, handler: FrameHandler, lost: LostHandler, from_ns: int
    ) -> None:
        self.mode = mode
        self.settings = settings
        self.handler = handler
        self.lost = lost
        self.from_ns = from_ns
        self.seq = 0
        self.painter = ScenePainter(mode.size)
