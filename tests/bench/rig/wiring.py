"""The wiring of a rig, read from its TOML file: which line of the board is joined to which line of a probe.

name  = "looped_pi"
board = "boards/rig_door.toml"         # beside this file, or the name of a board

[probes.pi]                            # GPIO lines of this machine
chip = "/dev/lintel/gpio"
[probes.second]                        # of a second Pi: the command that starts its agent there
command = ["ssh", "second-pi", "cd lintel && .venv/bin/python -m tests.bench.rig.agent"]
[probes.contacts]                      # relays on USB: each closes a contact to ground
relays = "/dev/lintel/rig-relays"
channels = 8

[[wires]]                              # joined through 1 kilo-ohm
what = "door strike relay"
line = "gpio0:17"
probe = "pi:22"

[[contacts]]                           # the contact of a real relay
what = "strike contact"
relay = "door"
probe = "pi:9"
closed = "low"
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from hal.board import BOARDS, Board, GpioBus, load_board
from hal.board.complain import Complaint, board_error, unknown, validated
from hal.board.fields import Line, Name, Words, read_list
from hal.board.soldered import Frozen
from hal.board.ways import Way, ways_of
from hal.errors import BoardError
from hal.types import LineRef


class ProbeModel(Frozen):
    """Where probe lines are: a GPIO `chip` of this machine, an agent's `command`, or `relays` on a serial port."""

    chip: str | None = None
    command: Annotated[tuple[str, ...], BeforeValidator(read_list)] | None = None
    relays: str | None = None
    channels: int = Field(8, ge=1, le=16)

    @model_validator(mode="after")
    def _one_kind(self) -> ProbeModel:
        if sum(kind is not None for kind in (self.chip, self.command, self.relays)) != 1:
            raise ValueError("a probe has one of chip, command, relays")
        if self.command == ():
            raise ValueError("the command of a probe's agent is empty")
        return self

    @property
    def place(self) -> str:
        """What nobody else may use at the same time."""
        return self.chip or self.relays or " ".join(self.command or ())


class WireModel(Frozen):
    """One wire: `what` people call it, the board's `line`, the `probe` line."""

    what: Words
    line: Line
    probe: Line


class ContactModel(Frozen):
    """The contact of a real relay: at the level `closed` it is made; `relay` is a node or its alias."""

    what: Words
    relay: Name
    probe: Line
    closed: Literal["low", "high"] = "low"


class RigModel(Frozen):
    """A whole file."""

    name: Name
    board: str = Field(min_length=1, max_length=200)
    probes: dict[Name, ProbeModel] = Field(min_length=1)
    wires: Annotated[tuple[WireModel, ...], BeforeValidator(read_list)] = Field(min_length=1)
    contacts: Annotated[tuple[ContactModel, ...], BeforeValidator(read_list)] = ()


@dataclass(frozen=True, slots=True)
class Wire:
    """One wire as the bench sees it; `way` is that of the board's line, `at` the place of its mistakes."""

    what: str
    line: LineRef
    probe: LineRef
    way: Way

    @property
    def title(self) -> str:
        """What a person looks for: `door strike relay GPIO17 ↔ probe GPIO22`."""
        return f"{self.end} ↔ {probe_end(self.probe)}"

    @property
    def end(self) -> str:
        """The board's end."""
        return f"{self.what} GPIO{self.line.offset}"


@dataclass(frozen=True, slots=True)
class Contact:
    """The contact of the real relay at node `relay`."""

    what: str
    relay: str
    probe: LineRef
    closed: bool

    @property
    def title(self) -> str:
        """What a person looks for."""
        return f"{self.what} ↔ {probe_end(self.probe)}"


@dataclass(frozen=True, slots=True)
class Wiring:
    """A checked rig."""

    name: str
    board_source: str
    board: Board
    probes: Mapping[str, ProbeModel]
    wires: tuple[Wire, ...]
    contacts: tuple[Contact, ...]

    @property
    def lines(self) -> frozenset[LineRef]:
        """The board's lines that have a wire."""
        return frozenset(wire.line for wire in self.wires)


