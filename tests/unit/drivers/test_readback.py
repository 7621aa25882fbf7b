"""Hardening row 13: a contact that does not follow its relay is reported within 2 s, once."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from wires_in_memory import MemoryGpio, S

from hal.drivers.digital import Readback, Relay
from hal.ports import OutputTrouble
from hal.sim.time import VirtualClock, virtual_run
from hal.types import Pull

RELAY, CONTACT = 5, 6


class Contact:
    """The contact behind a relay: follows after 8 ms, welds, or stays where it is."""

    def __init__(self, gpio: MemoryGpio, *, active_high: bool = True) -> None:
        self.gpio = gpio
        self.active_high = active_high
        self.dead = False
        self.welded = False
        gpio.follow = self.coil

    def coil(self, offsets: Sequence[int], levels: Sequence[bool]) -> None:
        if offsets[0] == RELAY and not self.dead and (levels[0] or not self.welded):
            self.gpio.clock.call_later(0.008, self.move, levels[0])

    def move(self, on: bool) -> None:
        self.gpio.put(CONTACT, on == self.active_high)


class Rig:
    """A relay with its contact, and what it complained about."""

    def __init__(self, gpio: MemoryGpio, contact: Contact, relay: Relay) -> None:
        self.gpio = gpio
        self.contact = contact
        self.relay = relay
        self.troubles: list[OutputTrouble] = []
        relay.on_trouble(self.troubles.append)

    @classmethod
    async def open(cls, clock: VirtualClock, *, active_high: bool = True) -> Rig:
        gpio = MemoryGpio(clock)
        contact = Contact(gpio, active_high=active_high)
        relay = await Relay.open("relay1", gpio, RELAY, clock, readback=Readback(gpio, CONTACT, active_high))
        return cls(gpio, contact, relay)

    def told(self) -> list[tuple[bool, bool]]:
        return [(trouble.stuck, trouble.commanded) for trouble in self.troubles]


@pytest.mark.parametrize("active_high", [True, False])
def test_row_13_a_contact_that_follows_is_never_reported(active_high: bool) -> None:
    async def main(clock: VirtualClock) -> None:
        rig = await Rig.open(clock, active_high=active_high)
        assert rig.gpio.pulls[CONTACT] is (Pull.DOWN if active_high else Pull.UP)
        for _ in range(20):
            rig.relay.on()
            await clock.sleep(0.5)
            rig.relay.off()
            await clock.sleep(0.5)
        assert rig.troubles == []
        rig.relay.close()

    virtual_run(main)


def test_row_13_a_welded_contact_is_reported_within_two_seconds_and_once() -> None:
    async def main(clock: VirtualClock) -> None:
        rig = await Rig.open(clock)
        rig.contact.welded = True
        rig.relay.on()
        await clock.sleep(7)
        rig.relay.off()
        await clock.sleep(600)
        assert rig.told() == [(True, False)]
        assert rig.troubles[0].t_ns - rig.gpio.start_ns <= 9 * S
        assert len(rig.gpio.sets) == 3  # requested, on, off: nothing was tried again
        rig.relay.close()

    virtual_run(main)


def test_row_13_a_dead_driver_is_reported_within_two_seconds_and_its_recovery_too() -> None:
    async def main(clock: VirtualClock) -> None:
        rig = await Rig.open(clock)
        rig.contact.dead = True
        rig.relay.on()
        await clock.sleep(2)
        assert rig.told() == [(True, True)]
        rig.contact.move(True)
        await clock.sleep(2)
        assert rig.told() == [(True, True), (False, True)]
        rig.relay.close()

    virtual_run(main)


def test_row_13_a_contact_that_moves_by_itself_later_is_reported() -> None:
    async def main(clock: VirtualClock) -> None:
        rig = await Rig.open(clock)
        await clock.sleep(3600)
        rig.contact.move(True)
        await clock.sleep(2)
        assert rig.told() == [(True, False)]
        rig.relay.close()

    virtual_run(main)


def test_row_13_a_contact_that_only_bounces_is_not_reported() -> None:
    async def main(clock: VirtualClock) -> None:
        rig = await Rig.open(clock)
        rig.relay.on()
        for n in range(10):
            rig.gpio.later(0.010 + n * 0.002, CONTACT, n % 2 == 1)
        await clock.sleep(2)
        rig.relay.off()
        await clock.sleep(2)
        assert rig.troubles == []
        rig.relay.close()

    virtual_run(main)


def test_row_13_a_contact_welded_before_the_start_is_told_to_whoever_listens_first() -> None:
    async def main(clock: VirtualClock) -> None:
        gpio = MemoryGpio(clock)
        gpio.levels[CONTACT] = True
        relay = await Relay.open("relay1", gpio, RELAY, clock, readback=Readback(gpio, CONTACT))
        await clock.sleep(5)
        troubles: list[OutputTrouble] = []
        relay.on_trouble(troubles.append)
        await clock.sleep(2)
        assert [(trouble.stuck, trouble.commanded) for trouble in troubles] == [(True, False)]
        relay.close()

    virtual_run(main)
