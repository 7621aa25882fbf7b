"""Devices: every device file that the board names is there, may be used, and is used by nobody else."""

from __future__ import annotations

import re
from collections.abc import Iterator

from firmware.doctor.finding import Finding, bad, note, ok
from firmware.doctor.machine import Holder, Machine, Person
from firmware.doctor.people import GROUP_OF
from hal.board import AudioInNode, AudioOutNode, Board, Bus

CHECK = "devices"
RULES = ("etc/udev/rules.d/60-lintel.rules", "usr/lib/udev/rules.d/60-lintel.rules", "lib/udev/rules.d/60-lintel.rules")
APPLY_RULES = "sudo udevadm control --reload && sudo udevadm trigger --settle"
CONFIG = "/boot/firmware/config.txt"
# What makes the kernel offer a device on a Raspberry Pi, by the device's name; docs/boards.md says the same.
OFFERED_BY = {
    "/dev/lintel/i2c-1": "dtparam=i2c_arm=on",
    "/dev/lintel/rs485": "enable_uart=1",
    "/dev/lintel/rs485b": "dtoverlay=uart4,ctsrts",
}
# The kernel's own names: one of them without its stable name is a rule that has not run.
KERNEL_NAMES = {
    "/dev/lintel/gpio": "dev/gpiochip0",
    "/dev/lintel/i2c-1": "dev/i2c-1",
    "/dev/lintel/rs485": "dev/ttyAMA0",
}
CARD = re.compile(r"CARD=([A-Za-z0-9_-]+)")


def check_devices(machine: Machine, board: Board, user: str) -> Iterator[Finding]:
    """Every bus of the board, then its sound cards and its camera."""
    person = machine.person(user)
    for name, bus in board.buses.items():
        if bus.kind == "csi":
            yield _camera(machine, name)
        else:
            yield from _bus(machine, name, bus, person)
    cards = {
        found[1]
        for node in board.nodes.values()
        if isinstance(node, AudioInNode | AudioOutNode) and (found := CARD.search(node.device))
    }
    for card in sorted(cards):
        yield _sound(machine, card)


def _bus(machine: Machine, name: str, bus: Bus, person: Person) -> Iterator[Finding]:
    file = machine.stat(bus.path)
    if file is None:
        why, mend = _why_missing(machine, bus.path)
        yield bad(CHECK, f"{bus.path} ({name}) is missing{why}", mend)
        return
    if not person.may_use(file):
        group = next((group for group, (gid, _) in machine.groups.items() if gid == file.st_gid), str(file.st_gid))
        text = f"{person.name} may not use {bus.path} ({name}): group {group}, mode {file.st_mode & 0o777:04o}"
        wanted = GROUP_OF[bus.kind]
        if group == wanted and file.st_mode & 0o060 == 0o060:
            yield bad(CHECK, text, f"sudo usermod -aG {group} {person.name}")
        else:
            yield bad(CHECK, text, APPLY_RULES if _rules(machine) else _install_rules())
        return
    holders = list(machine.holders(bus.path))
    others = [each for each in holders if not each.ours]
    if bus.kind == "uart" and others:
        yield bad(CHECK, f"{bus.path} ({name}) is in use by {others[0]}", _stop(machine, bus.path, others[0]))
    else:
        users = f" is in use by {', '.join(map(str, holders))}" if holders else ""
        yield ok(CHECK, f"{bus.path} ({name}){users}")


def _stop(machine: Machine, path: str, holder: Holder) -> str:
    """The command that makes somebody let a port go: a console that waits there for log-ins, or any other program."""
    if "getty" in holder.name:
        return f"sudo systemctl disable --now serial-getty@{machine.real(path).name}.service"
    return f"sudo kill {holder.pid}  # {holder.name}"


def _rules(machine: Machine) -> bool:
    return any(machine.path(rules).exists() for rules in RULES)


def _install_rules() -> str:
    return f"sudo cp udev/*.rules /etc/udev/rules.d/ && {APPLY_RULES}"


def _why_missing(machine: Machine, path: str) -> tuple[str, str]:
    """Why a device may be missing: in words, and the command that mends it."""
    kernel = KERNEL_NAMES.get(path)
    there = kernel is not None and machine.path(kernel).exists()
    if path.startswith("/dev/lintel/") and not _rules(machine):
        return ", and so are the udev rules that name it", _install_rules()
    if there:
        return f", although /{kernel} is there", APPLY_RULES
    if path in OFFERED_BY:
        line = OFFERED_BY[path]
        return ", and the kernel offers no such device", f"echo {line} | sudo tee -a {CONFIG} && sudo reboot"
    return "", APPLY_RULES


def _camera(machine: Machine, name: str) -> Finding:
    """A sensor on a ribbon has no name of its own: the kernel's media devices tell whether one was found."""
    if any(machine.path("dev").glob("media*")):
        return ok(CHECK, f"a camera ({name})")
    mend = f"echo camera_auto_detect=1 | sudo tee -a {CONFIG} && sudo reboot"
    return note(CHECK, f"no camera was found ({name}): the door works without", mend)


def _sound(machine: Machine, card: str) -> Finding:
    ids = [path.read_text(errors="replace").strip() for path in machine.path("sys/class/sound").glob("card*/id")]
    if card in ids:
        return ok(CHECK, f"sound card {card}")
    others = f"; there is {', '.join(sorted(ids))}" if ids else ""
    if ids and _rules(machine):  # they give a card on USB its id
        return note(CHECK, f"no sound card has the id {card}{others}: the door works without", APPLY_RULES)
    mend = f"echo options snd_usb_audio id={card} | sudo tee /etc/modprobe.d/lintel-sound.conf && sudo reboot"
    return note(CHECK, f"no sound card has the id {card}{others}: the door works without", mend)
