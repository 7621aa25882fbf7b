"""A squashfs image read with bounds: superblock, metadata, inodes, directories. It never mounts and never writes.

Every count and offset is checked against the image before it is used, and what is unpacked at a time is at most
one block. Reference: the Linux kernel's documentation, Squashfs 4.0.
"""

from __future__ import annotations

import lzma
import struct
import sys
import zlib
from array import array
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from firmware.upgrade.refusals import Refusal, Why, shown

METADATA = 8192
MAGIC = 0x73717368
GZIP, XZ = 1, 4
NOTHING = 0xFFFFFFFF
NO_TABLE = 0xFFFFFFFFFFFFFFFF
UNPACKED_DATA, UNPACKED_METADATA = 1 << 24, 1 << 15
LARGEST_BLOCK = 1 << 20
LARGEST_FILE = 1 << 31
MEMORY_XZ = 16 * 1024 * 1024
_SUPERBLOCK = struct.Struct("<IIIIIHHHHHHQQQQQQQQ")
_INODE = struct.Struct("<HHHHII")
_KEPT_BLOCKS = 32


class Kind(Enum):
    """What an inode is, as far as this firmware cares."""

    FOLDER = "folder"
    FILE = "file"
    OTHER = "link or device"


# The numbers of inode types; 8 and above are the same with more fields.
_KINDS = {1: Kind.FOLDER, 2: Kind.FILE, 8: Kind.FOLDER, 9: Kind.FILE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Superblock:
    """The fields that are used; offsets and sizes in bytes."""

    inodes: int
    block_size: int
    compressor: int
    fragments: int
    root: int
    used: int
    inode_table: int
    folder_table: int
    fragment_table: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Inode:
    """A file or folder. `blocks` are the stored sizes of a file's blocks, `at` where the first lies."""

    kind: Kind
    number: int
    mode: int
    links: int = 1
    size: int = 0
    at: int = 0
    blocks: Sequence[int] = ()
    fragment: int = NOTHING
    fragment_at: int = 0
    listing: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class Entry:
    """A name in a folder, and where its inode is."""

    name: bytes
    inode: int


def damaged(what: str) -> Refusal:
    """The refusal of an image that contradicts itself."""
    return Refusal(Why.IMAGE_FORM, what)


class Squashfs:
    """One image, read through `read(offset, count)`, which gives exactly that many bytes or raises Refusal."""

    def __init__(self, read: Callable[[int, int], bytes], size: int) -> None:
        self._read = read
        self._size = size
        self._kept: OrderedDict[int, tuple[bytes, int]] = OrderedDict()
        self.superblock = self._superblock()

    def root(self) -> Inode:
        """The inode of the top folder. Raises Refusal."""
        found = self.inode(self.superblock.root)
        if found.kind is not Kind.FOLDER:
            raise damaged("its root is no folder")
        return found

    def inode(self, reference: int) -> Inode:
        """The inode at a reference: block of the inode table, and offset in it. Raises Refusal."""
        stream = self._stream(self.superblock.inode_table, reference, self.superblock.folder_table)
        number, mode, _, _, _, inode = _INODE.unpack(stream.take(_INODE.size))
        kind = _KINDS.get(number, Kind.OTHER)
        if kind is Kind.OTHER:
            return Inode(kind=kind, number=inode, mode=mode)
        return (_folder if kind is Kind.FOLDER else self._file)(stream, number > 7, mode, inode)

    def entries(self, folder: Inode) -> Iterator[Entry]:
        """The names in a folder. Raises Refusal."""
        block, offset = folder.listing
        # An empty folder has size 3: the two names that are not stored, and one.
        left = folder.size - 3
        if left <= 0:
            return
        top = self.superblock.fragment_table if self.superblock.fragments else self.superblock.used
        stream = self._stream(self.superblock.folder_table, block << 16 | offset, top)
        while left > 0:
            count, start, _ = struct.unpack("<III", stream.take(12))
            left -= 12
            if count >= 256:
                raise damaged("more than 256 names under one header")
            for _ in range(count + 1):
                at, _, _, length = struct.unpack("<HhHH", stream.take(8))
                left -= 8 + length + 1
                yield Entry(stream.take(length + 1), start << 16 | at)
        if left:
            raise damaged("a folder's size does not fit its names")

    def check_extent(self, inode: Inode) -> None:
        """Whether a file's blocks and fragment lie inside the image. Raises Refusal."""
        end = inode.at + sum(size & (UNPACKED_DATA - 1) for size in inode.blocks)
        if inode.blocks and (inode.at < _SUPERBLOCK.size or end > self.superblock.inode_table):
            raise damaged("a file lies outside of the image")
        if inode.fragment != NOTHING:
            tail = inode.size % self.superblock.block_size
            if inode.fragment >= self.superblock.fragments or inode.fragment_at + tail > self.superblock.block_size:
                raise damaged("the end of a file lies outside of the image")

    def block(self, inode: Inode, index: int, at: int) -> bytes:
        """One block of a file, unpacked; `at` is where it is stored. Raises Refusal."""
        wanted = min(self.superblock.block_size, inode.size - index * self.superblock.block_size)
        if index == len(inode.blocks):
            return self._fragment(inode.fragment)[inode.fragment_at : inode.fragment_at + wanted]
        stored = inode.blocks[index]
        size = stored & (UNPACKED_DATA - 1)
        data = self._data(at, size, packed=not stored & UNPACKED_DATA) if size else bytes(wanted)
        if len(data) != wanted:
            raise damaged("a block has another size than it should")
        return data

    def content(self, inode: Inode) -> Iterator[bytes]:
        """The content of a file, a block at a time. Raises Refusal."""
        self.check_extent(inode)
        at = inode.at
        for index, stored in enumerate(inode.blocks):
            yield self.block(inode, index, at)
            at += stored & (UNPACKED_DATA - 1)
        if inode.fragment != NOTHING:
            yield self.block(inode, len(inode.blocks), at)

    def _fragment(self, index: int) -> bytes:
        (at,) = struct.unpack("<Q", self._read(self.superblock.fragment_table + index // 512 * 8, 8))
        packed, _ = self._metadata(at)
        start, stored, _ = struct.unpack_from("<QII", packed.ljust(METADATA, b"\0"), index % 512 * 16)
        size = stored & (UNPACKED_DATA - 1)
        return self._data(start, size, packed=not stored & UNPACKED_DATA)

    def _data(self, at: int, size: int, *, packed: bool) -> bytes:
        if size > self.superblock.block_size:
            raise damaged("a block is larger than blocks are")
        data = self._read(at, size)
        return self._unpack(data, self.superblock.block_size) if packed else data

    def _superblock(self) -> Superblock:
        if self._size < _SUPERBLOCK.size:
            raise damaged("shorter than its first block")
        fields = _SUPERBLOCK.unpack(self._read(0, _SUPERBLOCK.size))
        magic, inodes, _, block, fragments, compressor, log, _, _, major, minor, root, used, *tables = fields
        _, xattrs, inode_table, folder_table, fragment_table, _ = tables
        if magic != MAGIC or (major, minor) != (4, 0):
            raise damaged("not squashfs 4.0")
        if compressor not in (GZIP, XZ):
            raise damaged(f"packed by method {compressor}; gzip (1) and xz (4) can be read")
        if block != 1 << log or not 4096 <= block <= LARGEST_BLOCK:
            raise damaged(f"blocks of {block} bytes")
        if xattrs != NO_TABLE:
            raise damaged("it has extended attributes")
        if not _SUPERBLOCK.size <= inode_table < folder_table <= used <= self._size:
            raise damaged("its tables lie outside of it")
        if fragments and not folder_table < fragment_table < used:
            raise damaged("its fragments lie outside of it")
        return Superblock(
            inodes=inodes,
            block_size=block,
            compressor=compressor,
            fragments=fragments,
            root=root,
            used=used,
            inode_table=inode_table,
            folder_table=folder_table,
            fragment_table=fragment_table,
        )

    def _file(self, stream: Stream, extended: bool, mode: int, number: int) -> Inode:
        if extended:
            at, size, _, links, fragment, fragment_at, xattrs = struct.unpack("<QQQIIII", stream.take(40))
            if xattrs != NOTHING:
                raise damaged("a file has extended attributes")
        else:
            links = 1
            at, fragment, fragment_at, size = struct.unpack("<IIII", stream.take(16))
        if size > LARGEST_FILE:
            raise Refusal(Why.BOMB, f"a file of {size} bytes; the largest is {LARGEST_FILE}")
        whole, tail = divmod(size, self.superblock.block_size)
        count = whole + (1 if tail and fragment == NOTHING else 0)
        # No more blocks than the table of inodes has room for: a lie about the size stops here.
        if count * 4 > (self.superblock.folder_table - self.superblock.inode_table) * 512:
            raise Refusal(Why.BOMB, f"a file of {size} bytes")
        blocks = array("I", stream.take(count * 4))
        if sys.byteorder == "big":
            blocks.byteswap()
        return Inode(
            kind=Kind.FILE,
            number=number,
            mode=mode,
            links=links,
            size=size,
            at=at,
            blocks=blocks,
            fragment=fragment,
            fragment_at=fragment_at,
        )

    def _stream(self, table: int, reference: int, top: int) -> Stream:
        at = table + (reference >> 16)
        if at >= top or reference & 0xFFFF >= METADATA:
            raise damaged("a reference leads outside of its table")
        return Stream(self._metadata, at, reference & 0xFFFF, top)

    def _metadata(self, at: int) -> tuple[bytes, int]:
        """A block of metadata, unpacked, and where the next one starts. Raises Refusal."""
        if at in self._kept:
            self._kept.move_to_end(at)
            return self._kept[at]
        if not 0 <= at <= self._size - 2:
            raise damaged("metadata outside of the image")
        (header,) = struct.unpack("<H", self._read(at, 2))
        size = header & (UNPACKED_METADATA - 1)
        if not 0 < size <= METADATA or at + 2 + size > self._size:
            raise damaged("metadata outside of the image")
        data = self._read(at + 2, size)
        unpacked = data if header & UNPACKED_METADATA else self._unpack(data, METADATA)
        self._kept[at] = unpacked, at + 2 + size
        if len(self._kept) > _KEPT_BLOCKS:
            self._kept.popitem(last=False)
        return self._kept[at]

    def _unpack(self, data: bytes, most: int) -> bytes:
        """Unpack at most `most` bytes. Raises Refusal when there are more, or less than the data promised."""
        try:
            if self.superblock.compressor == GZIP:
                gzip = zlib.decompressobj()
                unpacked = gzip.decompress(data, most + 1)
                ended = gzip.eof
            else:
                xz = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MEMORY_XZ)
                unpacked = xz.decompress(data, most + 1)
                ended = xz.eof
        except (zlib.error, lzma.LZMAError) as error:
            raise damaged(f"a block cannot be unpacked ({error})") from None
        if len(unpacked) > most or not ended:
            raise Refusal(Why.BOMB, f"a block of {len(data)} bytes unpacks to more than {most}")
        return unpacked


class Stream:
    """Consecutive metadata blocks as one run of bytes."""

    def __init__(self, block: Callable[[int], tuple[bytes, int]], at: int, offset: int, top: int) -> None:
        self._block = block
        self._at = at
        self._offset = offset
        self._top = top

    def take(self, count: int) -> bytes:
        """Exactly `count` bytes. Raises Refusal at the end of the table."""
        found = bytearray()
        while len(found) < count:
            if self._at >= self._top:
                raise damaged("a table ends too early")
            data, after = self._block(self._at)
            piece = data[self._offset : self._offset + count - len(found)]
            found += piece
            self._offset += len(piece)
            if self._offset >= len(data):
                self._at, self._offset = after, 0
        return bytes(found)


def _folder(stream: Stream, extended: bool, mode: int, number: int) -> Inode:
    if extended:
        links, size, block, _, _, offset, xattrs = struct.unpack("<IIIIHHI", stream.take(24))
        if xattrs != NOTHING:
            raise damaged("a folder has extended attributes")
    else:
        block, links, size, offset, _ = struct.unpack("<IIHHI", stream.take(16))
    return Inode(kind=Kind.FOLDER, number=number, mode=mode, links=links, size=size, listing=(block, offset))


def checked_name(raw: bytes, where: str) -> str:
    """A name that a file may have: printable UTF-8, no path and no `.` or `..`. Raises Refusal."""
    try:
        name = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise Refusal(Why.PATH, f"{where}: {shown(raw)}") from None
    if not name or name in (".", "..") or "/" in name or "\\" in name or len(raw) > 255 or not name.isprintable():
        raise Refusal(Why.PATH, f"{where}: {shown(name)}")
    return name
