"""The page of an endurance run: its figures, its troubles, and the cycles worth looking at."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import TYPE_CHECKING

from tests.bench.report.page import page, table
from tests.bench.report.timing import Line, timing_diagram

if TYPE_CHECKING:
    from tests.bench.rig.endurance import Drawn, Endurance

# Around a move of the contact, in seconds: what is drawn of it larger.
BEFORE_S, AFTER_S = 0.001, 0.02


def endurance_page(run: Endurance) -> str:
    """The page of a run."""
    return page(f"Endurance of {run.relay}", _parts(run))


def _parts(run: Endurance) -> Iterator[str]:
    bad = sum(bool(cycle.trouble) for cycle in run.cycles)
    yield (
        f"<p>{len(run.cycles)} of {run.plan.cycles} cycles, {run.plan.on_s:g} s on and {run.plan.off_s:g} s off;"
        f" watched at {escape(run.contact)}. "
        f'<span class="{"bad" if bad else "good"}">{bad} with trouble.</span></p>'
    )
    heads = ("figure, in ms", "cycles", "least", "median", "p99", "most", "first tenth", "last tenth")
    rows = [
        (
            figure.name.removesuffix("_s").replace("_", " "),
            str(figure.count),
            *(
                f"{value * 1e3:.3f}"
                for value in (figure.least, figure.median, figure.p99, figure.most, figure.early, figure.late)
            ),
        )
        for figure in run.figures
    ]
    yield table(heads, rows)
    partings = [cycle.partings for cycle in run.cycles]
    if partings:
        yield f"<p>The contact parted {min(partings)} to {max(partings)} times while it closed.</p>"
    if run.troubles:
        yield "<h2>Trouble</h2><pre>" + escape("\n".join(run.troubles)) + "</pre>"
    for drawn in run.drawn:
        yield from _cycle(drawn)


def _cycle(drawn: Drawn) -> Iterator[str]:
    command = Line("command", ((float("-inf"), False), (0.0, True), (drawn.off_s, False)))
    before = not drawn.edges[0][1] if drawn.edges else False
    contact = Line("contact", ((float("-inf"), before), *drawn.edges))
    yield f"<h2>Cycle {drawn.number}</h2>"
    yield timing_diagram((command, contact), -0.02 * drawn.ends_s, drawn.ends_s, f"cycle {drawn.number}")
    if drawn.edges:
        first_s = drawn.edges[0][0]
        yield "<p>The first move:</p>" + timing_diagram(
            (contact,), first_s - BEFORE_S, first_s + AFTER_S, f"first move of cycle {drawn.number}"
        )
