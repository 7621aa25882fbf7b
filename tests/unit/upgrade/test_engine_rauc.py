"""The RAUC engine against the real `rauc service` on a message bus of its own."""

from __future__ import annotations

import hashlib
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from firmware.core.store_file import Damaged
from firmware.upgrade.engine_file import note_of, note_path
from firmware.upgrade.engine_rauc import RaucEngine, SlotStatus, check_target, fault_of
from firmware.upgrade.gate import approve
from firmware.upgrade.medium import FileMedium
from firmware.upgrade.ports import Approved, Slot
from firmware.upgrade.squash import unpacked
from hal.clock import SystemClock
from tests.unit.upgrade.bundles import Workshop

BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><listen>unix:path={socket}</listen><auth>EXTERNAL</auth><policy context="default">
<allow user="*"/><allow own="*"/><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/>
</policy></busconfig>
"""
CONF = """[system]
compatible=lintel-ds1
bootloader=custom
bundle-formats=verity
activate-installed=false
[keyring]
path={keyring}
check-purpose=codesign
[handlers]
bootloader-custom-backend={backend}
[slot.rootfs.0]
device={folder}/a.img
type=raw
bootname=A
[slot.rootfs.1]
device={folder}/b.img
type=raw
bootname=B
"""
BACKEND = "#!/bin/sh\ncase $1 in get-primary) echo A;; get-state) echo good;; esac\n"


@dataclass
class Rauc:
    """A running service: its bus, its folder with `a.img` and `b.img`."""

    address: str
    folder: Path

    def engine(self) -> RaucEngine:
        return RaucEngine(FileMedium(self.folder), self.address)


@pytest.fixture
def rauc(tmp_path: Path, workshop: Workshop) -> Iterator[Rauc]:
    """`rauc service` for a device that runs slot A, on a private bus; both end with the test."""
    folder = tmp_path / "device"
    folder.mkdir()
    for name in ("a.img", "b.img"):
        (folder / name).write_bytes(bytes(16 * 1024 * 1024))
    backend, conf, socket = tmp_path / "backend", tmp_path / "system.conf", tmp_path / "bus"
    backend.write_text(BACKEND)
    backend.chmod(0o755)
    conf.write_text(CONF.format(keyring=workshop.keys / "keyring" / "release.pem", backend=backend, folder=folder))
    (tmp_path / "bus.conf").write_text(BUS.format(socket=socket))
    bus = subprocess.Popen(["dbus-daemon", f"--config-file={tmp_path / 'bus.conf'}", "--nofork"])
    address = f"unix:path={socket}"
    service = None
    try:
        until(socket.exists)
        environment = {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": address, "DBUS_STARTER_ADDRESS": address}
        with (tmp_path / "log").open("wb") as log:
            service = subprocess.Popen(
                ["rauc", "-c", str(conf), "--override-boot-slot=A", "service"], env=environment, stdout=log, stderr=log
            )
        found = Rauc(address, folder)
        until(lambda: answers(found))
        yield found
    finally:
        for process in (service, bus):
            if process is not None:
                process.terminate()
                process.wait(60)


def answers(rauc: Rauc) -> bool:
    try:
        return bool(rauc.engine().slots())
    except OSError:
        return False


def until(check: Callable[[], bool]) -> None:
    clock = SystemClock()
    end_ns = clock.now_ns() + 30_000_000_000
    pause = threading.Event()
    while clock.now_ns() < end_ns:
        if check():
            return
        pause.wait(0.05)
    raise AssertionError("the service never came up")


def approved_now(workshop: Workshop, bundle: Path) -> Approved:
    return approve(bundle, workshop.context())


def test_rauc_says_which_slots_there_are_and_which_runs(rauc: Rauc) -> None:
    slots = rauc.engine().slots()
    assert [(each.kind, each.boot_name, each.device.name, each.state) for each in slots] == [
        ("rootfs", "A", "a.img", "booted"),
        ("rootfs", "B", "b.img", "inactive"),
    ]


def test_rauc_installs_a_bundle_or_says_what_hinders_it(rauc: Rauc, workshop: Workshop, good: Path) -> None:
    """Without the device mapper RAUC cannot mount a verity bundle; what it says then is our error."""
    approved = approved_now(workshop, good)
    told: list[int] = []
    engine = rauc.engine()
    if not Path("/dev/mapper/control").exists():
        with pytest.raises(Damaged, match=r"(?i)mapper|verity|mount"):
            engine.write(Slot.B, approved, told.append)
        assert not engine.holds(Slot.B, approved.manifest_sha256)
        assert (rauc.folder / "a.img").read_bytes() == bytes(16 * 1024 * 1024)
        return
    engine.write(Slot.B, approved, told.append)
    assert engine.holds(Slot.B, approved.manifest_sha256)
    assert told[-1] == 100


def test_row_28_rauc_refuses_a_foreign_signature_by_itself(rauc: Rauc, workshop: Workshop, tmp_path: Path) -> None:
    """The second, independent check: the gate is not asked here."""
    bundle = workshop.bundle(tmp_path / "own.raucb")
    data = bytearray(bundle.read_bytes())
    data[-200] ^= 0xFF  # inside the signature
    bundle.write_bytes(data)
    forged = Approved(
        bundle=bundle, version="1", model="LINTEL-DS1", manifest_sha256="0" * 64, signer="release", counter=0, images=()
    )
    before = hashlib.sha256((rauc.folder / "b.img").read_bytes()).digest()
    with pytest.raises(Damaged, match=r"(?i)signature|bundle|CMS|verif"):
        rauc.engine().write(Slot.B, forged, lambda percent: None)
    assert hashlib.sha256((rauc.folder / "b.img").read_bytes()).digest() == before


def test_rauc_is_not_asked_to_write_the_slot_that_runs(rauc: Rauc, workshop: Workshop, good: Path) -> None:
    with pytest.raises(OSError, match="would not write slot A"):
        rauc.engine().write(Slot.A, approved_now(workshop, good), lambda percent: None)


def test_a_service_that_is_not_there_is_one_clear_error(rauc: Rauc, tmp_path: Path) -> None:
    engine = RaucEngine(FileMedium(rauc.folder), f"unix:path={tmp_path / 'nothing'}")
    with pytest.raises(OSError, match=r"(?i)no such file|rauc"):
        engine.slots()


def test_a_slot_holds_what_its_note_says_only_as_long_as_it_reads_back_so(
    rauc: Rauc, workshop: Workshop, good: Path
) -> None:
    approved = approved_now(workshop, good)
    (rauc.folder / note_path(Slot.B)).parent.mkdir(parents=True)
    content = b"".join(unpacked(good, approved.images[0]))
    with (rauc.folder / "b.img").open("r+b") as device:
        device.write(content)
    engine = rauc.engine()
    assert not engine.holds(Slot.B, approved.manifest_sha256), "there is no note"
    (rauc.folder / note_path(Slot.B)).write_bytes(note_of(approved))
    assert engine.holds(Slot.B, approved.manifest_sha256)
    assert not engine.holds(Slot.A, approved.manifest_sha256)
    with (rauc.folder / "b.img").open("r+b") as device:
        device.write(bytes(1))
    assert not engine.holds(Slot.B, approved.manifest_sha256)


def test_words_of_rauc_become_our_errors() -> None:
    assert isinstance(fault_of("Failed: No space left on device"), OSError)
    assert isinstance(fault_of("signature verification failed"), Damaged)
    assert "\n" not in str(fault_of("two\nlines"))


def test_a_device_that_runs_nothing_known_gets_nothing_written() -> None:
    slots = (SlotStatus(name="rootfs.0", kind="rootfs", device=Path("/dev/a"), boot_name="A", state="inactive"),)
    with pytest.raises(OSError, match="none runs"):
        check_target(slots, Slot.B)
