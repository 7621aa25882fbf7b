"""What `strace` saw of file operations, played onto the simulated medium: every state a loss of power may leave."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.unit.upgrade.model.medium import File, Folder, Frozen, SimMedium

CALLS = (
    "openat,open,creat,close,write,pwrite64,lseek,ftruncate,truncate,fsync,fdatasync,sync_file_range,"
    "rename,renameat,renameat2,unlink,unlinkat,rmdir,mkdir,mkdirat,link,linkat,symlink,symlinkat,dup,dup2,dup3,"
    "writev,pwritev,copy_file_range,sendfile,mmap"
)
_LINE = re.compile(rb"(?:\[pid +\d+\] |\d+ +)?(\w+)\((.*)\) += (-?\d+|\?|0x[0-9a-f]+)(?: .*)?$")
_TEXT = re.compile(rb'"((?:\\x[0-9a-f]{2})*)"')


def image(root: Path) -> Frozen:
    """A folder as a frozen state."""
    return tuple((path.name, image(path) if path.is_dir() else path.read_bytes()) for path in sorted(root.iterdir()))


def lay_out(frozen: Frozen, root: Path) -> None:
    """A frozen state as a folder; runs of zeros become holes."""
    root.mkdir()
    assert not isinstance(frozen, bytes)
    for name, child in frozen:
        if not isinstance(child, bytes):
            lay_out(child, root / name)
            continue
        with (root / name).open("wb") as file:
            content = child.rstrip(b"\0")
            for at in range(0, len(content), 4096):
                if any(piece := content[at : at + 4096]):
                    file.seek(at)
                    file.write(piece)
            file.truncate(len(child))


@dataclass
class Open:
    """An open file below the root."""

    path: str
    at: int
    waits: bool
    appends: bool


class Replay:
    """One trace below one root; `said` is what the program had written to standard output so far."""

    def __init__(self, root: Path, frozen: Frozen, look: Callable[[Replay], None]) -> None:
        self.root = str(root).encode()
        self.said: list[str] = []
        self.calls = 0
        self._look = look
        self.medium = SimMedium(frozen, lambda: look(self))
        self._open: dict[int, Open] = {}

    def play(self, trace: bytes) -> None:
        """Every call, in order."""
        for name, words, value in _calls(trace):
            if value >= 0:
                self._call(name, words, value)
        self._look(self)

    def _call(self, name: str, words: bytes, value: int) -> None:
        texts = [bytes.fromhex(text.replace(b"\\x", b"").decode()) for text in _TEXT.findall(words)]
        inside = [path for text in texts if (path := self._below(text)) is not None]
        if name in ("openat", "open"):
            self._opened(inside, words, value)
        elif name in ("write", "pwrite64", "lseek", "close", "fsync", "fdatasync"):
            self._on_descriptor(name, words, texts, value)
        elif name in ("rename", "renameat", "renameat2") and inside:
            self.calls += 1
            self.medium.rename(*inside)
        elif name in ("unlink", "unlinkat", "rmdir") and inside:
            self.calls += 1
            gone = b"AT_REMOVEDIR" in words or name == "rmdir"
            (self.medium.remove_folder if gone else self.medium.remove)(inside[0])
        elif name in ("mkdir", "mkdirat") and inside:
            self.calls += 1
            self.medium.make_folder(inside[0])
        elif name == "mmap":
            number = int(words.split(b",")[4])
            assert number not in self._open or b"PROT_WRITE" not in words, "a mapping escapes the replay"
        else:
            known = name in ("lseek", "dup", "dup2", "dup3") and int(words.split(b",")[0]) not in self._open
            assert known or not inside, f"{name} is not replayed"

    def _below(self, path: bytes) -> str | None:
        if path == self.root:
            return ""
        return path[len(self.root) + 1 :].decode() if path.startswith(self.root + b"/") else None

    def _opened(self, inside: list[str], words: bytes, value: int) -> None:
        self._open.pop(value, None)
        if not inside:
            return
        self._open[value] = Open(inside[0], 0, b"O_DSYNC" in words or b"O_SYNC" in words, b"O_APPEND" in words)
        if b"O_CREAT" in words and (b"O_TRUNC" in words or not self._has(inside[0])):
            self.calls += 1
            self.medium.write(inside[0], ())
        else:
            assert b"O_TRUNC" not in words, "truncation without O_CREAT is not replayed"

    def _has(self, path: str) -> bool:
        folder, _, name = path.rpartition("/")
        return name in self.medium.names(folder)

    def _on_descriptor(self, name: str, words: bytes, texts: list[bytes], value: int) -> None:
        number = int(words.split(b",")[0])
        if name == "write" and number == 1:
            self.said.append(texts[0].decode())
        opened = self._open.get(number)
        if opened is None:
            return
        if name == "close":
            del self._open[number]
        elif name == "lseek":
            opened.at = value
        elif name in ("fsync", "fdatasync"):
            self.calls += 1
            is_folder = opened.path == "" or isinstance(self._node(opened.path), Folder)
            (self.medium.sync if is_folder else self.medium.flush)(opened.path)
        else:
            self._written(opened, texts[0][:value], int(words.rsplit(b",", 1)[1]) if name == "pwrite64" else None)

    def _written(self, opened: Open, data: bytes, at: int | None) -> None:
        self.calls += 1
        node = self._node(opened.path)
        assert isinstance(node, File)
        if at is None:
            at = len(node.data) if opened.appends else opened.at
            opened.at = at + len(data)
        was_there = len(node.data) >= at + len(data)
        self.medium._step(opened.path)
        node.data = node.data[:at].ljust(at, b"\0") + data + node.data[at + len(data) :]
        node.in_place = was_there
        if opened.waits:
            self.medium.flush(opened.path)

    def _node(self, path: str) -> File | Folder:
        folder, _, name = path.rpartition("/")
        return self.medium._folder(folder).now[name]


def _calls(trace: bytes) -> Iterator[tuple[str, bytes, int]]:
    for line in trace.splitlines():
        found = _LINE.match(line)
        if found is not None:
            value = found[3]
            yield (
                found[1].decode(),
                found[2],
                int(value, 16) if value.startswith(b"0x") else -1 if value == b"?" else int(value),
            )
        else:
            assert b"unfinished" not in line, "only one thread at a time can be replayed"