def probe_end(probe: LineRef) -> str:
    """The probe's end of a wire; the first probe of a machine is just `probe`."""
    return f"probe GPIO{probe.offset}" if probe.bus in ("pi", "probe") else f"probe {probe.bus}:{probe.offset}"


def load_wiring(path: Path) -> Wiring:
    """The wiring in a file. Raises BoardError, one line that names the file, the place and the value."""
    try:
        text = path.read_text()
    except OSError as error:
        raise BoardError(str(path), f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise BoardError(str(path), "is not UTF-8") from None
    return parse_wiring(text, path)


def parse_wiring(text: str, path: Path) -> Wiring:
    """The wiring in the text of the file at `path`, beside which its board may lie. Raises BoardError."""
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise BoardError(str(path), f"is not TOML: {' '.join(ascii(str(error))[1:-1].split())}") from None
    try:
        return _checked(validated(RigModel, data, ()), path)
    except Complaint as complaint:
        raise board_error(str(path), complaint.place, complaint.message) from None


def _checked(model: RigModel, path: Path) -> Wiring:
    own = path.parent / model.board
    board = load_board(str(own) if own.is_file() else model.board)
    source = str(own.resolve() if own.is_file() else BOARDS / f"{model.board}.toml")
    ways = ways_of(board)
    taken: dict[str, str] = {}
    wires = []
    for at, wire in enumerate(model.wires):
        if wire.line not in ways:
            raise Complaint(("wires", at, "line"), unknown("line", str(wire.line), [str(line) for line in ways]))
        _take(taken, ("wires", at, "line"), _socket(board, wire.line), wire.what)
        _take(taken, ("wires", at, "probe"), _probe_socket(model, wire.probe, ("wires", at, "probe")), wire.what)
        wires.append(Wire(wire.what, wire.line, wire.probe, ways[wire.line][2]))
        if wires[-1].way is Way.OUT and model.probes[wire.probe.bus].relays is not None:
            raise Complaint(("wires", at, "probe"), f"a relay cannot watch {wires[-1].end}, which the board drives")
    contacts = []
    for at, contact in enumerate(model.contacts):
        place = ("contacts", at, "probe")
        _take(taken, place, _probe_socket(model, contact.probe, place), contact.what)
        relay = _relay(board, contact.relay, ("contacts", at, "relay"))
        contacts.append(Contact(contact.what, relay, contact.probe, contact.closed == "high"))
    return Wiring(model.name, source, board, model.probes, tuple(wires), tuple(contacts))


def _relay(board: Board, name: str, place: tuple[str | int, ...]) -> str:
    relays = {node: found for node, found in board.nodes.items() if found.kind == "relay"}
    for node, found in relays.items():
        if name in (node, found.alias):
            return node
    raise Complaint(place, unknown("relay", name, sorted({found.alias or node for node, found in relays.items()})))


def _take(taken: dict[str, str], place: tuple[str | int, ...], socket: str, what: str) -> None:
    if socket in taken:
        raise Complaint(place, f"{socket} is already taken by {taken[socket]!r}")
    taken[socket] = what


def _socket(board: Board, line: LineRef) -> str:
    bus = board.buses.get(line.bus)
    return f"{bus.chip}:{line.offset}" if isinstance(bus, GpioBus) else str(line)


def _probe_socket(model: RigModel, probe: LineRef, place: tuple[str | int, ...]) -> str:
    if probe.bus not in model.probes:
        raise Complaint(place, unknown("probe", probe.bus, sorted(model.probes)))
    found = model.probes[probe.bus]
    if found.relays is not None and not 1 <= probe.offset <= found.channels:
        raise Complaint(place, f"{probe} is no relay of that board; valid: 1 to {found.channels}")
    return f"{found.place}:{probe.offset}"


def unwired(wiring: Wiring, node: str) -> Iterator[LineRef]:
    """The lines of a node that have no wire."""
    for _, line in wiring.board.nodes[node].lines():
        if line not in wiring.lines:
            yield line
