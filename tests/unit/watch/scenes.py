"""Pictures for the tampering detector, painted as the simulated camera paints them, and what is made of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from firmware.video.scene_features import Features, features_of
from firmware.video.tamper_rules import Finding, TamperRules, TamperWatch
from hal.pictures import CameraSettings, Picture, Size
from hal.planes import scaled
from hal.sim.scene.paint import ScenePainter, View, seen

SMALL = Size(320, 180)
STEP_S = 0.5


@cache
def painter(size: Size) -> ScenePainter:
    return ScenePainter(size)


def picture(
    t_s: float,
    *faults: str,
    size: Size = SMALL,
    lux: float = 500,
    infrared: bool = False,
    settings: CameraSettings | None = None,
    fps: float = 30,
) -> Picture:
    """The scene at a time; `infrared`: the filter is out of the way and the board's own light is on."""
    view = View(
        settings=settings or CameraSettings(),
        fps=fps,
        t_s=t_s,
        faults=frozenset(faults),
        lux=lux,
        lit=infrared,
        cut=not infrared,
    )
    return scaled(seen(painter(size).picture(t_s, "LINTEL 7"), view, round(t_s * 100)), SMALL)


def features(t_s: float, *faults: str, **how: object) -> Features:
    return features_of(picture(t_s, *faults, **how).y)  # type: ignore[arg-type]


KINDS = ("well", "covered", "blurred", "turned", "night")


@cache
def of_kind(kind: str) -> Features:
    """What a picture of that kind is made into."""
    if kind == "night":
        return features(100.0, lux=0.5)
    return features(100.0, *(() if kind == "well" else (kind,)))


@dataclass
class Watched:
    """A detector and the scene before it; time goes on in steps."""

    watch: TamperWatch
    t_s: float = 0.0

    def see(self, for_s: float, *faults: str, step_s: float = STEP_S, **how: object) -> list[tuple[float, Finding]]:
        """Look for so long; answers what was found and when, in seconds since this began."""
        began_s, found = self.t_s, []
        while self.t_s < began_s + for_s - 1e-9:
            self.t_s += step_s
            finding = self.watch.feed(round(self.t_s * 1e9), features(self.t_s, *faults, **how))
            if finding != Finding():
                found.append((self.t_s - began_s, finding))
        return found


def armed(rules: TamperRules | None = None, *, at_s: float = 0.0, **how: object) -> Watched:
    """A detector that has learned the scene."""
    watched = Watched(TamperWatch(rules), at_s)
    assert watched.see(11, **how) == []
    return watched
