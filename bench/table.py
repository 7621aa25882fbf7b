"""One table for all benchmarks: value, what it is held against (a floor or a peer), and the ratio."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One figure; `against` is the floor or peer in the same unit, `whose` says what that is.

    `ratio` is that of the two unless it was found in another way, such as pair by pair.
    """

    name: str
    value: float
    unit: str
    against: float | None
    whose: str
    ratio: float | None = None


def show(title: str, rows: Sequence[Row]) -> None:
    """Print figures; a ratio is value over floor or peer, unless the row brings its own."""
    print(f"\n{title}")
    print(f"  {'':<46}{'value':>10} {'unit':<5}{'against':>10}{'ratio':>8}  what it is held against")
    for row in rows:
        against = "" if row.against is None else f"{row.against:.3f}"
        ratio = "" if not row.against else f"{row.ratio or row.value / row.against:.2f}"
        print(f"  {row.name:<46}{row.value:>10.3f} {row.unit:<5}{against:>10}{ratio:>8}  {row.whose}")


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of the values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
