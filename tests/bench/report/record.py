"""What a session on a bench saw: each test with its outcome, its figures, and the traces of its world."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hal.sim.traces import Trace
from tests.bench.base import BenchBase, Measurement
from tests.bench.report.timing import Line


@dataclass(frozen=True, slots=True)
class Case:
    """One test. `took_s` is real time, `ends_s` the bench's own; `why` the reason of a skip or the end of a failure."""

    name: str
    place: str
    outcome: str
    took_s: float
    why: str = ""
    measurements: tuple[Measurement, ...] = ()
    lines: tuple[Line, ...] = ()
    ends_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Session:
    """All tests of a session. `began` is its wall-clock time, in ISO 8601."""

    bench: str
    began: str
    cases: tuple[Case, ...]

    def count(self, outcome: str) -> int:
        """How many tests ended so."""
        return sum(case.outcome == outcome for case in self.cases)


def lines_of(bench: BenchBase[Any]) -> Iterator[Line]:
    """Every trace that moved since the test began, in the order of the board; those of real contacts last."""
    for name, trace in traces_of(bench):
        if trace.points[-1][0] > bench.began_s:
            yield Line(name, tuple((t_s - bench.began_s, value) for t_s, value in trace.points))


def traces_of(bench: BenchBase[Any]) -> Iterator[tuple[str, Trace[bool] | Trace[str]]]:
    """All traces of a bench by name."""
    for peer in bench.world.peers.values():
        for part, owner in (("", peer), *peer.parts.items()):
            for tail, trace in owner.traces.items():
                yield ".".join(word for word in (peer.title, part, tail) if word), trace
    wires = getattr(bench, "wires", None) if "wires" in vars(bench) else None
    for relay, contact in wires.contacts.items() if wires is not None else ():
        yield f"{relay}: contact seen", contact
