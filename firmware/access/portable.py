"""The entry list as a file that people carry about: CSV for spreadsheets, JSON for programs; pure.

PINs and QR texts are never written. A cell that a spreadsheet would take for a formula (it begins with = + - @,
tab or return, perhaps after apostrophes) gets an apostrophe in front, and loses it again when it is read
(hardening row 41). Every complaint names the line (CSV) or the place (JSON), the value, and the nearest valid one.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from firmware.access.decision import Entry
from firmware.core.errors import Invalid
from firmware.core.values import decode, shown
from firmware.core.vocabulary.entries import EntryAdd, EntryKind, FileFormat
from hal.errors import nearest

WHERE = "entries.import"
COLUMNS = (
    "id", "name", "last_name", "kind", "card", "pin", "qr", "uses", "valid_from", "valid_to", "schedule", "doors",
    "event",
)  # fmt: skip

_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,63}")
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_QUOTED = re.compile(r"'+[=+\-@\t\r]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One entry of a file: where it stands, the id it claims, what it is said to be, and the wish."""

    where: str
    id: str
    kind: EntryKind | None
    wish: EntryAdd


class Writer:
    """Makes the text of a file, some entries at a time."""

    def __init__(self, format: FileFormat) -> None:
        self._format = format
        self._objects: list[str] = []
        self._text = io.StringIO()
        self._cells = csv.writer(self._text, lineterminator="\r\n")
        if format is FileFormat.CSV:
            self._cells.writerow(COLUMNS)

    def add(self, entries: Iterable[Entry]) -> None:
        """Write entries behind those before."""
        for table in map(_table_of, entries):
            if self._format is FileFormat.JSON:
                self._objects.append(json.dumps(table, ensure_ascii=False))
                continue
            cells = {name: " ".join(value) if name == "doors" else value for name, value in table.items()}
            self._cells.writerow([_safe(_text_of(cells.get(name))) for name in COLUMNS])

    def text(self) -> str:
        """All of it."""
        if self._format is FileFormat.JSON:
            return '{"entries": [' + ",\n".join(self._objects) + "]}"
        return self._text.getvalue()


def rows(text: str, format: FileFormat) -> Iterator[Row]:
    """The rows of a file, one at a time. Raises Invalid."""
    found = _json_rows(text) if format is FileFormat.JSON else _csv_rows(text)
    for where, table in found:
        yield _row(where, table)


def _table_of(entry: Entry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "name": entry.name,
        "last_name": entry.last_name,
        "kind": entry.kind.value,
        "card": None if entry.card is None else str(entry.card),
        "uses": entry.uses_left,
        "valid_from": None if entry.valid_from is None else entry.valid_from.isoformat(),
        "valid_to": None if entry.valid_to is None else entry.valid_to.isoformat(),
        "schedule": entry.schedule,
        "doors": list(entry.doors),
        "event": entry.event.value,
    }


def _text_of(value: object) -> str:
    return "" if value is None else str(value)


def _safe(cell: str) -> str:
    return f"'{cell}" if _FORMULA.match(cell) else cell


def _unsafe(cell: str) -> str:
    return cell[1:] if _QUOTED.match(cell) else cell


def _row(where: str, table: Mapping[str, Any]) -> Row:
    wish = {name: value for name, value in table.items() if name not in ("id", "kind")}
    id = table.get("id", "")
    if not isinstance(id, str) or (id and not _ID.fullmatch(id)):
        raise Invalid(f"{where}.id", f"is no id: 1 to 64 letters, digits, - and _ (got {shown(id)})")
    kind = table.get("kind")
    if kind is not None and kind not in list(EntryKind):
        raise Invalid(f"{where}.kind", f"no kind {shown(kind)}{nearest(str(kind), [each.value for each in EntryKind])}")
    return Row(
        where=where,
        id=id,
        kind=None if kind is None else EntryKind(kind),
        wish=decode(EntryAdd, wish, where=where),
    )


def _json_rows(text: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Invalid(f"{WHERE}.text", f"is not JSON: {error}") from None
    entries = data.get("entries") if isinstance(data, dict) else data
    if not isinstance(entries, list):
        raise Invalid(f"{WHERE}.entries", 'is missing; write {"entries": [...]}')
    for number, entry in enumerate(entries):
        where = f"{WHERE}.entries.{number}"
        if not isinstance(entry, dict):
            raise Invalid(where, f"is not an object but {type(entry).__name__}")
        for name in entry:
            if name not in COLUMNS:
                raise Invalid(f"{where}.{name[:64]}", f"unknown name {name[:64]!r}{nearest(name, COLUMNS)}")
        yield where, {name: value for name, value in entry.items() if value is not None}


def _csv_rows(text: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    text = text.removeprefix("\ufeff")
    first = text.split("\n", 1)[0]
    separator = ";" if ";" in first and "," not in first else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    header: Sequence[str] | None = None
    line = 1
    try:
        for cells in reader:
            where = f"{WHERE}.line {line}"
            line = reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if header is None:
                header = _header(where, cells)
                continue
            if len(cells) > len(header):
                raise Invalid(where, f"has {len(cells)} cells, and the first line names {len(header)}")
            yield where, _cells(header, cells)
    except csv.Error as error:
        raise Invalid(f"{WHERE}.line {reader.line_num}", f"is not CSV: {error}") from None
    if header is None:
        raise Invalid(f"{WHERE}.text", f"is empty; the first line names the columns: {','.join(COLUMNS)}")


def _header(where: str, cells: Sequence[str]) -> Sequence[str]:
    names = [cell.strip().lower() for cell in cells]
    for name in names:
        if name not in COLUMNS:
            raise Invalid(where, f"unknown column {name[:64]!r}{nearest(name, COLUMNS)}")
        if names.count(name) > 1:
            raise Invalid(where, f"column {name!r} is there twice")
    return names


def _cells(header: Sequence[str], cells: Sequence[str]) -> Mapping[str, Any]:
    table: dict[str, Any] = {}
    for name, cell in zip(header, cells, strict=False):
        value = _unsafe(cell)
        if value != "":
            table[name] = tuple(value.replace(";", " ").split()) if name == "doors" else value
    return table
