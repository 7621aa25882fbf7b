"""Which line of a light's table holds: pure functions of the retained states and of time."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from firmware.core.vocabulary.access import DoorState, Position
from firmware.core.vocabulary.cloud import CloudConnection, CloudPhase
from firmware.core.vocabulary.device import ButtonState, DevicePhase, IdentifyState, NetworkState, Phase
from firmware.device.config import Condition, LightLine

PHASES = {
    Phase.STARTING: Condition.STARTING,
    Phase.NORMAL: Condition.NORMAL,
    Phase.RESTORING: Condition.RESTORING,
    Phase.UPGRADING: Condition.UPGRADING,
    Phase.UPGRADE_FAILED: Condition.UPGRADE_FAILED,
}


def conditions_of(
    phase: DevicePhase | None,
    network: NetworkState | None,
    identify: IdentifyState | None,
    doors: Iterable[DoorState],
    buttons: Iterable[ButtonState] = (),
    cloud: CloudConnection | None = None,
) -> frozenset[Condition]:
    """What is so, as far as the states tell; a state that is not there makes nothing true."""
    found: set[Condition] = set()
    if phase is not None:
        found.add(PHASES[phase.phase])
    if network is not None and not network.up:
        found.add(Condition.NETWORK_DOWN)
    if identify is not None and identify.active:
        found.add(Condition.IDENTIFY)
    for door in doors:
        if door.position is Position.OPEN:
            found.add(Condition.DOOR_OPEN)
        if door.released:
            found.add(Condition.DOOR_RELEASED)
    if any(button.ripe for button in buttons):
        found.add(Condition.LET_GO)
    # One that is always wanted is nothing to tell the person at the device, who has not asked for it.
    if cloud is not None and cloud.until is not None and cloud.phase in (CloudPhase.CONNECTING, CloudPhase.FAILED):
        found.add(Condition.CLOUD_CONNECTING)
    return frozenset(found)


def lasts_ns(line: LightLine) -> int | None:
    """How long a line holds from the beginning of its condition; None is for ever."""
    return None if line.for_s is None else round(line.for_s * 1e9)


def choose(
    table: Sequence[LightLine], conditions: Collection[Condition], since: Mapping[Condition, int]
) -> LightLine | None:
    """The first line whose condition holds and whose time is not over.

    `since` says for how many nanoseconds each condition has held; one that is not named began now.
    """
    for line in table:
        if line.when in conditions:
            limit_ns = lasts_ns(line)
            if limit_ns is None or since.get(line.when, 0) < limit_ns:
                return line
    return None
