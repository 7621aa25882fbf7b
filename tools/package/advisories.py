"""Which known flaws are in what is locked: an export of advisories in the OSV format, compared with every lock.

python -m tools.package.advisories FILE      a .zip of advisories, one .json of one or a list of them, or a folder

Nothing is asked over a network: FILE is what somebody has fetched, of the ecosystem PyPI. Exit code 0: none applies, 1:
some do, 2: FILE cannot be read. Format: OSV schema 1.7, "affected" and its evaluation; versions: PEP 440.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.version import InvalidVersion, Version

from tools.package.sbom import Requirement, read_lock
from tools.package.system_files import CHECKOUT

ECOSYSTEM = "PyPI"
LARGEST_BYTES = 16 * 1024 * 1024  # of one advisory
MOST = 1_000_000  # advisories in one export
BEGINNING = "0"  # an OSV event before any version
KINDS = ("introduced", "fixed", "last_affected", "limit")
Event = tuple[str, str]  # one of KINDS, and a version


class Unreadable(ValueError):
    """An export, or an advisory in it, that is not what the format says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Versions from `introduced` on, up to and without `fixed`, or up to and with `last`; None: without end."""

    introduced: Version | None
    fixed: Version | None = None
    last: Version | None = None

    def holds(self, version: Version) -> bool:
        """Whether a version lies in it."""
        if self.introduced is not None and version < self.introduced:
            return False
        if self.fixed is not None:
            return version < self.fixed
        return self.last is None or version <= self.last


@dataclass(frozen=True, slots=True, kw_only=True)
class Affected:
    """What an advisory says of one package: versions, and the events of ranges, as they are written."""

    where: str
    name: str
    versions: frozenset[str]
    events: tuple[tuple[Event, ...], ...]

    def holds(self, version: Version) -> bool:
        """Whether a version has the flaw: one that is listed, or in a range. Raises Unreadable."""
        return any(_same(version, each) for each in self.versions) or any(each.holds(version) for each in self.ranges())

    def ranges(self) -> Iterator[Range]:
        """The ranges, which only who has the package need understand. Raises Unreadable."""
        for events in self.events:
            yield from _ranges(events, self.where)


@dataclass(frozen=True, slots=True, kw_only=True)
class Advisory:
    """One advisory; `modified` is when it was last changed, as it says."""

    id: str
    aliases: tuple[str, ...]
    summary: str
    modified: str
    affected: tuple[Affected, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A locked requirement that an advisory is about."""

    lock: str
    requirement: Requirement
    advisory: Advisory
    fixed: tuple[str, ...]

    def __str__(self) -> str:
        names = ", ".join((self.advisory.id, *self.advisory.aliases))
        mended = f"fixed in {', '.join(self.fixed)}" if self.fixed else "no fixed version is named"
        one = self.requirement
        return f"{self.lock}: {one.name} {one.version}: {names}: {self.advisory.summary or 'no summary'}; {mended}"


