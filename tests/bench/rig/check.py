"""Broken-rig detection: every probe line is driven, every other end is read, and what does not fit is said in one line.

One probe line after the other goes high while all others are low, once with the board's ends pulled down and once
pulled up. What follows only its own pull has no contact; what follows nothing is stuck; what follows another probe line
is swapped. The firmware must not run meanwhile, and what hangs on the lines moves once: relays click.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hal.board import GpioBus
from hal.buses.gpiod_lines import GpiodLines, open_chip
from hal.buses.pins import InputWish
from hal.buses.readiness import Readiness
from hal.clock import Clock
from hal.errors import BusError, LineInUse
from hal.types import LineRef, Pull
from tests.bench.rig.probes import Probe
from tests.bench.rig.wiring import Wire, Wiring

# Longer than any wire needs; shorter than a relay on the line takes to move twice.
SETTLE_S = 0.005
# The longest time a relay may take to move.
RELAY_S = 0.05

Levels = tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Walk:
    """The levels at all ends: with no probe line high, then with each one high in turn."""

    rest: Levels
    each: tuple[Levels, ...]

    def of(self, end: int) -> tuple[Levels, frozenset[int]]:
        """What one end showed, all in order; and the probe lines with which it was high."""
        shown = (self.rest[end], *(levels[end] for levels in self.each))
        return shown, frozenset(at for at, levels in enumerate(self.each) if levels[end])


def diagnose(wires: Sequence[Wire], down: Walk, up: Walk, pushes: Sequence[bool]) -> list[str]:
    """One line for each wire that is not as it should be. `pushes`: whether its probe can drive a line high."""
    found = []
    for end, wire in enumerate(wires):
        trouble = _trouble(end, wires, down, up, pushes[end])
        if trouble:
            found.append(f"{wire.title}: {trouble}")
    return found


def _trouble(end: int, wires: Sequence[Wire], down: Walk, up: Walk, pushes: bool) -> str:
    """What is wrong with the wire of an end, or empty."""
    low, high = down.of(end), up.of(end)
    if all(low[0]) and all(high[0]):
        return "stuck high"
    if not any(low[0]) and not any(high[0]):
        return "stuck low"
    if not any(low[0]) and all(high[0]):
        return "no contact"
    followed = high[1] if not pushes else low[1] & high[1]
    clean = not high[0][0] and (high[1] == low[1] if pushes else not any(low[0]))
    if clean and followed == {end}:
        return ""
    if clean and len(followed) == 1:
        return f"swapped: it follows the probe line of {wires[next(iter(followed))].end}"
    others = [wires[at].end for at in sorted(low[1] | high[1]) if at != end]
    return f"joined to {', '.join(others)}" if others else "unsteady contact"


async def check_rig(wiring: Wiring, probes: Mapping[str, Probe], clock: Clock, reads: Readiness) -> list[str]:
    """Everything that is wrong with a rig, one line each; all lines are let go in the end. Raises BusError."""
    wires = wiring.wires
    ends = _Ends(wiring, reads)
    try:
        walks = {}
        for pull in (Pull.DOWN, Pull.UP):
            ends.pull(pull)
            walks[pull] = await _walk(wires, probes, ends, clock)
        pushes = [probes[wire.probe.bus].pushes for wire in wires]
        found = diagnose(wires, walks[Pull.DOWN], walks[Pull.UP], pushes)
        return found or await _relays(wiring, probes, clock)
    finally:
        for wire in wires:
            probes[wire.probe.bus].release(wire.probe.offset)
        ends.close()


async def _walk(wires: Sequence[Wire], probes: Mapping[str, Probe], ends: _Ends, clock: Clock) -> Walk:
    async def with_high(which: int | None) -> Levels:
        for at, wire in enumerate(wires):
            probes[wire.probe.bus].hold(wire.probe.offset, at == which)
        for name, probe in probes.items():
            await probe.levels([wire.probe.offset for wire in wires if wire.probe.bus == name])
        await clock.sleep(SETTLE_S)
        return ends.levels(wires)

    rest = await with_high(None)
    return Walk(rest, tuple([await with_high(at) for at in range(len(wires))]))


async def _relays(wiring: Wiring, probes: Mapping[str, Probe], clock: Clock) -> list[str]:
    """Whether every contact follows its relay, whose coil is switched through the wire of its line."""
    found = []
    for contact in wiring.contacts:
        node = wiring.board.nodes[contact.relay]
        line: LineRef = getattr(node, "line")  # noqa: B009 # only relays are allowed here
        coil = next((wire for wire in wiring.wires if wire.line == line), None)
        if coil is None:
            continue
        probe, active = probes[contact.probe.bus], getattr(node, "active") == "high"  # noqa: B009
        probe.release(contact.probe.offset, Pull.DOWN if contact.closed else Pull.UP)
        seen = []
        for on in (False, True, False):
            probes[coil.probe.bus].hold(coil.probe.offset, on == active)
            await clock.sleep(RELAY_S)
            seen.append((await probe.levels([contact.probe.offset]))[0] == contact.closed)
        if seen != [False, True, False]:
            stays = "closed" if seen[0] else "open"
            trouble = f"stays {stays}" if len(set(seen)) == 1 else "follows the wrong way round"
            found.append(f"{contact.title}: {trouble} when the relay moves")
    return found


class _Ends:
    """The board's ends of all wires, as inputs. Raises LineInUse where the firmware still has one."""

    def __init__(self, wiring: Wiring, reads: Readiness) -> None:
        self._lines: dict[LineRef, GpiodLines] = {}
        self._chips = []
        try:
            for name, bus in wiring.board.buses.items():
                if not isinstance(bus, GpioBus):
                    continue
                chip = open_chip(bus.chip, name)
                self._chips.append(chip)
                for wire in wiring.wires:
                    if wire.line.bus == name:
                        self._lines[wire.line] = GpiodLines(
                            chip, name, [wire.line.offset], InputWish(edges=None), owner="rig check", reads=reads
                        )
        except LineInUse as error:
            self.close()
            raise BusError(str(error), "stop the firmware first: systemctl stop lintel-control") from error
        except BaseException:
            self.close()
            raise

    def pull(self, pull: Pull) -> None:
        for lines in self._lines.values():
            lines.reconfigure(InputWish(pull=pull, edges=None))

    def levels(self, wires: Sequence[Wire]) -> Levels:
        return tuple(self._lines[wire.line].sense()[0] for wire in wires)

    def close(self) -> None:
        for lines in self._lines.values():
            lines.close()
        for chip in self._chips:
            chip.close()
