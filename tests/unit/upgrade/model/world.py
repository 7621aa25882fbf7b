"""A whole device around the real state machine: boot loader, firmware of different quality, and a user.

Only the medium, the loader and what the new firmware does are simulated; record, machine, waking, settings trees
and file engine are the real ones. A firmware image says in its content how it behaves.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from pathlib import Path

from firmware.core.store_file import frame
from firmware.upgrade.engine_file import FileEngine, image_path
from firmware.upgrade.floor import FloorFile
from firmware.upgrade.machine import TICK_S, Machine, Parts
from firmware.upgrade.medium import Medium, replace_file
from firmware.upgrade.ports import Approved, Image, Slot
from firmware.upgrade.record import Ledger, Mode, Record, ResetKind, Stage, decode
from firmware.upgrade.settings_tree import Keeping, SettingsTrees
from firmware.upgrade.waking import wake
from tests.unit.upgrade.model.medium import Frozen, SimMedium, at

MODEL = "LINTEL-SIM"
WINDOW_S = 30
OPEN, CLOSED = b"opened", b"closed"
ROTTEN = b"?"
# Starts after which a device must be idle again, whatever happened.
MOST_STARTS = 9
# Longer than any trial may last: the checker need not wait for one that never ends.
LONGEST_S = 200


class Quality(StrEnum):
    """What a firmware does when it is started."""

    GOOD = "good"
    DEAD = "dead"  # does not boot
    SICK = "sick"  # boots, and a vital service fails
    HANGS = "hangs"  # boots, and nothing more until the watchdog bites


def image_of(version: str, quality: Quality) -> bytes:
    """The content of a slot."""
    return f"{version} {quality.value} ".encode() + hashlib.sha256(version.encode()).hexdigest().encode() * 12


@cache
def nature_of(content: Frozen | None) -> tuple[str, Quality] | None:
    """Version and quality of what lies in a slot; None when it is not a whole image."""
    if not isinstance(content, bytes):
        return None
    words = content.split(b" ", 2)
    if len(words) != 3 or words[1].decode(errors="replace") not in list(Quality):
        return None
    version, quality = words[0].decode(), Quality(words[1].decode())
    return (version, quality) if content == image_of(version, quality) else None


def approved(version: str, quality: Quality, *, counter: int = 0) -> Approved:
    """A bundle that passed the gate."""
    content = image_of(version, quality)
    image = Image(name="rootfs", filename="rootfs.img", size=len(content), sha256=hashlib.sha256(content).hexdigest())
    return Approved(
        bundle=Path(f"{version}.{quality.value}"),
        version=version,
        model=MODEL,
        manifest_sha256=hashlib.sha256(f"manifest {version} {quality.value}".encode()).hexdigest(),
        signer="release",
        counter=counter,
        images=(image,),
    )


def payload(bundle: Path, image: Image) -> Iterator[bytes]:
    """The image inside a bundle of `approved`."""
    version, _, quality = bundle.name.rpartition(".")
    yield image_of(version, Quality(quality))


def louder(medium: Medium, folder: str) -> None:
    """A migration of settings that can be seen."""
    content = medium.read(f"{folder}/control/list")
    replace_file(medium, f"{folder}/control/list", content.upper())


KEPT = {"address": frozenset({"static"})}
NETWORK = frame(b'{"static": "192.0.2.7", "name": "front"}')
BEFORE = {"control/list": b"card of ann", "network/params-address": NETWORK}
MIGRATED = {"control/list": b"CARD OF ANN", "network/params-address": NETWORK}
RESTORED = {"network/params-address": frame(b'{"static": "192.0.2.7"}')}


class LossOfPower(BaseException):
    """The power went while code ran; nothing may catch it."""


class ModelBoot:
    """Boot control: one sector for the default, one per slot for whether it can be started, one volatile flag."""

    def __init__(self, medium: SimMedium) -> None:
        self._medium = medium
        self.tried = False
        self._running = Slot.A
        self._trying = False
        self.asked = False

    def make(self) -> None:
        """Format the boot sectors of a new device: A is the default, B cannot be started."""
        for path, content in (("boot/default", b"A"), ("boot/A", OPEN), ("boot/B", CLOSED)):
            self._medium.write(path, (content,))

    def start(self) -> Slot | None:
        """What the loader does; None when nothing can be started at all.

        When the sector is of no use, or names a slot that cannot be started, it walks: the first slot that can.
        """
        self._trying, self.tried = self.tried, False
        try:
            wanted = [self.default()]
        except OSError:
            wanted = []
        if self._trying and wanted:
            wanted.insert(0, wanted[0].other)
        for slot in (*wanted, *Slot):
            if self._bootable(slot):
                self._trying = self._trying and bool(wanted) and slot is wanted[0]
                self._running, self.asked = slot, False
                return slot
        return None

    def _bootable(self, slot: Slot) -> bool:
        return self._medium.read(f"boot/{slot.value}") == OPEN

    def cut(self) -> None:
        """The power goes: the flag is volatile."""
        self.tried = False

    def running(self) -> Slot:
        return self._running

    def trying(self) -> bool:
        return self._trying

    def default(self) -> Slot:
        sector = self._medium.read("boot/default")
        if sector == ROTTEN:
            raise OSError("the sector cannot be read")
        return Slot(sector.decode())

    def set_default(self, slot: Slot) -> None:
        self._medium.overwrite("boot/default", slot.value.encode())

    def arm(self) -> None:
        self.tried = True

    def close_slot(self, slot: Slot) -> None:
        self._medium.overwrite(f"boot/{slot.value}", CLOSED)

    def open_slot(self, slot: Slot) -> None:
        self._medium.overwrite(f"boot/{slot.value}", OPEN)

    def restart(self) -> None:
        self.asked = True


class NoRevocations:
    """An empty revocation journal."""

    def length(self) -> int:
        return 0


@dataclass(frozen=True, slots=True)
class Seen:
    """What the world outside knows, across losses of power: part of a state of the checker.

    `permit`: the new firmware may become the default; `acknowledged`: somebody was told that it has; `staged`:
    somebody was told that the upload is accepted; `trial_s`: time spent on trial; `outcome`: read from the record.
    """

    permit: bool = False
    acknowledged: bool = False
    staged: bool = False
    trial_s: int = 0
    outcome: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One thing a user does, and how the new firmware turns out."""

    name: str
    act: Callable[[Device], None]
    id: str  # the id that the act's upgrade or reset gets
    mode: Mode | None = None
    reset: ResetKind | None = None
    confirms: bool = True
    attempts: int = 1
    committed_version: str = ""  # of the new firmware when the scenario may commit it
    counter: int = 0
    rots: bool = False  # with a loss of power the boot sector may become unreadable
    button: ResetKind | None = None  # the reset that the control button asks for at the first start after each loss