def canonical(name: str) -> str:
    """A name as the package index writes it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def parsed(version: str, where: str) -> Version:
    """A version. Raises Unreadable for one that is not of PEP 440."""
    try:
        return Version(version)
    except InvalidVersion:
        raise Unreadable(f"{where}: {version!r} is no version of PEP 440") from None


def _same(version: Version, other: str) -> bool:
    try:
        return Version(other) == version
    except InvalidVersion:  # the index has versions from before PEP 440; none of them is locked
        return False


# reading


def read_export(place: Path) -> Iterator[Advisory]:
    """All advisories of an export about PyPI that were not withdrawn. Raises Unreadable, OSError."""
    for number, (where, text) in enumerate(_texts(place)):
        if number >= MOST:
            raise Unreadable(f"{place}: more than {MOST} advisories")
        try:
            found = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise Unreadable(f"{where}: is no JSON ({error})") from None
        for each in found if isinstance(found, list) else [found]:
            if (advisory := read_advisory(each, where)) is not None:
                yield advisory


def _texts(place: Path) -> Iterator[tuple[str, bytes]]:
    """What is in each file of an export, with its name."""
    if place.is_dir():
        for file in sorted(place.glob("**/*.json")):
            yield str(file), _bounded(str(file), file.stat().st_size, file.read_bytes)
    elif zipfile.is_zipfile(place):
        with zipfile.ZipFile(place) as archive:
            for info in archive.infolist():
                if info.filename.endswith(".json"):
                    where = f"{place}: {info.filename}"
                    yield where, _bounded(where, info.file_size, lambda info=info: archive.read(info))
    else:
        yield str(place), place.read_bytes()


def _bounded(where: str, size: int, read: Any) -> bytes:
    if size > LARGEST_BYTES:
        raise Unreadable(f"{where}: {size} bytes are no advisory; the largest has {LARGEST_BYTES}")
    data: bytes = read()
    return data


def read_advisory(found: object, where: str) -> Advisory | None:
    """One advisory; None when it was withdrawn or is about other packages. Raises Unreadable."""
    if not isinstance(found, dict) or not isinstance(found.get("id"), str):
        raise Unreadable(f"{where}: is no advisory in the OSV format (an object with an id)")
    where = f"{where}: {found['id']}"
    try:
        affected = tuple(
            _affected(each, where)
            for each in found.get("affected", [])
            if each.get("package", {}).get("ecosystem", "").partition(":")[0] == ECOSYSTEM
        )
        if "withdrawn" in found or not affected:
            return None
        return Advisory(
            id=found["id"],
            aliases=tuple(map(str, found.get("aliases", []))),
            summary=" ".join(str(found.get("summary", "")).split()),
            modified=str(found["modified"]),
            affected=affected,
        )
    except Unreadable:
        raise
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise Unreadable(f"{where}: is not as the OSV format has it ({error})") from None


def _affected(found: Mapping[str, Any], where: str) -> Affected:
    ranges = [each for each in found.get("ranges", []) if each["type"] == "ECOSYSTEM"]
    versions = frozenset(map(str, found.get("versions", [])))
    events = tuple(tuple(_event(each, where) for each in one["events"]) for one in ranges)
    if not events and not versions:
        # Ranges of a repository's commits say nothing of a version; better a look too many.
        events = ((("introduced", BEGINNING),),)
    return Affected(where=where, name=canonical(found["package"]["name"]), versions=versions, events=events)


def _event(found: Mapping[str, str], where: str) -> Event:
    ((kind, version),) = found.items()
    if kind not in KINDS:
        raise Unreadable(f"{where}: {kind!r} is no event of a range")
    return kind, str(version)


def _ranges(events: Iterable[Event], where: str) -> Iterator[Range]:
    """Events in the order of their versions: each beginning with the end that follows it."""
    told: list[tuple[Version | None, str]] = []
    for kind, version in events:
        if kind != "limit":
            first = kind == "introduced" and version == BEGINNING
            told.append((None if first else parsed(version, where), kind))
    told.sort(key=lambda each: (each[0] is not None, each[0] or Version("0"), KINDS.index(each[1])))
    begun, open_ = None, False
    for version_, kind in told:
        if kind == "introduced":
            begun, open_ = (begun, True) if open_ else (version_, True)
        elif open_:
            open_ = False
            yield Range(introduced=begun, **{"fixed" if kind == "fixed" else "last": version_})
    if open_:
        yield Range(introduced=begun)


# comparing


def compared(locks: Mapping[str, str], advisories: Iterable[Advisory]) -> Iterator[Hit]:
    """What is locked and has a known flaw; `locks` are texts by name. Raises NotLocked, Unreadable."""
    locked: dict[str, list[tuple[str, Requirement]]] = {}
    for name, text in locks.items():
        for one in read_lock(text):
            locked.setdefault(canonical(one.name), []).append((name, one))
    for advisory in advisories:
        for affected in advisory.affected:
            for lock, one in locked.get(affected.name, []):
                known = parsed(one.version, lock)
                if affected.holds(known):
                    later = {each.fixed for each in affected.ranges() if each.fixed is not None and each.fixed > known}
                    yield Hit(lock=lock, requirement=one, advisory=advisory, fixed=tuple(map(str, sorted(later))))


def main(words: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="advisories", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", type=Path)
    asked = parser.parse_args(words)
    folder = CHECKOUT / "requirements"
    locks = {f"{folder.name}/{path.name}": path.read_text() for path in sorted(folder.glob("*.txt"))}
    try:
        advisories = list(read_export(asked.file))
        if not advisories:
            raise Unreadable(f"{asked.file}: holds no advisory about {ECOSYSTEM}")
        hits = sorted(set(map(str, compared(locks, advisories))))
    except (Unreadable, OSError, zipfile.BadZipFile) as error:
        print(f"advisories: {error}", file=sys.stderr)
        return 2
    for hit in hits:
        print(hit)
    newest = max(each.modified for each in advisories)
    outcome = f"{len(hits)} of what is locked" if hits else "none of what is locked"
    print(f"{len(advisories)} advisories about {ECOSYSTEM}, the newest of {newest}: {outcome}")
    return 1 if hits else 0


if __name__ == "__main__":
    sys.exit(main())
