"""A machine without slots: restarts as any other, and refuses what needs a second place."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from firmware.upgrade.boot_single import SingleBoot
from firmware.upgrade.ports import Boot, Slot


def test_its_only_firmware_is_slot_a_and_the_default() -> None:
    asked: list[str] = []
    boot: Boot = SingleBoot("started from partition 1", lambda: asked.append("restart"))
    boot.set_default(Slot.A)
    boot.restart()
    assert (boot.running(), boot.trying(), boot.default(), asked) == (Slot.A, False, Slot.A, ["restart"])


@pytest.mark.parametrize(
    "act",
    [
        lambda boot: boot.arm(),
        lambda boot: boot.set_default(Slot.B),
        lambda boot: boot.close_slot(Slot.B),
        lambda boot: boot.close_slot(Slot.A),
        lambda boot: boot.open_slot(Slot.B),
    ],
)
def test_what_needs_another_slot_is_refused_with_the_reason(act: Callable[[Boot], None]) -> None:
    with pytest.raises(OSError, match=r"no second slot \(started from partition 1\)"):
        act(SingleBoot("started from partition 1"))
