"""What users do with the device of the checker, from the states it gets into without any loss of power."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from firmware.upgrade.record import Mode, ResetKind
from tests.unit.upgrade.model.checker import Checker
from tests.unit.upgrade.model.medium import Frozen
from tests.unit.upgrade.model.world import Quality, Scenario, install, new_device, reset, roll_back

MODES = (Mode.STANDARD, Mode.FACTORY, Mode.AUTOROLLBACK)
Case = tuple[Frozen, Scenario]


def upgrade(
    mode: Mode,
    quality: Quality = Quality.GOOD,
    *,
    attempts: int = 1,
    version: str = "2.0.0",
    id: str = "u1",
    confirms: bool = True,
    rots: bool = False,
    button: ResetKind | None = None,
) -> Scenario:
    """An upload of a bundle."""
    extra = "" if confirms else ", not confirmed"
    extra += ", boot sector lost" if rots else ""
    extra += f", {button.value} reset by the button" if button else ""
    return Scenario(
        name=f"{mode.value} to {version}, {quality.value}{extra}, {attempts} attempts",
        act=install(version, quality, mode, counter=3),
        id=id,
        mode=mode,
        confirms=confirms,
        attempts=attempts,
        committed_version=version,
        counter=3,
        rots=rots,
        button=button,
    )


@cache
def after(begin: Frozen, scenario: Scenario) -> Frozen:
    """Where a scenario leads when nothing goes wrong."""
    checker = Checker(begin, scenario)
    checker.check(0)
    return checker.final


def back(attempts: int, *, rots: bool = False) -> Scenario:
    """A rollback by hand."""
    return Scenario(
        name=f"rollback{', boot sector lost' if rots else ''}, {attempts} attempts",
        act=roll_back,
        id="u50",
        mode=Mode.ROLLBACK,
        attempts=attempts,
        committed_version="1.0.0",
        rots=rots,
    )


def without_raising(mode: Mode, attempts: int) -> Scenario:
    """An upgrade after which the floor still lets the former firmware in."""
    return Scenario(
        name=f"{mode.value} with the same counter",
        act=install("2.0.0", Quality.GOOD, mode),
        id="u1",
        mode=mode,
        attempts=attempts,
        committed_version="2.0.0",
    )


def cases(attempts: int) -> Iterator[Case]:
    """Every scenario from every state it may begin in."""
    fresh = new_device(attempts)
    for mode in MODES:
        for quality in Quality:
            yield fresh, upgrade(mode, quality, attempts=attempts)
    yield fresh, upgrade(Mode.AUTOROLLBACK, confirms=False, attempts=attempts)
    upgraded = after(fresh, without_raising(Mode.STANDARD, attempts))
    confirmed = after(fresh, without_raising(Mode.AUTOROLLBACK, attempts))
    for begin in (upgraded, confirmed):
        yield begin, back(attempts)
    for mode in MODES:  # over the firmware that could be rolled back to
        yield upgraded, upgrade(mode, attempts=attempts, version="3.0.0", id="u20")
    yield upgraded, upgrade(Mode.STANDARD, Quality.SICK, attempts=attempts, version="3.0.0", id="u20")
    yield after(upgraded, back(attempts)), upgrade(Mode.STANDARD, attempts=attempts, version="3.0.0", id="u70")
    yield (
        after(fresh, upgrade(Mode.STANDARD, Quality.DEAD, attempts=attempts)),
        upgrade(Mode.STANDARD, attempts=attempts, version="3.0.0", id="u20"),
    )
    for begin in (fresh, upgraded):
        for kind in ResetKind:
            yield begin, Scenario(name=f"{kind.value} reset", act=reset(kind), id="u30", reset=kind, attempts=attempts)
    for mode in (Mode.STANDARD, Mode.FACTORY):
        if attempts == 1:
            yield fresh, upgrade(mode, attempts=attempts, button=ResetKind.HARD)
    for mode in MODES:
        yield upgraded, upgrade(mode, attempts=attempts, version="3.0.0", id="u20", rots=True)
    yield upgraded, back(attempts, rots=True)
