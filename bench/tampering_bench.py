"""What a look at the scene costs, and how soon tampering is reported; the small stream of 320 x 180, in memory.

The peer is one JPEG of the same picture, which every snapshot costs too. Reaction is in the camera's time.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from bench.table import Row, percentile, show
from firmware.video.scene_model import SceneModel, features_of
from firmware.video.snapshot import jpeg_of
from firmware.video.tamper_rules import TamperWatch
from hal.pictures import CameraSettings, Picture, Size
from hal.planes import scaled
from hal.sim.scene.paint import ScenePainter, View, seen

LOOKS = 200
LOOKS_HZ = 4
AIM_S = 10.0
MAIN, SMALL = Size(1280, 720), Size(320, 180)


def milliseconds(act: Callable[[], object]) -> float:
    """The median of many calls, in processor time: others may be busy."""
    taken = []
    for _ in range(LOOKS):
        began_ns = time.process_time_ns()
        act()
        taken.append((time.process_time_ns() - began_ns) / 1e6)
    return percentile(taken, 0.5)


def picture(painter: ScenePainter, t_s: float, *faults: str) -> Picture:
    """The small picture at a time."""
    view = View(settings=CameraSettings(), fps=30, t_s=t_s, faults=frozenset(faults))
    return scaled(seen(painter.picture(t_s, "LINTEL 7"), view, round(t_s * 100)), SMALL)


def reaction_s(painter: ScenePainter, how: str) -> float:
    """From the first wrong picture to the report."""
    watch, t_s = TamperWatch(), 0.0
    while t_s < 60:
        t_s += 1 / LOOKS_HZ
        faults = (how,) if t_s > 15 else ()
        if watch.feed(round(t_s * 1e9), features_of(picture(painter, t_s, *faults).y)).detected is not None:
            return t_s - 15
    return float("inf")


def main() -> None:
    """Print the table."""
    painter = ScenePainter(MAIN)
    small = picture(painter, 3.0)
    features = features_of(small.y)
    model = SceneModel(features)
    jpeg_ms = milliseconds(lambda: jpeg_of(small))
    look_ms = milliseconds(lambda: (features_of(small.y), model.look(features), model.teach(features, 0.001)))
    rows = [
        Row("a look at the scene, processor time, p50", look_ms, "ms", jpeg_ms, "a JPEG of the same picture"),
        Row("processor for one camera", look_ms * LOOKS_HZ / 10, "%", 1.0, "the aim"),
        *(
            Row(f"{how} is reported after", reaction_s(painter, how), "s", AIM_S, "the aim (hardening row 51)")
            for how in ("covered", "sprayed", "blurred", "turned")
        ),
    ]
    show("tampering", rows)


if __name__ == "__main__":
    main()