class Device:
    """One device on one medium: starts, runs, is cut and starts again."""

    def __init__(self, frozen: Frozen, scenario: Scenario, seen: Seen, before: Callable[[], None]) -> None:
        self.medium = SimMedium(frozen, before)
        self.scenario = scenario
        self.seen = seen
        self.boot = ModelBoot(self.medium)
        self.machine: Machine | None = None
        self.starts = 0
        self.bricked = False
        self.endless = False
        self.asked_by_button = False
        self.acting = False
        self.parts = Parts(
            ledger=Ledger(self.medium),
            boot=self.boot,
            engine=FileEngine(self.medium, payload),
            trees=SettingsTrees(self.medium, Keeping(kept=KEPT, migrations=(louder,))),
            revoked=NoRevocations(),
            floors=FloorFile(self.medium),
            new_id=self._new_id,
            attempts=scenario.attempts,
        )

    def _new_id(self) -> str:
        """The scenario's id for what the user does; for anything else one that no other start gives."""
        if self.acting:
            return self.scenario.id
        copies = (_decoded(self.medium.read(path)) for path in self.parts.ledger.paths)
        return f"x{max(copy[0] for copy in copies if copy is not None)}"

    def run(self, *, act: bool) -> None:
        """Start until the device is idle; with `act` the user does what the scenario says, once, when it is."""
        self.bricked = self.endless = False
        button = None if act else self.scenario.button
        self.asked_by_button = button is not None
        for _ in range(MOST_STARTS):
            self.starts += 1
            slot = self.boot.start()
            nature = None if slot is None else nature_of(at(self.medium.freeze(), image_path(slot, "rootfs")))
            if slot is None or nature is None or nature[1] is Quality.DEAD:
                if not self.boot.trying():
                    self.bricked = True
                    return
                continue  # the boot watchdog bites: a plain restart
            self._firmware(*nature, button)
            button = None
            if self.boot.asked:
                continue
            if self.machine is not None and self.machine.on_trial:
                continue  # it hung: the watchdog bites
            if act:
                act = False
                self.acting = True
                self.scenario.act(self)
                self.acting = False
                if self.boot.asked:
                    continue
            return
        self.endless = True

    def _firmware(self, version: str, quality: Quality, button: ResetKind | None) -> None:
        """One start of a firmware, until it is idle or restarts."""
        start = wake(self.parts, version, button)
        self.machine = start.machine
        if not start.trial:
            return
        if quality is Quality.HANGS:
            return
        if quality is Quality.SICK:
            self.machine.give_up("vital service doors failed")
            return
        up = self.machine.record.up
        assert up is not None
        if up.mode is not Mode.AUTOROLLBACK:
            self._permit()
            self.machine.healthy()
            self._told()
            return
        self.machine.healthy()
        while self.machine.on_trial and self.seen.trial_s < LONGEST_S:
            self._tick()
            if self.scenario.confirms and self.machine.on_trial:
                self._permit()
                self.machine.confirm(up.id)
                self._told()

    def _tick(self) -> None:
        assert self.machine is not None
        self.seen = replace(self.seen, trial_s=self.seen.trial_s + TICK_S)
        self.machine.tick()

    def _permit(self) -> None:
        self.seen = replace(self.seen, permit=True)

    def _told(self) -> None:
        self.seen = replace(self.seen, acknowledged=True)


