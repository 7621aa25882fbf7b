"""What a peripheral does with a command that came through: the answer, and the facts for its owner."""

from __future__ import annotations

from collections.abc import Callable

from hal.osdp.codes import LAST_ADDRESS, SAFE_FRAME, CapabilityCode, NakCode
from hal.osdp.commands import (
    Abort,
    AcuRxSize,
    Buz,
    Cap,
    ComSet,
    FileTransfer,
    Id,
    InputStatus,
    Led,
    LocalStatus,
    Out,
    OutputStatus,
    Poll,
    ReaderStatus,
    Text,
)
from hal.osdp.facts import ComSetPolicy, Fact, FileReceived, PeripheralSettings
from hal.osdp.file_transfer import FileReceiver
from hal.osdp.payload import Payload
from hal.osdp.replies import Ack, Capability, Com, Nak, PdCap, PdId
from hal.osdp.reports import Reports
from hal.osdp.special import KeepActive
from hal.osdp.timers import Wishes


def capabilities(settings: PeripheralSettings) -> PdCap:
    """What a reader with these settings says of itself."""
    lines = [
        Capability(CapabilityCode.CONTACTS, 1 if settings.inputs else 0, settings.inputs),
        Capability(CapabilityCode.OUTPUTS, 4 if settings.outputs else 0, settings.outputs),
        Capability(CapabilityCode.CARD_FORMAT, 1, 0),
        Capability(CapabilityCode.LEDS, 4 if settings.leds else 0, settings.leds),
        Capability(CapabilityCode.AUDIBLE, 2, 1),
        Capability(CapabilityCode.TEXT, 1 if settings.text_lines else 0, settings.text_lines),
        Capability(CapabilityCode.CHECK, 1, 0),
        Capability(CapabilityCode.SECURITY, 1, 0 if settings.keys else 1),
        Capability(CapabilityCode.RECEIVE_SIZE, settings.longest & 0xFF, settings.longest >> 8),
        Capability(CapabilityCode.MESSAGE_SIZE, settings.longest & 0xFF, settings.longest >> 8),
        Capability(CapabilityCode.READERS, 0, 1),
        Capability(CapabilityCode.VERSION, 2, 0),
    ]
    return PdCap(tuple(lines))


class Doing:
    """Answers commands out of the reader's states and wishes."""

    def __init__(
        self, settings: PeripheralSettings, identity: PdId, respond: Callable[[Payload], Payload | None] | None
    ) -> None:
        self.wishes = Wishes(leds=settings.leds, outputs=settings.outputs, text=settings.text_lines > 0)
        self.reports = Reports(inputs=settings.inputs, outputs=settings.outputs, life_ns=settings.card_life_ns)
        self._settings = settings
        self._identity = identity
        self._respond = respond
        self._files = FileReceiver(settings.file_limit)

    def moved(self, settings: PeripheralSettings) -> None:
        """Address or rate changed."""
        self._settings = settings

    @property
    def next_ns(self) -> int | None:
        """When something happens by itself."""
        times = [self.wishes.next_ns, self.reports.next_ns]
        return min((t_ns for t_ns in times if t_ns is not None), default=None)

    def tick(self, t_ns: int) -> list[Fact]:
        """What happened by itself until now."""
        facts: list[Fact] = list(self.wishes.tick(t_ns))
        facts += self.reports.expire(t_ns)
        if facts:
            self.reports.set_outputs(self.wishes.outputs)
        return facts

    def do(self, t_ns: int, command: Payload, *, trusted: bool) -> tuple[Payload, list[Fact]]:
        """The answer to a command and what follows from it. Cards go only to a panel that is trusted.

        Raises Malformed for a record that is impossible.
        """
        match command:
            case Poll():
                return (self.reports.offer(t_ns) if trusted else None) or Ack(), []
            case Led():
                return Ack(), list(self.wishes.led(t_ns, command))
            case Buz():
                return Ack(), list(self.wishes.buzz(t_ns, command))
            case Text():
                return Ack(), list(self.wishes.text(t_ns, command))
            case Out():
                facts: list[Fact] = list(self.wishes.out(t_ns, command))
                self.reports.set_outputs(self.wishes.outputs)
                return Ack(), facts
            case FileTransfer() if self._settings.file_limit:
                return self._file(t_ns, command)
            case _:
                return self._tell(command), []

    def _tell(self, command: Payload) -> Payload:
        match command:
            case Id():
                return self._identity
            case Cap():
                return capabilities(self._settings)
            case LocalStatus():
                return self.reports.local
            case InputStatus():
                return self.reports.inputs
            case OutputStatus():
                return self.reports.outputs
            case ReaderStatus():
                return self.reports.reader
            case ComSet():
                return self._move(command)
            case Abort():
                self._files.abort()
                return Ack()
            case KeepActive():
                return Ack()
            case AcuRxSize(size=size):
                return Ack() if size >= SAFE_FRAME else Nak(NakCode.RECORD)
        reply = None if self._respond is None else self._respond(command)
        return Nak(NakCode.UNKNOWN) if reply is None else reply

    def _move(self, command: ComSet) -> Com:
        """Where we are from now on; a wish we cannot follow is answered with where we stay."""
        possible = command.address <= LAST_ADDRESS and command.baud in self._settings.bauds
        if not possible or self._settings.comset is ComSetPolicy.NEVER:
            return Com(self._settings.address, self._settings.baud)
        return Com(command.address, command.baud)

    def _file(self, t_ns: int, command: FileTransfer) -> tuple[Payload, list[Fact]]:
        status, whole = self._files.take(command)
        if whole is None:
            return status, []
        return status, [FileReceived(t_ns=t_ns, kind=command.kind, data=whole)]
