"""Settings per slot: what an upgrade carries over, what a restore keeps, what nothing of stays."""

from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import firmware
from firmware.app import kept_by_restore
from firmware.core.params import Group
from firmware.core.store_file import frame, unframe
from firmware.upgrade.early import kept_names
from firmware.upgrade.medium import FileMedium, Medium, replace_file
from firmware.upgrade.ports import Slot
from firmware.upgrade.settings_tree import Keeping, SettingsTrees


def groups(model: type[Group] = Group) -> Iterator[type[Group]]:
    for each in model.__subclasses__():
        if each.__module__.startswith("firmware."):
            yield each
        yield from groups(each)


def test_what_survives_a_restore_is_the_network_identity_and_nothing_else() -> None:
    """Manuals, "Maintenance", Restore; every declared parameter of every room is looked at."""
    for module in pkgutil.walk_packages(firmware.__path__, "firmware."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    assert kept_names(tuple(groups())) == kept_by_restore()
    assert kept_by_restore() == {
        "network": {
            "boot_proto",
            "address",
            "mask",
            "router",
            "ipv6",
            "ipv6_address",
            "ipv6_router",
            "dns",
            "ieee8021x",
            "ieee8021x_identity",
            "cloud",
        },
        "cloud": {"ca", "local", "owner_key", "proxy", "proxy_password", "proxy_user", "url"},
    }


def trees(root: Path, **how: object) -> SettingsTrees:
    return SettingsTrees(FileMedium(root), Keeping(**how))  # type: ignore[arg-type]


def fill(root: Path, slot: str) -> None:
    for name, content in {
        "control/entries.db": b"cards",
        "control/entries.db-wal": b"newer cards",
        "control/entries.db-shm": b"index",
        "control/params-network": frame(json.dumps({"address": "192.0.2.7", "name": "x"}).encode()),
        "network/accounts": b"ann",
    }.items():
        path = root / "settings" / slot / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def files(root: Path, slot: str) -> dict[str, bytes]:
    base = root / "settings" / slot
    return {str(path.relative_to(base)): path.read_bytes() for path in base.rglob("*") if path.is_file()}


def test_a_new_firmware_gets_a_copy_of_everything_but_what_sqlite_makes_anew(tmp_path: Path) -> None:
    fill(tmp_path, "A")
    before = files(tmp_path, "A")
    trees(tmp_path).copy(Slot.A, Slot.B, "u1")
    copied = files(tmp_path, "B")
    assert copied.pop("origin") == b"u1\n"
    assert copied.pop("format") == b"1\n"
    assert copied == {name: data for name, data in before.items() if not name.endswith("-shm")}
    assert files(tmp_path, "A") == before


def test_a_copy_is_made_once_and_made_anew_when_it_was_not_finished(tmp_path: Path) -> None:
    fill(tmp_path, "A")
    tree = trees(tmp_path)
    tree.copy(Slot.A, Slot.B, "u1")
    (tmp_path / "settings" / "B" / "control" / "entries.db").write_bytes(b"changed by the new firmware")
    tree.copy(Slot.A, Slot.B, "u1")
    assert files(tmp_path, "B")["control/entries.db"] == b"changed by the new firmware"
    tree.copy(Slot.A, Slot.B, "u2")
    assert files(tmp_path, "B")["control/entries.db"] == b"cards"


def test_migrations_run_from_the_format_found_to_the_newest_each_once(tmp_path: Path) -> None:
    def step(word: bytes) -> object:
        def migrate(medium: Medium, folder: str) -> None:
            path = f"{folder}/network/accounts"
            replace_file(medium, path, medium.read(path) + word)

        return migrate

    fill(tmp_path, "A")
    trees(tmp_path, migrations=(step(b" 2"),)).copy(Slot.A, Slot.B, "u1")
    assert files(tmp_path, "B")["network/accounts"] == b"ann 2"
    trees(tmp_path, migrations=(step(b" 2"), step(b" 3"))).copy(Slot.B, Slot.A, "u2")
    assert files(tmp_path, "A")["network/accounts"] == b"ann 2 3"
    assert files(tmp_path, "A")["format"] == b"3\n"


def test_a_restore_keeps_the_named_parameters_alone_and_a_factory_default_none(tmp_path: Path) -> None:
    kept = {"network": frozenset({"address", "router"})}
    fill(tmp_path, "A")
    trees(tmp_path, kept=kept).renew(Slot.A, "r1", soft=True)
    found = files(tmp_path, "A")
    assert set(found) == {"origin", "format", "control/params-network"}
    saved = unframe(found["control/params-network"])
    assert saved is not None
    assert json.loads(saved) == {"address": "192.0.2.7"}
    trees(tmp_path, kept=kept).renew(Slot.A, "r2", soft=False)
    assert set(files(tmp_path, "A")) == {"origin", "format"}


def test_a_restore_reads_the_last_good_copy_where_the_file_is_damaged(tmp_path: Path) -> None:
    fill(tmp_path, "A")
    path = tmp_path / "settings" / "A" / "control" / "params-network"
    path.rename(path.with_name("params-network.good"))
    path.write_bytes(b"damaged")
    trees(tmp_path, kept={"network": frozenset({"address"})}).renew(Slot.A, "r1", soft=True)
    assert b"192.0.2.7" in files(tmp_path, "A")["control/params-network"]
