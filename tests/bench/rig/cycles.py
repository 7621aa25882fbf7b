"""What a relay's contact did in one cycle of on and off, from the edges seen at it; and what many cycles say of it.

Times in seconds. A contact that moves late is one whose last edge comes after the settle time of the firmware's own
readback (hal/drivers/readback.py, SETTLE_S): the firmware would report it as stuck.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from hal.drivers.readback import SETTLE_S

Edges = Sequence[tuple[int, bool]]  # (kernel time in ns, whether the contact is closed from then on)


@dataclass(frozen=True, slots=True)
class Cycle:
    """One cycle. Figures are None where the contact did not move; `partings` counts how often it opened again.

    `pull_in_s`: command to first touch. `bounce_s`: first touch to the last edge of closing. `drop_out_s`: command to
    first parting. `release_bounce_s`: first parting to the last edge of opening. `width_s`: closed for good to first
    parting, what a strike gets.
    """

    number: int
    pull_in_s: float | None
    bounce_s: float | None
    partings: int
    width_s: float | None
    drop_out_s: float | None
    release_bounce_s: float | None
    trouble: str = ""


def measure(number: int, on_ns: int, off_ns: int, edges: Edges, *, stuck: bool = False) -> Cycle:
    """What the edges of one cycle say; `stuck` is whether our own readback reported trouble meanwhile."""
    closing = [edge for edge in edges if on_ns <= edge[0] < off_ns]
    opening = [edge for edge in edges if edge[0] >= off_ns]
    touch_ns = next((t_ns for t_ns, closed in closing if closed), None)
    part_ns = next((t_ns for t_ns, closed in opening if not closed), None)
    stays = bool(closing) and closing[-1][1]
    ended = bool(opening) and not opening[-1][1]
    trouble = _trouble(on_ns, off_ns, closing, opening)
    if stuck and not trouble:
        trouble = "the firmware's readback reported it"
    return Cycle(
        number,
        None if touch_ns is None else _s(touch_ns - on_ns),
        None if touch_ns is None or not stays else _s(closing[-1][0] - touch_ns),
        sum(not closed for _, closed in closing),
        _s(part_ns - closing[-1][0]) if stays and part_ns is not None else None,
        None if part_ns is None else _s(part_ns - off_ns),
        None if part_ns is None or not ended else _s(opening[-1][0] - part_ns),
        trouble,
    )


def _trouble(on_ns: int, off_ns: int, closing: Edges, opening: Edges) -> str:
    if not any(closed for _, closed in closing):
        return "did not close"
    if not closing[-1][1]:
        return "did not stay closed"
    if not opening or opening[-1][1]:
        return "did not open"
    for began_ns, edges, what in ((on_ns, closing, "closed"), (off_ns, opening, "opened")):
        late_s = _s(edges[-1][0] - began_ns)
        if late_s > SETTLE_S:
            return f"{what} late, after {late_s * 1000:.1f} ms"
    return ""


def _s(t_ns: int) -> float:
    return t_ns / 1e9


FIGURES = ("pull_in_s", "bounce_s", "width_s", "drop_out_s", "release_bounce_s")


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure over all cycles that have it. `early` and `late` are the medians of the first and last tenth."""

    name: str
    count: int
    least: float
    median: float
    p99: float
    most: float
    early: float
    late: float


def figures(cycles: Sequence[Cycle]) -> tuple[Figure, ...]:
    """The figures of a run; one that no cycle has is left out."""
    found = []
    for name in FIGURES:
        values = [value for cycle in cycles if (value := getattr(cycle, name)) is not None]
        if values:
            tenth = max(1, len(values) // 10)
            middle = [_share(part, 0.5) for part in (values, values[:tenth], values[-tenth:])]
            found.append(
                Figure(name, len(values), min(values), middle[0], _share(values, 0.99), max(values), *middle[1:])
            )
    return tuple(found)


def _share(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def troubles(cycles: Sequence[Cycle]) -> tuple[str, ...]:
    """Runs of cycles with the same trouble, one line each: `cycles 7 to 9: did not close`."""
    found = []
    for trouble, group in itertools.groupby(cycles, lambda cycle: cycle.trouble):
        numbers = [cycle.number for cycle in group]
        if trouble:
            which = f"cycle {numbers[0]}" if len(numbers) == 1 else f"cycles {numbers[0]} to {numbers[-1]}"
            found.append(f"{which}: {trouble}")
    return tuple(found)
