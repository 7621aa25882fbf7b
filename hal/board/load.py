"""Reading board files: by name from the project's boards, or by path; `base` lays a file under another.

Tables merge, the child wins; a bus or a node of the child replaces that of its base as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hal.board.board import Board
from hal.board.complain import Complaint, Place, board_error, shown, unknown
from hal.board.parse import board_of
from hal.errors import BoardError

BOARDS = Path(__file__).resolve().parents[2] / "boards"

LARGEST = 128 * 1024
MOST_BASES = 8

# Sections whose entries are replaced as a whole: half a node from each of two files is nobody's node.
WHOLE = ("buses", "nodes")


@dataclass(frozen=True, slots=True)
class Layer:
    """One file of a board: the data it holds, and what to call it in an error."""

    origin: str
    data: Mapping[str, Any]


def board_names() -> tuple[str, ...]:
    """The boards that come with the project; a file that begins with `_` is a base, not a board."""
    return tuple(sorted(path.stem for path in BOARDS.glob("*.toml") if not path.stem.startswith("_")))


def load_board(source: str | Path) -> Board:
    """A board by name, or from a file: anything with a slash or ending in `.toml`. Raises BoardError."""
    if isinstance(source, str) and "/" not in source and not source.endswith(".toml"):
        names = board_names()
        if source not in names:
            raise BoardError("--board", unknown("board", source, names))
        path, origin = BOARDS / f"{source}.toml", f"boards/{source}.toml"
    else:
        path = Path(source)
        origin = str(source) if str(source).isprintable() else ascii(str(source))
    return _board(path.stem, Layer(origin, _toml(_text(path, origin), origin)), path.parent)


def parse_board(source: str | Mapping[str, Any], origin: str, *, folder: Path = BOARDS) -> Board:
    """A board from TOML text or plain data; `origin` is the file's name, bases lie in `folder`. Raises BoardError."""
    data = _toml(source, origin) if isinstance(source, str) else source
    return _board(Path(origin).stem, Layer(origin, data), folder)


def _board(name: str, top: Layer, folder: Path) -> Board:
    layers = _layers(top, folder)
    merged: dict[str, Any] = {}
    for layer in reversed(layers):
        merged = _merge(merged, {key: value for key, value in layer.data.items() if key != "base"})
    try:
        return board_of(name, merged)
    except Complaint as complaint:
        raise board_error(_origin(layers, complaint.place), complaint.place, complaint.message) from None


def _layers(top: Layer, folder: Path) -> list[Layer]:
    """The file and its bases, the topmost first. Raises BoardError."""
    layers = [top]
    seen: list[str] = []
    while "base" in (lowest := layers[-1]).data:
        base = lowest.data["base"]
        if not isinstance(base, str) or re.fullmatch(r"[A-Za-z0-9_-]{1,64}\.toml", base) is None:
            message = f"should be a file name such as '_rpi.toml' (got {shown(base)})"
            raise board_error(lowest.origin, ("base",), message)
        if base in seen:
            message = f"bases go round in a circle: {' -> '.join([*seen, base])}"
            raise board_error(lowest.origin, ("base",), message)
        if len(seen) == MOST_BASES:
            raise board_error(lowest.origin, ("base",), f"more than {MOST_BASES} bases under one board (got {base!r})")
        path = _base(folder, base)
        if path is None:
            found = sorted({file.name for place in (folder, BOARDS) for file in place.glob("_*.toml")})
            raise board_error(lowest.origin, ("base",), unknown("file", base, found))
        origin = str(path) if path.parent == folder and "/" in top.origin else base
        layers.append(Layer(origin, _toml(_text(path, origin), origin)))
        seen.append(base)
    return layers


def _base(folder: Path, name: str) -> Path | None:
    """A base beside the board, else one that comes with the project: one's own board needs no copy of it."""
    return next((path for place in (folder, BOARDS) if (path := place / name).is_file()), None)


def _merge(low: Mapping[str, Any], high: Mapping[str, Any], place: tuple[str, ...] = ()) -> dict[str, Any]:
    merged = dict(low)
    for key, value in high.items():
        under = merged.get(key)
        whole = len(place) == 1 and place[0] in WHOLE
        if isinstance(under, Mapping) and isinstance(value, Mapping) and not whole:
            merged[key] = _merge(under, value, (*place, key))
        else:
            merged[key] = value
    return merged


def _origin(layers: list[Layer], place: Place) -> str:
    """The file to blame for a place: the topmost of those that come nearest to it."""
    if place[0] in WHOLE:
        place = place[:2]
    depths = [_depth(layer.data, place) for layer in layers]
    return layers[depths.index(max(depths))].origin


def _depth(data: object, place: Place) -> int:
    depth = 0
    for part in place:
        if not isinstance(data, Mapping) or part not in data:
            break
        data = data[part]
        depth += 1
    return depth


def _text(path: Path, origin: str) -> str:
    try:
        if not path.is_file():
            raise BoardError(origin, "is a directory" if path.is_dir() else "no such file")
        with path.open("rb") as file:
            raw = file.read(LARGEST + 1)
    except OSError as error:
        raise BoardError(origin, f"cannot be read: {error.strerror}") from None
    except ValueError as error:  # a path with a zero byte in it
        raise BoardError(origin, f"cannot be read: {error}") from None
    if len(raw) > LARGEST:
        raise BoardError(origin, f"is larger than {LARGEST} bytes")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise BoardError(f"{origin}: line {line}", f"is not UTF-8 (byte 0x{raw[error.start]:02x})") from None


def _toml(text: str, origin: str) -> dict[str, Any]:
    # Here, because a process that never reads a board should not pay for the import.
    import tomllib

    try:
        return tomllib.loads(text)
    except RecursionError:
        raise BoardError(origin, "is nested too deeply") from None
    except ValueError as error:
        message = str(error)
        where = re.search(r" \(at (?:line (\d+), column (\d+)|(end of document))\)$", message)
        if where is not None:
            spot = "end of file" if where[3] else f"line {where[1]}, column {where[2]}"
            origin, message = f"{origin}: {spot}", message[: where.start()]
        message = message if message.isprintable() else ascii(message)
        raise BoardError(origin, f"is not TOML: {message[0].lower()}{message[1:200]}") from None
