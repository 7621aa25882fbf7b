"""Settings per slot: copied for a new firmware, made fresh, restored; whole or not there at any moment.

`settings/<slot>` belongs to the firmware in that slot, which alone writes it. A tree that this file made
carries `origin`, the id of the upgrade or reset it was made for, written after everything else is on the
medium: a tree without it is made anew. A reset makes `<slot>.new` beside the tree in use and changes their
names. All of it can be repeated from any point.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from firmware.core.store_file import GOOD, frame, unframe
from firmware.upgrade.medium import Medium, exists, make_folders, replace_file
from firmware.upgrade.ports import Slot

ROOT = "settings"
ORIGIN = "origin"
FORMAT = "format"
PARAMS = "params-"
# SQLite makes its index of a write-ahead log anew; a copy of an old one would only be wrong.
NOT_COPIED = "-shm"

Migration = Callable[[Medium, str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """What resets and migrations need to know of settings.

    `kept` names the parameters of each group that a restore keeps. `migrations` lead from format 1 to 2, 2 to 3
    and so on; each is given the medium and the folder of the tree, and flushes what it writes. `shared` are the
    folders that hold user data of no slot, `erased` what else a factory default takes away.
    """

    kept: Mapping[str, frozenset[str]] = field(default_factory=dict)
    migrations: Sequence[Migration] = ()
    shared: Sequence[str] = ("shared",)
    erased: Sequence[str] = ("keyring.d",)


class SettingsTrees:
    """The settings of both slots on the medium."""

    def __init__(self, medium: Medium, keeping: Keeping) -> None:
        self._medium = medium
        self._keeping = keeping

    def origin(self, slot: Slot) -> str | None:
        """The id that the tree of a slot was made for; None for one that is not finished or was made by nobody."""
        return self._origin(_folder(slot))

    def copy(self, source: Slot, target: Slot, origin: str) -> None:
        """Make the settings of `target` out of those of `source`, brought to this version's format.

        Does nothing when they were made for `origin` already. Raises OSError.
        """
        if self.origin(target) == origin:
            return
        here = _folder(target)
        self._begin(here)
        if exists(self._medium, _folder(source)):
            self._copy_tree(_folder(source), here)
        self._migrate(here)
        self._finish(here, origin)

    def fresh(self, target: Slot, origin: str) -> None:
        """Make the settings of `target` empty, which is what the defaults are. Raises OSError."""
        if self.origin(target) == origin:
            return
        self._begin(_folder(target))
        self._stamp(_folder(target))
        self._finish(_folder(target), origin)

    def renew(self, slot: Slot, origin: str, *, soft: bool) -> None:
        """Put fresh settings in the place of those in use; `soft` keeps the network identity. Raises OSError."""
        here, new, old = _folder(slot), f"{_folder(slot)}.new", f"{_folder(slot)}.old"
        if self._origin(here) != origin:
            if self._origin(new) != origin:
                self._begin(new)
                if soft and exists(self._medium, here):
                    self._keep(here, new)
                self._stamp(new)
                self._finish(new, origin)
            if exists(self._medium, here):
                self._delete(old)
                self._medium.rename(here, old)
                self._medium.sync(ROOT)
            self._medium.rename(new, here)
            self._medium.sync(ROOT)
        self._delete(old)

    def forget(self, slot: Slot) -> None:
        """Delete the settings of a slot. Raises OSError."""
        for suffix in ("", ".new", ".old"):
            self._delete(_folder(slot) + suffix)

    def wipe(self) -> None:
        """Delete the user data that belongs to no slot, and what was installed for this device. Raises OSError."""
        for path in (*self._keeping.shared, *self._keeping.erased):
            self._delete(path)

    # steps

    def _begin(self, here: str) -> None:
        make_folders(self._medium, ROOT)
        self._delete(here)
        self._medium.make_folder(here)
        self._medium.sync(ROOT)

    def _finish(self, here: str, origin: str) -> None:
        replace_file(self._medium, f"{here}/{ORIGIN}", f"{origin}\n".encode())

    def _stamp(self, here: str) -> None:
        replace_file(self._medium, f"{here}/{FORMAT}", f"{1 + len(self._keeping.migrations)}\n".encode())

    def _migrate(self, here: str) -> None:
        """Bring a copied tree to the format of this version; a newer one is left as it is."""
        try:
            found = int(self._medium.read(f"{here}/{FORMAT}"))
        except (FileNotFoundError, ValueError):
            found = 1
        for migration in self._keeping.migrations[found - 1 :]:
            migration(self._medium, here)
        self._stamp(here)

    def _origin(self, here: str) -> str | None:
        try:
            return self._medium.read(f"{here}/{ORIGIN}").decode(errors="replace").strip() or None
        except (FileNotFoundError, NotADirectoryError):
            return None

    def _copy_tree(self, source: str, target: str) -> None:
        for name, is_folder in sorted(self._medium.names(source).items()):
            if name == ORIGIN or name.endswith(NOT_COPIED):
                continue
            if is_folder:
                self._medium.make_folder(f"{target}/{name}")
                self._copy_tree(f"{source}/{name}", f"{target}/{name}")
            else:
                self._medium.write(f"{target}/{name}", self._medium.chunks(f"{source}/{name}"))
                self._medium.flush(f"{target}/{name}")
        self._medium.sync(target)

    def _delete(self, path: str) -> None:
        """Delete a tree, its `origin` first, so that what is left of it passes for nothing whole."""
        if not exists(self._medium, path):
            return
        if self._origin(path) is not None:
            self._medium.remove(f"{path}/{ORIGIN}")
            self._medium.sync(path)
        self._delete_tree(path)
        self._medium.sync(path.rpartition("/")[0])

    def _delete_tree(self, path: str) -> None:
        for name, is_folder in sorted(self._medium.names(path).items()):
            if is_folder:
                self._delete_tree(f"{path}/{name}")
            else:
                self._medium.remove(f"{path}/{name}")
        self._medium.remove_folder(path)

    def _keep(self, here: str, new: str) -> None:
        """Carry the parameters over that a restore keeps, of every role."""
        for role, is_folder in sorted(self._medium.names(here).items()):
            if is_folder:
                for group, names in sorted(self._keeping.kept.items()):
                    values = self._values(f"{here}/{role}/{PARAMS}{group}")
                    kept = {name: values[name] for name in sorted(names & values.keys())}
                    if kept:
                        make_folders(self._medium, f"{new}/{role}")
                        content = frame(json.dumps(kept).encode())
                        replace_file(self._medium, f"{new}/{role}/{PARAMS}{group}", content)

    def _values(self, path: str) -> dict[str, object]:
        """The saved values of a group, or of its last good copy; none when neither can be read."""
        for copy in (path, path + GOOD):
            try:
                data = unframe(self._medium.read(copy))
            except FileNotFoundError:
                continue
            try:
                values = json.loads(data) if data is not None else None
            except ValueError:
                continue
            if isinstance(values, dict):
                return values
        return {}


def _folder(slot: Slot) -> str:
    return f"{ROOT}/{slot.value}"
