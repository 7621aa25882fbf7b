"""Files over FILETRANSFER, both ends. Source: OSDP 2.2, 6.26 and 7.25.

The sender offers fragments in order and follows the receiver's wishes: delay, message size, waiting. The receiver
takes fragments in order up to its limit, keeps nothing of a broken transfer, and answers a repeated fragment again.
"""

from __future__ import annotations

from dataclasses import dataclass

from hal.osdp.commands import FileTransfer
from hal.osdp.payload import Payload
from hal.osdp.replies import FileStatus

MS = 1_000_000
# FTSTAT status; negative ones end the transfer.
GOING, PROCESSED, REBOOTING, FINISHING = 0, 1, 2, 3
ABORTED, UNRECOGNISED, UNACCEPTABLE = -1, -2, -3
# Beside the fragment: frame head, security block, code, file header, padding, MAC and CRC.
OVERHEAD = 5 + 2 + 1 + 11 + 16 + 4 + 2
SHORTEST_FRAGMENT = 32
LONGEST_WAIT_NS = 60_000 * MS

STATUS_TEXTS = {
    ABORTED: "the reader broke the transfer off",
    UNRECOGNISED: "the reader does not know this file",
    UNACCEPTABLE: "the reader does not accept this file",
}


@dataclass(frozen=True, slots=True)
class Ended:
    """A transfer is over; `reason` is empty when the reader has the file."""

    reason: str


class FileSender:
    """The panel's side of one file."""

    def __init__(self, ticket: int, kind: int, data: bytes, *, message_size: int) -> None:
        self.ticket = ticket
        self.done = 0
        self.total = len(data)
        self.next_ns = 0
        self._kind = kind
        self._data = data
        self._size = max(SHORTEST_FRAGMENT, message_size - OVERHEAD)
        self._waiting_since_ns: int | None = None

    def fragment(self, t_ns: int) -> FileTransfer | None:
        """What to send now; None before its time. After the last byte an empty one asks whether it is finished."""
        if t_ns < self.next_ns:
            return None
        return FileTransfer(self._kind, self.total, self.done, self._data[self.done : self.done + self._size])

    def answered(self, t_ns: int, sent: Payload, status: FileStatus) -> Ended | None:
        """Take the reader's answer; returns how it ended, None to go on."""
        if status.status < 0:
            return Ended(STATUS_TEXTS.get(status.status, f"the reader refused the file with status {status.status}"))
        if isinstance(sent, FileTransfer):
            self.done = max(self.done, sent.offset + len(sent.fragment))
        self.next_ns = t_ns + status.delay_ms * MS
        if status.size:
            self._size = max(SHORTEST_FRAGMENT, min(self._size, status.size - OVERHEAD))
        if status.status in (PROCESSED, REBOOTING):
            if self.done >= self.total:
                return Ended("")
            return Ended(f"the reader ended the transfer after {self.done} of {self.total} bytes")
        if self.done < self.total:
            return None
        if status.status == GOING:
            return Ended("")
        if self._waiting_since_ns is None:
            self._waiting_since_ns = t_ns
        self.next_ns = max(self.next_ns, t_ns + 200 * MS)
        if t_ns - self._waiting_since_ns > LONGEST_WAIT_NS:
            return Ended("the reader did not finish the file within 60 s")
        return None


class FileReceiver:
    """The peripheral's side; at most `limit` bytes are kept."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kind = -1
        self._total = 0
        self._data = bytearray()

    def take(self, part: FileTransfer) -> tuple[FileStatus, bytes | None]:
        """Take a fragment; returns the answer, and the file with the last one."""
        if part.offset == 0 and (part.fragment or part.total == 0):
            self._kind, self._total = part.kind, part.total
            self._data.clear()
        if part.total > self._limit:
            self.abort()
            return FileStatus(0, 0, UNACCEPTABLE), None
        known = part.kind == self._kind and part.total == self._total
        if known and part.offset == self._total and not part.fragment:
            return FileStatus(1, 0, PROCESSED), None
        if not known or part.offset != len(self._data) or part.offset + len(part.fragment) > part.total:
            self.abort()
            return FileStatus(0, 0, ABORTED), None
        self._data += part.fragment
        if len(self._data) < self._total:
            return FileStatus(1, 0, GOING), None
        whole = bytes(self._data)
        self._data.clear()
        return FileStatus(1, 0, PROCESSED), whole

    def abort(self) -> None:
        """Forget a transfer."""
        self._kind, self._total = -1, 0
        self._data.clear()
