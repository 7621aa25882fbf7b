"""What the device itself says in English and a page may show: summaries of parameters, and the messages of its errors.

The wire and the API stay English, the pages translate at their edge (`firmware/interfaces/web/phrases.py`). So every
message is found here, in the source, as a template: `f"no door {name!r}"` is `no door {0!r}`, where `!r` says that
what stands there is quoted. What is said in several ways gives several templates; the hints of `nearest` and the value
that `explain` repeats are endings of their own (`ENDINGS`), cut off here as the pages cut them off.
"""

from __future__ import annotations

import ast
import itertools
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import firmware.core.errors
import hal.errors
from firmware.interfaces.web.phrases import ENDINGS
from tools.device_sources import ANSWERS, CHECKS, ELSEWHERE, MISTAKES, SENTENCES, SPEAKERS, SQLITE, SYSTEM, TABLES

ROOT = Path(__file__).resolve().parents[1]
ERRORS = frozenset(
    name
    for module in (firmware.core.errors, hal.errors)
    for name, kind in vars(module).items()
    if isinstance(kind, type) and issubclass(kind, firmware.core.errors.StationError | hal.errors.HalError)
)
MOST_WAYS = 24
DEEPEST = 6


@dataclass(frozen=True, slots=True)
class Hole:
    """What is not known until it is said; `quoted`: it is written with quotation marks around it."""

    quoted: bool = False


Piece = str | Hole
Way = tuple[Piece, ...]
UNKNOWN: Way = (Hole(),)


@dataclass(slots=True)
class Module:
    """One file: its tree, what its names and attributes stand for, and from where it took others."""

    path: Path
    tree: ast.Module
    values: dict[str, list[ast.expr]] = field(default_factory=dict)
    attributes: dict[str, list[ast.expr]] = field(default_factory=dict)
    functions: dict[str, ast.FunctionDef] = field(default_factory=dict)
    taken: dict[str, str] = field(default_factory=dict)


