"""The machine as files: what stands below its root, be that `/` or a tree of somebody else's (an image, a test).

Only `/` is alive: processes, mounts and device drivers are asked there and nowhere else.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

UNIT_FOLDERS = ("etc/systemd/system", "usr/local/lib/systemd/system", "usr/lib/systemd/system", "lib/systemd/system")
RUN_USER = "lintel"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with the groups of theirs."""

    name: str
    uid: int
    gids: frozenset[int]

    def may_use(self, file: os.stat_result) -> bool:
        """Whether they may read and write a file of that owner, group and mode."""
        if self.uid == 0:
            return True
        shift = 6 if file.st_uid == self.uid else 3 if file.st_gid in self.gids else 0
        return (file.st_mode >> shift) & 0o6 == 0o6


@dataclass(frozen=True, slots=True)
class Mount:
    """One mount: `options` as the kernel has them."""

    source: str
    point: str
    kind: str
    options: frozenset[str]


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that has a file open; `ours` is whether it is the firmware."""

    pid: int
    name: str
    ours: bool

    def __str__(self) -> str:
        return f"{self.name} (process {self.pid})"


def parse_groups(text: str) -> dict[str, tuple[int, frozenset[str]]]:
    """Group name -> its number and members, from the text of /etc/group; lines that are none are passed over."""
    found = {}
    for line in text.splitlines():
        parts = line.split(":")
        if len(parts) == 4 and parts[0] and re.fullmatch(r"\d{1,10}", parts[2], re.ASCII):
            found[parts[0]] = (int(parts[2]), frozenset(filter(None, parts[3].split(","))))
    return found


def parse_users(text: str) -> dict[str, tuple[int, int]]:
    """User name -> user and group number, from the text of /etc/passwd; lines that are none are passed over."""
    found = {}
    for line in text.splitlines():
        parts = line.split(":")
        if len(parts) >= 4 and parts[0] and all(re.fullmatch(r"\d{1,10}", part, re.ASCII) for part in parts[2:4]):
            found[parts[0]] = (int(parts[2]), int(parts[3]))
    return found


def parse_mounts(text: str) -> tuple[Mount, ...]:
    """The mounts in the text of /proc/self/mounts, whose blanks are written as octal numbers."""
    found = []
    for line in text.splitlines():
        parts = [re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8) & 0xFF), part) for part in line.split(" ")]
        if len(parts) >= 4:
            found.append(Mount(parts[0], parts[1], parts[2], frozenset(parts[3].split(","))))
    return tuple(found)


class Machine:
    """One machine below `root`."""

    def __init__(self, root: Path = Path("/")) -> None:
        self.root = root
        self.alive = root.resolve() == Path("/")
        self.groups = parse_groups(self.text("etc/group"))
        self.users = parse_users(self.text("etc/passwd"))

    def path(self, name: str | Path) -> Path:
        """A file of the machine by its absolute or relative name."""
        return self.root / str(name).lstrip("/")

    def text(self, name: str) -> str:
        """What a file says; empty when it is not there or may not be read."""
        try:
            return self.path(name).read_text(errors="replace")
        except OSError:
            return ""  # absence is what the checks are about

    def stat(self, name: str) -> os.stat_result | None:
        """A file's owner and mode, behind links; None when there is none."""
        try:
            return os.stat(self.real(name))
        except OSError:
            return None

    def real(self, name: str) -> Path:
        """Where a name leads within this root, through links that may be absolute."""
        path = self.path(name)
        for _ in range(16):
            if not path.is_symlink():
                break
            target = os.readlink(path)
            path = self.path(target) if target.startswith("/") else path.parent / target
        return path

    def person(self, name: str) -> Person:
        """A user with their groups, those that the units of the firmware add for `lintel` among them."""
        uid, gid = self.users.get(name, (-1, -1))
        named = {number for number, members in self.groups.values() if name in members}
        if name == RUN_USER:
            named |= {self.groups[group][0] for group in self.unit_groups() if group in self.groups}
        return Person(name, uid, frozenset({gid, *named}))

    def unit(self, name: str) -> Path | None:
        """The file of a unit, where systemd looks for it."""
        return next((path for folder in UNIT_FOLDERS if (path := self.path(folder) / name).exists()), None)

    def unit_groups(self) -> frozenset[str]:
        """The groups that the units of the firmware give to its roles."""
        found: set[str] = set()
        for role in ("control", "media", "network"):
            unit = self.unit(f"lintel-{role}.service")
            text = unit.read_text(errors="replace") if unit is not None else ""
            for words in re.findall(r"^SupplementaryGroups=(.*)$", text, re.MULTILINE):
                found |= set(words.split())
        return frozenset(found)

    def mount_of(self, path: Path) -> Mount | None:
        """The mount that a path lies on; None where the machine does not say."""
        name = "/" + str(path.resolve() if self.alive else path).lstrip("/")
        mounts = [each for each in parse_mounts(self.text("proc/self/mounts")) if _below(name, each.point)]
        # Of two at one place the later one covers the earlier.
        return max(reversed(mounts), key=lambda each: len(each.point.rstrip("/")), default=None)

    def holders(self, name: str) -> Iterator[Holder]:
        """Every process that has a device open, as far as this user may see."""
        device = str(self.real(name))
        return self._with_file(lambda link: link == device)

    def line_holders(self) -> Iterator[Holder]:
        """Every process that has requested GPIO lines: the kernel gives such a request a file without a name."""
        return self._with_file(lambda link: link.startswith("anon_inode:gpio"))

    def _with_file(self, fits: Callable[[str], bool]) -> Iterator[Holder]:
        for folder in self.path("proc").glob("[0-9]*"):
            if any(map(fits, open_files(folder))):
                words = self.text(f"proc/{folder.name}/cmdline").split("\0")
                ours = any(Path(word).name == RUN_USER for word in words[:3])
                yield Holder(int(folder.name), self.text(f"proc/{folder.name}/comm").strip() or "a process", ours)


def open_files(process: Path) -> Iterator[str]:
    """What the files lead to that a process has open; none where it has ended, or is somebody else's."""
    try:
        entries = list((process / "fd").iterdir())
    except OSError:
        return
    for entry in entries:
        with contextlib.suppress(OSError):  # closed meanwhile
            yield os.readlink(entry)


def _below(name: str, point: str) -> bool:
    return point == "/" or name == point or name.startswith(point.rstrip("/") + "/")
