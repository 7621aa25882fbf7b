"""What a panel's owner wants of one reader: commands in order, a file, and how each ended. Every ticket ends once."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from hal.errors import DeviceError
from hal.osdp.codes import CapabilityCode
from hal.osdp.exchange import Exchange, Purpose
from hal.osdp.facts import Fact, FileProgress, Finished, Outcome
from hal.osdp.file_transfer import Ended, FileSender
from hal.osdp.opening import because
from hal.osdp.payload import Payload
from hal.osdp.replies import FileStatus, PdCap

MOST_COMMANDS = 32
# A longer message would hardly ever get through a noisy line whole.
LONGEST_MESSAGE = 256
SHORTEST_MESSAGE = 128


@dataclass(frozen=True, slots=True)
class Waiting:
    """A command in the queue."""

    ticket: int
    command: Payload
    purpose: Purpose


class Orders:
    """The queue and the file that is being sent; facts go to `facts`."""

    def __init__(self, address: int, facts: list[Fact]) -> None:
        self._address = address
        self._facts = facts
        self._queue: deque[Waiting] = deque()
        self._file: FileSender | None = None
        self._poll_first = False

    def __len__(self) -> int:
        return len(self._queue)

    def add(self, ticket: int, command: Payload, purpose: Purpose) -> None:
        """Queue a command. Raises DeviceError when too much waits."""
        if len(self._queue) >= MOST_COMMANDS:
            raise DeviceError("osdp", f"{MOST_COMMANDS} commands wait for reader {self._address} already")
        self._queue.append(Waiting(ticket, command, purpose))

    def send_file(self, ticket: int, kind: int, data: bytes, capabilities: PdCap) -> None:
        """Begin a transfer. Raises DeviceError while another one runs."""
        if self._file is not None:
            raise DeviceError("osdp", f"reader {self._address} is taking another file")
        size = capabilities.size(CapabilityCode.RECEIVE_SIZE) or SHORTEST_MESSAGE
        self._file = FileSender(ticket, kind, data, message_size=min(size, LONGEST_MESSAGE))

    def next(self, t_ns: int) -> Waiting | None:
        """What to send now; None for a poll. A file never keeps the reader from being polled."""
        if self._queue:
            return self._queue.popleft()
        if self._file is not None and not self._poll_first:
            part = self._file.fragment(t_ns)
            if part is not None:
                self._poll_first = True
                return Waiting(self._file.ticket, part, Purpose.FILE)
        self._poll_first = False
        return None

    def filed(self, t_ns: int, exchange: Exchange, reply: Payload) -> None:
        """Take the answer to a fragment."""
        sender = self._file
        if sender is None:
            return
        if isinstance(reply, FileStatus):
            ended = sender.answered(t_ns, exchange.payload, reply)
        else:
            ended = Ended(f"the reader takes no files{because(reply)}")
        progress = FileProgress(
            t_ns=t_ns, address=self._address, ticket=sender.ticket, done=sender.done, total=sender.total
        )
        self._facts.append(progress)
        if ended is not None:
            self._file = None
            outcome = Outcome.REFUSED if ended.reason else Outcome.DONE
            self.finish(t_ns, sender.ticket, outcome, reply, ended.reason)

    def finish(self, t_ns: int, ticket: int, outcome: Outcome, reply: Payload | None, reason: str) -> None:
        """Tell how a ticket ended."""
        finished = Finished(
            t_ns=t_ns, address=self._address, ticket=ticket, outcome=outcome, reply=reply, reason=reason
        )
        self._facts.append(finished)

    def lose(self, t_ns: int, reason: str, exchange: Exchange | None) -> None:
        """End everything as lost, the command that is on its way too."""
        if exchange is not None and exchange.purpose in (Purpose.COMMAND, Purpose.KEY):
            self.finish(t_ns, exchange.ticket, Outcome.LOST, None, reason)
        for waiting in self._queue:
            self.finish(t_ns, waiting.ticket, Outcome.LOST, None, reason)
        self._queue.clear()
        if self._file is not None:
            self.finish(t_ns, self._file.ticket, Outcome.LOST, None, reason)
            self._file = None