@cache
def module(path: Path) -> Module:
    """Read a file once."""
    found = Module(path, ast.parse(path.read_text(encoding="utf-8")))
    for node in ast.walk(found.tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            found.taken |= {each.asname or each.name: node.module for each in node.names}
        if isinstance(node, ast.FunctionDef):
            found.functions[node.name] = node
        for name, value in _assigned(node):
            if name.startswith("."):
                found.attributes.setdefault(name, []).append(value)
    for line in found.tree.body:
        for name, value in _assigned(line):
            found.values.setdefault(name, []).append(value)
    return found


def _assigned(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """The names and attributes that a statement gives a value."""
    targets: Sequence[ast.expr] = ()
    value: ast.expr | None = None
    match node:
        case ast.Assign():
            targets, value = node.targets, node.value
        case ast.AnnAssign() | ast.AugAssign() | ast.NamedExpr():
            targets, value = (node.target,), node.value
    if value is None:
        return
    for target in targets:
        if isinstance(target, ast.Name):
            yield target.id, value
        elif isinstance(target, ast.Attribute):
            yield f".{target.attr}", value
        elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
            for one, its in zip(target.elts, value.elts, strict=False):
                if isinstance(one, ast.Name | ast.Attribute):
                    yield one.id if isinstance(one, ast.Name) else f".{one.attr}", its


class Reader:
    """Reads one expression in its place: the function around it, then its module."""

    def __init__(self, where: Module, around: ast.AST | None) -> None:
        self._where = where
        self._local: dict[str, list[ast.expr]] = {}
        for node in ast.walk(around) if around is not None else ():
            for name, value in _assigned(node):
                self._local.setdefault(name, []).append(value)

    def ways(self, node: ast.expr, depth: int = DEEPEST) -> list[Way]:
        """The ways in which a text may read; a way of nothing but a hole where it cannot be known."""
        if depth == 0:
            return [UNKNOWN]
        match node:
            case ast.Constant(value=str() as text):
                return [(text,)]
            case ast.JoinedStr():
                return _joined([self._part(each, depth) for each in node.values])
            case ast.BinOp(op=ast.Add()):
                return _joined([self.ways(node.left, depth - 1), self.ways(node.right, depth - 1)])
            case ast.IfExp():
                return self.ways(node.body, depth - 1) + self.ways(node.orelse, depth - 1)
            case ast.BoolOp(op=ast.Or()):
                return [way for each in node.values for way in self.ways(each, depth - 1)]
            case ast.Call():
                return self._called(node, depth)
            case ast.Subscript():
                return self._table(node.value, depth) or [UNKNOWN]
            case ast.Name():
                return self._named(node.id, depth)
            case ast.Attribute():
                return self._of(self._where.attributes.get(f".{node.attr}", []), depth)
        return [UNKNOWN]

    def _part(self, node: ast.expr, depth: int) -> list[Way]:
        if not isinstance(node, ast.FormattedValue):
            return self.ways(node, depth)
        if node.conversion in (ord("r"), ord("a")) and node.format_spec is None:
            return [(Hole(quoted=True),)]
        if node.conversion != -1 or node.format_spec is not None:
            return [UNKNOWN]
        found = self.ways(node.value, depth - 1)
        # A hole that has its own words is spelled out; of one that may hold anything the template says nothing.
        return found if all(isinstance(piece, str) for way in found for piece in way) else [UNKNOWN]

    def _called(self, node: ast.Call, depth: int) -> list[Way]:
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        if name == "nearest":
            return [("",)]
        if name == "get" and isinstance(node.func, ast.Attribute) and len(node.args) == 2:
            return self._table(node.func.value, depth) + self.ways(node.args[1], depth - 1)
        function = self._where.functions.get(name)
        if function is not None and (returned := _returned(function)):
            inside = Reader(self._where, function)
            return [way for each in returned for way in inside.ways(each, depth - 1)]
        return [UNKNOWN]

    def _table(self, node: ast.expr, depth: int) -> list[Way]:
        """Every text of a table that is a constant of a module."""
        if not isinstance(node, ast.Name):
            return []
        tables = [each for each in self._values(node.id) if isinstance(each, ast.Dict)]
        return [way for table in tables for value in table.values for way in self.ways(value, depth - 1)]

    def _named(self, name: str, depth: int) -> list[Way]:
        if name in self._local:
            return self._of(self._local[name], depth)
        return self._of(self._values(name), depth)

    def _values(self, name: str) -> list[ast.expr]:
        """What a constant stands for, in this module or the one it was taken from."""
        if name in self._where.values:
            return self._where.values[name]
        origin = ROOT / (self._where.taken.get(name, "-").replace(".", "/") + ".py")
        return module(origin).values.get(name, []) if origin.is_file() else []

    def _of(self, values: list[ast.expr], depth: int) -> list[Way]:
        return [way for each in values for way in self.ways(each, depth - 1)] or [UNKNOWN]


def _returned(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.expr]:
    return [node.value for node in ast.walk(function) if isinstance(node, ast.Return) and node.value is not None]


def _joined(parts: list[list[Way]]) -> list[Way]:
    """Every way to say several parts one after the other."""
    ways: list[Way] = []
    for choice in itertools.islice(itertools.product(*parts), MOST_WAYS):
        pieces: list[Piece] = []
        for piece in itertools.chain.from_iterable(choice):
            before = pieces[-1] if pieces else None
            if isinstance(piece, str) and isinstance(before, str):
                pieces[-1] = before + piece
            elif isinstance(piece, Hole) and isinstance(before, Hole):
                pieces[-1] = Hole()  # nobody can tell where the one ends
            elif piece != "":
                pieces.append(piece)
        ways.append(tuple(pieces))
    return ways


def template(way: Way) -> str:
    """A way as a catalogue names it; empty when there is no word in it."""
    numbers = itertools.count()
    text = "".join(
        piece.replace("{", "{{").replace("}", "}}")
        if isinstance(piece, str)
        else f"{{{next(numbers)}{'!r' if piece.quoted else ''}}}"
        for piece in way
    )
    while (cut := _without_ending(text)) != text:
        text = cut
    words = "".join(piece for piece in way if isinstance(piece, str))
    text = text.removeprefix("; ")  # what is added to a message is one of its own
    return text if sum(letter.isalpha() for letter in words) > 3 else ""


def _without_ending(text: str) -> str:
    for ending in ENDINGS:
        start = text.rfind(ending.partition("{")[0])
        if start > 0 and text[start:].count("{") == 1 and text.endswith(ending.rpartition("}")[2]):
            return text[:start]
    return text


def messages_of(node: ast.AST, path: str) -> Iterator[ast.expr]:
    """The expressions of a call, an assignment or a table that are read by people."""
    if isinstance(node, ast.Call):
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        place = 1 if name in ERRORS else SPEAKERS.get(name, -1)
        if name == "refusal" and len(node.args) >= 4:  # of HTTP
            place = 3
        inside = name in MISTAKES and "osdp" not in path
        if 0 <= place < len(node.args) and not inside:
            yield node.args[place]
        for word in node.keywords:
            if word.arg in SENTENCES:
                yield word.value
    if isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant) and key.value in SENTENCES:
                yield value
    for name, value in _assigned(node):
        if name.rpartition("_")[2].lstrip(".") in SENTENCES:
            yield value
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name in ANSWERS:
        for answer in _returned(node):
            yield from answer.elts if isinstance(answer, ast.Tuple) else (answer,)


def found_in(path: Path) -> Iterator[tuple[str, int]]:
    """The templates of one file, with their lines."""
    here = module(path)
    name = path.relative_to(ROOT).as_posix()
    for around, node in _nodes(here.tree, None):
        for message in messages_of(node, name):
            for way in Reader(here, around).ways(message):
                if text := template(way):
                    yield text, message.lineno
    for file, table in TABLES:
        for value in here.values[table] if file == name else ():
            for each in value.values if isinstance(value, ast.Dict) else (value,):
                yield from ((template(way), each.lineno) for way in Reader(here, None).ways(each))


def _nodes(tree: ast.AST, around: ast.AST | None) -> Iterator[tuple[ast.AST | None, ast.AST]]:
    """Every node with the function it is in."""
    for node in ast.iter_child_nodes(tree):
        inner = node if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else around
        yield inner, node
        yield from _nodes(node, inner)


def files() -> list[Path]:
    """The sources whose words a page may show."""
    paths = sorted([*(ROOT / "firmware").rglob("*.py"), *(ROOT / "hal").rglob("*.py")])
    return [path for path in paths if not _elsewhere(path.relative_to(ROOT).as_posix())]


def _elsewhere(name: str) -> bool:
    return any(name == each or name.startswith(f"{each}/") for each in ELSEWHERE)


@cache
def device_texts() -> tuple[str, ...]:
    """Every template once: the endings, what others say within our messages, then ours by file."""
    ours = (text for path in files() for text, _ in found_in(path))
    return tuple(dict.fromkeys((*ENDINGS, *CHECKS, *SQLITE, *map(os.strerror, SYSTEM), *ours)))
