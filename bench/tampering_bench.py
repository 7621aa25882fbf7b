"""What a look at the scene costs, and how soon tampering is reported; the small stream of 320 x 180, in memory.

The peer is one JPEG of the same picture, which every snapshot costs too. Reaction is in the camera's time. A process
that sleeps between pictures, as the one that has the camera does, finds nothing of the look in the processor's caches:
that is measured with a sleep before each, in processor time of the thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from bench.table import Row, percentile, show
from firmware.video.scene_features import features_of
from firmware.video.scene_model import SceneModel
from firmware.video.snapshot import jpeg_of
from firmware.video.tamper_rules import CALM_LOOKS_HZ, LOOKS_HZ, TamperWatch
from hal.pictures import CameraSettings, Picture, Size
from hal.planes import scaled
from hal.sim.scene.paint import ScenePainter, View, seen

LOOKS, COLD_LOOKS = 200, 60
# A picture apart at 30 a second.
SLEEP_S = 0.033
AIM_S = 10.0
MAIN, SMALL = Size(1280, 720), Size(320, 180)


def milliseconds(act: Callable[[], object]) -> float:
    """The median of many calls, in processor time: others may be busy."""
    return percentile([once_ms(act) for _ in range(LOOKS)], 0.5)


def cold_ms(*acts: Callable[[], object]) -> list[float]:
    """The same of each, by turns, with a sleep before every call."""
    taken: list[list[float]] = [[] for _ in acts]
    for _ in range(COLD_LOOKS):
        for act, times in zip(acts, taken, strict=True):
            time.sleep(SLEEP_S)
            times.append(once_ms(act))
    return [percentile(times, 0.5) for times in taken]


def once_ms(act: Callable[[], object]) -> float:
    """One call, in processor time of this thread."""
    began_ns = time.thread_time_ns()
    act()
    return (time.thread_time_ns() - began_ns) / 1e6


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
        t_ns = round(t_s * 1e9)
        if not watch.is_due(t_ns):
            continue
        if watch.feed(t_ns, features_of(picture(painter, t_s, *faults).y)).detected is not None:
            return t_s - 15
    return float("inf")


def main() -> None:
    """Print the table."""
    painter = ScenePainter(MAIN)
    small = picture(painter, 3.0)
    features = features_of(small.y)
    model = SceneModel(features)

    def look() -> None:
        features_of(small.y)
        model.look(features)
        model.teach(features, 0.001)

    def jpeg() -> None:
        jpeg_of(small)

    look_ms, jpeg_ms = milliseconds(look), milliseconds(jpeg)
    cold_look_ms, cold_jpeg_ms = cold_ms(look, jpeg)
    rows = [
        Row("a look at the scene, processor time, p50", look_ms, "ms", jpeg_ms, "a JPEG of the same picture"),
        Row("the same between sleeps", cold_look_ms, "ms", cold_jpeg_ms, "a JPEG of the same picture"),
        Row("processor for one camera, all well", cold_look_ms * CALM_LOOKS_HZ / 10, "%", 1.0, "the aim"),
        Row("processor for one camera, tampered", cold_look_ms * LOOKS_HZ / 10, "%", 1.0, "the aim"),
        *(
            Row(f"{how} is reported after", reaction_s(painter, how), "s", AIM_S, "the aim (hardening row 51)")
            for how in ("covered", "sprayed", "blurred", "turned")
        ),
    ]
    show("tampering", rows)


if __name__ == "__main__":
    main()
