"""Slots: the partitions that boot control writes, the slot that runs, and the age of the boot loader."""

from __future__ import annotations

from collections.abc import Iterator

from firmware.doctor.finding import Finding, bad, note, ok
from firmware.doctor.machine import Machine
from firmware.upgrade.boot_tryboot import OLDEST_LOADER, RASPBERRY_PI, Places, TrybootBoot

CHECK = "slots"
RAUC = "etc/rauc/system.conf"


WANTED = (RASPBERRY_PI.autoboot, *RASPBERRY_PI.boots.values())


def has_slots(machine: Machine) -> bool:
    """Whether anything says that this machine is to have slots."""
    return machine.path(RAUC).exists() or any(machine.stat(str(path)) is not None for path in WANTED)


def check_slots(machine: Machine) -> Iterator[Finding]:
    """Both slots, or the note that this machine has none."""
    missing = [str(path) for path in WANTED if machine.stat(str(path)) is None]
    if not has_slots(machine):
        yield note(CHECK, "this machine has no slots: it is upgraded by its package, and nothing is rolled back")
        return
    for path in missing:
        yield bad(CHECK, f"{path} is missing", "sudo udevadm trigger --subsystem-match=block --settle")
    if not machine.path(RAUC).exists():
        yield bad(CHECK, f"/{RAUC} is missing: no bundle can be installed", "sudo apt-get install --reinstall lintel")
    if not missing:
        yield from _boot(machine)


def _boot(machine: Machine) -> Iterator[Finding]:
    boot = TrybootBoot(
        Places(
            loader=machine.path(RASPBERRY_PI.loader),
            reboot_param=machine.path(RASPBERRY_PI.reboot_param),
            autoboot=machine.real(str(RASPBERRY_PI.autoboot)),
            boots={slot: machine.real(str(path)) for slot, path in RASPBERRY_PI.boots.items()},
        )
    )
    try:
        facts, default = boot.facts(), boot.default()
    except OSError as error:
        reason = error.strerror or str(error)
        yield bad(CHECK, f"which slot runs is unknown: {reason}", "sudo rpi-eeprom-update -a && sudo reboot")
        return
    trying = ", on trial until it is confirmed" if facts.trying else ""
    yield ok(CHECK, f"slot {facts.slot} runs{trying}; {default} is the default")
    if not facts.loader_current:
        text = f"the boot loader is older than {OLDEST_LOADER:%Y-%m-%d}: a failed upgrade may not come back by itself"
        yield bad(CHECK, text, "sudo rpi-eeprom-update -a && sudo reboot")
