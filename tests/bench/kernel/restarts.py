"""Restarts of control by the dozen, in order and by kill -9, and what its relays did, by the kernel's records."""

from __future__ import annotations

from dataclasses import dataclass

from tests.bench.kernel.bench import KernelBench

RELAYS = ("door", "aux")
# boards/door_station.toml: the line of the strike's relay.
STRIKE_LINE = 16


@dataclass(frozen=True, slots=True)
class Restarts:
    """What became of relays: `edges` of their contacts, and the levels to which the strike's line was driven."""

    count: int
    edges: int
    driven: tuple[bool | None, ...]


async def restart_control(bench: KernelBench, count: int) -> Restarts:
    """Stop control in order, then kill it, in turn, and start it again each time."""
    for number in range(count):
        await (bench.roles.kill if number % 2 else bench.roles.stop)("control")
        await bench.roles.start("control")
    await bench.settle()
    return Restarts(
        count=count,
        edges=sum(bench.relay(name).edges() for name in RELAYS),
        driven=tuple(move.level for move in bench.lines.moves if move.line == STRIKE_LINE),
    )