def record_of(frozen: Frozen) -> Record | None:
    """The record that counts in a frozen state."""
    return _newest(at(frozen, "boot/record.0"), at(frozen, "boot/record.1"))


@cache
def _decoded(copy: Frozen | None) -> tuple[int, Record] | None:
    return decode(copy) if isinstance(copy, bytes) else None


def _newest(*copies: Frozen | None) -> Record | None:
    valid = [found for copy in copies if (found := _decoded(copy)) is not None]
    return max(valid, key=lambda found: found[0])[1] if valid else None


def new_device(attempts: int = 1) -> Frozen:
    """A device as it leaves the factory and was then set up: A runs 1.0.0, B is empty."""
    medium = SimMedium()
    scenario = Scenario(name="factory", act=lambda device: None, id="u0", attempts=attempts)
    device = Device((), scenario, Seen(), lambda: None)
    medium = device.medium
    for folder in (
        "boot",
        "boot/slots",
        "settings",
        "settings/A",
        "settings/A/control",
        "settings/A/network",
        "shared",
    ):
        medium.make_folder(folder)
    device.boot.make()
    medium.write(image_path(Slot.A, "rootfs"), (image_of("1.0.0", Quality.GOOD),))
    for path, content in BEFORE.items():
        medium.write(f"settings/A/{path}", (content,))
    medium.write("shared/journal", (b"what happened",))
    device.run(act=False)
    return medium.freeze()


def install(version: str, quality: Quality, mode: Mode, *, counter: int = 0) -> Callable[[Device], None]:
    """The user uploads a bundle."""

    def act(device: Device) -> None:
        assert device.machine is not None
        device.machine.install(approved(version, quality, counter=counter), mode, window_s=WINDOW_S)
        device.seen = replace(device.seen, staged=True)
        device.machine.arm()

    return act


def roll_back(device: Device) -> None:
    """The user rolls back."""
    assert device.machine is not None
    device.machine.rollback()
    device.seen = replace(device.seen, staged=True)
    device.machine.arm()


def reset(kind: ResetKind) -> Callable[[Device], None]:
    """The user resets."""

    def act(device: Device) -> None:
        assert device.machine is not None
        device.machine.ask_reset(kind, "api")
        device.seen = replace(device.seen, staged=True)
        device.boot.restart()

    return act


def settled(record: Record) -> bool:
    """Whether nothing is under way."""
    return record.stage is Stage.IDLE and record.up is None and record.reset is None
