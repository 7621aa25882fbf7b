"""A simulated medium that knows what a loss of power may leave of it.

Content is on it after `flush` of the file, names after `sync` of the folder. Until then any subset may survive:
of a file its former content, the new one, nothing, or half; of an in-place write any subset of its sectors; of
the changes of a folder any subset. A state of the medium is frozen into nested tuples, which compare and hash.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import combinations, product
from typing import TypeAlias

SECTOR = 512
# More unflushed changes of one folder than this are cut to: every one, none, each prefix, and each one missing.
EVERY_SUBSET = 5

Frozen: TypeAlias = "bytes | tuple[tuple[str, Frozen], ...]"


class File:
    """Content now, and what a loss of power leaves of it."""

    __slots__ = ("data", "durable", "in_place")

    def __init__(self, data: bytes, durable: bytes) -> None:
        self.data = data
        self.durable = durable
        self.in_place = False

    def options(self) -> list[Frozen]:
        if self.data == self.durable:
            return [self.durable]
        if not self.in_place:
            half = self.data[: len(self.data) // 2].ljust(len(self.data), b"\0")
            return list(dict.fromkeys((self.durable, self.data, b"", half)))
        size = max(len(self.data), len(self.durable))
        old, new = self.durable.ljust(size, b"\0"), self.data.ljust(size, b"\0")
        places = range(0, size, SECTOR)
        differing = [at for at in places if old[at : at + SECTOR] != new[at : at + SECTOR]]
        found: list[Frozen] = []
        for count in range(len(differing) + 1):
            for chosen in combinations(differing, count):
                parts = (new if at in chosen else old for at in places)
                found.append(b"".join(part[at : at + SECTOR] for part, at in zip(parts, places, strict=True)))
        return found


Change: TypeAlias = "tuple[tuple[str, Node | None], ...]"


class Folder:
    """Names now, those on the medium, and the changes in between."""

    __slots__ = ("changes", "durable", "found", "now")

    def __init__(self) -> None:
        self.found: list[Frozen] | None = None  # the options, until something below changes
        self.now: dict[str, Node] = {}
        self.durable: dict[str, Node] = {}
        self.changes: list[Change] = []

    def apply(self, change: Change) -> None:
        _apply(self.now, change)
        self.changes.append(change)

    def options(self) -> list[Frozen]:
        if self.found is None:
            self.found = self._options()
        return self.found

    def _options(self) -> list[Frozen]:
        found: dict[Frozen, None] = {}
        for chosen in _subsets(self.changes):
            names = dict(self.durable)
            for change in chosen:
                _apply(names, change)
            order = sorted(names)
            for children in product(*(names[name].options() for name in order)):
                found[tuple(zip(order, children, strict=True))] = None
        return list(found)


Node: TypeAlias = File | Folder


def _apply(names: dict[str, Node], change: Change) -> None:
    for name, node in change:
        if node is None:
            names.pop(name, None)
        else:
            names[name] = node


def _subsets(changes: list[Change]) -> Iterator[tuple[Change, ...]]:
    if len(changes) <= EVERY_SUBSET:
        for count in range(len(changes) + 1):
            yield from combinations(changes, count)
        return
    for end in range(len(changes) + 1):
        yield tuple(changes[:end])
    for missing in range(len(changes)):
        yield (*changes[:missing], *changes[missing + 1 :])


class SimMedium:
    """Implements `Medium`; `before` is called before every step that changes something."""

    def __init__(self, frozen: Frozen = (), before: Callable[[], None] = lambda: None) -> None:
        root = _thaw(frozen)
        assert isinstance(root, Folder)
        self.root = root
        self.before = before
        self.steps = 0

    def survivors(self) -> list[Frozen]:
        """Every state that a loss of power now may leave."""
        return self.root.options()

    def freeze(self) -> Frozen:
        """The state as it is seen now."""
        return _freeze(self.root)

    # the operations

    def read(self, path: str) -> bytes:
        return self._file(path).data

    def chunks(self, path: str) -> Iterator[bytes]:
        yield self._file(path).data

    def names(self, path: str) -> dict[str, bool]:
        return {name: isinstance(node, Folder) for name, node in self._folder(path).now.items()}

    def write(self, path: str, chunks: Iterable[bytes]) -> None:
        data = b"".join(chunks)
        self._step(path)
        folder, name = self._place(path)
        node = folder.now.get(name)
        if isinstance(node, Folder):
            raise IsADirectoryError(path)
        if node is None:
            folder.apply(((name, File(data, b"")),))
        else:
            node.data, node.in_place = data, False

    def overwrite(self, path: str, data: bytes) -> None:
        self._step(path)
        node = self._file(path)
        node.data = data + node.data[len(data) :]
        node.in_place = True
        self.flush(path)

    def flush(self, path: str) -> None:
        self._step(path)
        node = self._file(path)
        node.durable = node.data

    def rename(self, path: str, to: str) -> None:
        self._step(path)
        folder, name = self._place(path)
        other, new = self._place(to)
        assert folder is other, "a name changes within its folder"
        if name not in folder.now:
            raise FileNotFoundError(path)
        if isinstance(folder.now.get(new), Folder):
            raise OSError(f"{to} is a folder that is not empty")
        folder.apply(((name, None), (new, folder.now[name])))

    def remove(self, path: str) -> None:
        self._step(path)
        self._file(path)
        folder, name = self._place(path)
        folder.apply(((name, None),))

    def make_folder(self, path: str) -> None:
        folder, name = self._place(path)
        if isinstance(folder.now.get(name), Folder):
            return
        self._step(path)
        folder.apply(((name, Folder()),))

    def remove_folder(self, path: str) -> None:
        self._step(path)
        if self._folder(path).now:
            raise OSError(f"{path} is not empty")
        folder, name = self._place(path)
        folder.apply(((name, None),))

    def sync(self, path: str) -> None:
        self._step(path)
        folder = self._folder(path)
        folder.durable = dict(folder.now)
        folder.changes.clear()

    # inside

    def _step(self, path: str) -> None:
        """Something at `path` is about to change."""
        self.steps += 1
        self.before()
        node: Node | None = self.root
        for name in path.split("/"):
            if not isinstance(node, Folder):
                return
            node.found = None
            node = node.now.get(name)
        if isinstance(node, Folder):
            node.found = None

    def _place(self, path: str) -> tuple[Folder, str]:
        folder, _, name = path.rpartition("/")
        return self._folder(folder), name

    def _folder(self, path: str) -> Folder:
        node: Node = self.root
        for name in path.split("/") if path else ():
            if not isinstance(node, Folder):
                raise NotADirectoryError(path)
            if name not in node.now:
                raise FileNotFoundError(path)
            node = node.now[name]
        if not isinstance(node, Folder):
            raise NotADirectoryError(path)
        return node

    def _file(self, path: str) -> File:
        folder, name = self._place(path)
        node = folder.now.get(name)
        if node is None:
            raise FileNotFoundError(path)
        if isinstance(node, Folder):
            raise IsADirectoryError(path)
        return node


def _thaw(frozen: Frozen) -> Node:
    if isinstance(frozen, bytes):
        return File(frozen, frozen)
    folder = Folder()
    folder.now = {name: _thaw(child) for name, child in frozen}
    folder.durable = dict(folder.now)
    return folder


def _freeze(node: Node) -> Frozen:
    if isinstance(node, File):
        return node.data
    return tuple((name, _freeze(child)) for name, child in sorted(node.now.items()))


def at(frozen: Frozen, path: str) -> Frozen | None:
    """What lies at a path of a frozen state."""
    for name in path.split("/"):
        if isinstance(frozen, bytes):
            return None
        found = next((child for each, child in frozen if each == name), None)
        if found is None:
            return None
        frozen = found
    return frozen


def put(frozen: Frozen, path: str, content: bytes) -> Frozen:
    """A frozen state with another content of a file that is there."""
    name, _, rest = path.partition("/")
    assert not isinstance(frozen, bytes)
    return tuple(
        (each, (put(child, rest, content) if rest else content) if each == name else child) for each, child in frozen
    )
