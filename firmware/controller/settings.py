"""Parameters of the controller room: the group `controller` (manual 001, Reader protocol and Output format).

The group is made for the board at hand, so that a protocol without its connector, an unknown port and a colour that
no reader can show are refused before anything is saved. The HTTP way's address and password are not here: they
are in the group `controller_http` of the network role.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, create_model, field_validator, model_validator

from firmware.core.cards.keypress import KeypressFormat, check_facility
from firmware.core.cards.output import CustomLayout, DataFormat, FacilityMode, OutputFormat, ParityKind
from firmware.core.params import Group, param
from firmware.core.vocabulary.controller import ControllerProtocol
from hal.errors import nearest
from hal.types import Colour, WiegandTiming

PortName = Annotated[str, Field(max_length=32)]
INPUTS = ("beeper_input", "led1_input", "led2_input")
COLOURS = ("idle_colour", "low_colour", "high_colour", "colour_00", "colour_01", "colour_10", "colour_11")


class WhenLost(StrEnum):
    """What a credential may that nobody could decide about."""

    DENY = "deny"
    GRANT = "grant"


class ControllerParams(Group):
    """How the door controller is connected, and what is sent to it."""

    group: ClassVar[str] = "controller"

    protocol: ControllerProtocol = param(ControllerProtocol.OFF, "How the door controller is connected; one at a time.")
    # At most less than a reader's desk waits, so that it is always this room that says what a lost controller means.
    timeout_s: float = param(3.0, "Seconds in which a forwarded credential is decided, always.", ge=0.5, le=9)
    when_lost: WhenLost = param(
        WhenLost.DENY,
        "What happens while the controller is away. DANGER of grant: whoever cuts its cable opens the door with any"
        " card of a known format.",
    )
    shown_on: tuple[str, ...] = param(
        (), "Readers that show the controller's light and beep; empty: every reader.", max_length=16
    )

    # Wiegand: cards
    data_format: DataFormat = param(DataFormat.RAW, "In which format card data is sent.")
    facility_mode: FacilityMode = param(FacilityMode.AUTO, "Where the facility code of a sent card comes from.")
    facility_code: int = param(0, "Facility code of the modes Optional and Override.", ge=0, le=2**63 - 1)
    facility_code_size: int = param(0, "Custom: bits of the facility code.", ge=0, le=512)
    card_number_size: int = param(32, "Custom: bits of the card number.", ge=1, le=512)
    start_parity: ParityKind = param(ParityKind.NONE, "Custom: the parity bit before the data.")
    start_parity_bits: int = param(0, "Custom: how many data bits it covers, from the first on.", ge=0, le=512)
    stop_parity: ParityKind = param(ParityKind.NONE, "Custom: the parity bit behind the data.")
    stop_parity_bits: int = param(0, "Custom: how many data bits it covers, from the last back.", ge=0, le=512)
    reverse_bytes: bool = param(False, "Turn the byte order of a card that is known by its bits only.")

    # Wiegand: keys
    keypress_format: KeypressFormat = param(KeypressFormat.FOUR_BIT, "How keys and PINs are sent.")
    keypress_facility_code: int = param(0, "Facility code of a PIN that is sent as a card.", ge=0, le=65_535)
    pin_end_key: Literal["", "#", "*"] = param("", "Key sent after a PIN that goes out key by key; empty: none.")

    # Wiegand: pulses
    pulse_us: int = param(40, "Width of a pulse in microseconds.", ge=20, le=100)
    interval_us: int = param(2000, "From the start of a pulse to the next, in microseconds.", ge=200, le=20_000)
    frame_gap_us: int = param(25_000, "Silence between frames, in microseconds.", ge=20_000, le=1_000_000)

    # Wiegand: what the controller shows
    beeper_input: PortName = param("", "I/O port whose activation beeps; empty: none.")
    led_inputs: int = param(0, "How many I/O ports control the light.", ge=0, le=2)
    led1_input: PortName = param("", "I/O port of LED1.")
    led2_input: PortName = param("", "I/O port of LED2.")
    idle_colour: Colour = param(Colour.OFF, "Colour when no I/O port controls the light.")
    low_colour: Colour = param(Colour.RED, "Colour of state low, with one I/O port: the port is not active.")
    high_colour: Colour = param(Colour.GREEN, "Colour of state high, with one I/O port: the port is active.")
    colour_00: Colour = param(Colour.OFF, "Colour with two I/O ports, none of them active.")
    colour_01: Colour = param(Colour.RED, "Colour with two I/O ports, LED1 active.")
    colour_10: Colour = param(Colour.GREEN, "Colour with two I/O ports, LED2 active.")
    colour_11: Colour = param(Colour.AMBER, "Colour with two I/O ports, both active.")

    # OSDP
    osdp_address: int = param(0, "Our address on the controller's bus.", ge=0, le=126)
    osdp_baud: Literal[9600, 19200, 38400, 57600, 115200, 230400] = param(9600, "Rate of the controller's bus.")
    osdp_insecure: bool = param(
        False,
        "Talk to a panel without secure channel while we hold no key. UNSAFE: whoever is on the wire reads cards.",
    )

    @model_validator(mode="after")
    def _inputs_are_named_and_apart(self) -> Self:
        used: dict[str, str] = {}
        for number in range(1, self.led_inputs + 1):
            if not self.led_input(number):
                raise ValueError(f"led_inputs {self.led_inputs} needs led{number}_input")
        for name, port in self.inputs().items():
            if port in used:
                raise ValueError(f"{name}: {port!r} is {used[port]} already")
            used[port] = name
        return self

    @model_validator(mode="after")
    def _formats_hold_their_codes(self) -> Self:
        self.output()
        check_facility(self.keypress_format, self.keypress_facility_code)
        return self

    def led_input(self, number: int) -> str:
        """The port of LED1 or LED2."""
        return self.led1_input if number == 1 else self.led2_input

    def inputs(self) -> dict[str, str]:
        """The ports that are followed, by the name of their parameter."""
        named = {f"led{number}_input": self.led_input(number) for number in range(1, self.led_inputs + 1)}
        if self.beeper_input:
            named["beeper_input"] = self.beeper_input
        return named

    def output(self) -> OutputFormat:
        """What is made of a card. Raises ValueError for what cannot be."""
        custom = CustomLayout()
        if self.data_format is DataFormat.CUSTOM:
            custom = CustomLayout(
                facility_code_size=self.facility_code_size,
                card_number_size=self.card_number_size,
                start_parity=self.start_parity,
                stop_parity=self.stop_parity,
                start_parity_bits=self.start_parity_bits,
                stop_parity_bits=self.stop_parity_bits,
            )
        return OutputFormat(
            data_format=self.data_format,
            facility_mode=self.facility_mode,
            facility_code=self.facility_code,
            custom=custom,
            reverse_bytes=self.reverse_bytes,
        )

    def timing(self) -> WiegandTiming:
        """How pulses are sent."""
        return WiegandTiming(pulse_us=self.pulse_us, interval_us=self.interval_us, frame_gap_us=self.frame_gap_us)


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardFacts:
    """What the board has for this room: protocols, I/O ports and readers (name or alias -> node), readers' colours."""

    protocols: frozenset[ControllerProtocol]
    ports: Mapping[str, str] = field(default_factory=dict)
    readers: Mapping[str, str] = field(default_factory=dict)
    colours: frozenset[Colour] = frozenset(Colour)


def controller_group(facts: BoardFacts) -> type[ControllerParams]:
    """Make the group for a board."""
    validators: dict[str, Any] = {
        "_protocol_of_the_board": field_validator("protocol")(_one_of_protocols(facts.protocols)),
        "_ports_of_the_board": field_validator(*INPUTS)(
            lambda port: _node("I/O port", port, facts.ports) if port else port
        ),
        "_readers_of_the_board": field_validator("shown_on")(
            lambda readers: tuple(_node("reader", reader, facts.readers) for reader in readers)
        ),
        "_colours_of_the_board": field_validator(*COLOURS)(_one_of_colours(facts.colours)),
    }
    return create_model("BoardControllerGroup", __base__=ControllerParams, __validators__=validators)


def _node(kind: str, name: str, nodes: Mapping[str, str]) -> str:
    if name not in nodes:
        raise ValueError(f"no {kind} {name!r} on this board{nearest(name, nodes)}")
    return nodes[name]


def _one_of_protocols(known: Collection[ControllerProtocol]) -> Callable[[ControllerProtocol], ControllerProtocol]:
    def check(protocol: ControllerProtocol) -> ControllerProtocol:
        if protocol not in known:
            raise ValueError(f"this board has no connector for {protocol}; valid: {', '.join(sorted(known))}")
        return protocol

    return check


def _one_of_colours(known: Collection[Colour]) -> Callable[[Colour, Any], Colour]:
    def check(colour: Colour, info: Any) -> Colour:
        # The defaults are the manual's: a light that lacks one of them stays dark there.
        default = ControllerParams.model_fields[info.field_name].default
        if colour not in known and colour is not default:
            raise ValueError(f"no reader here can show {colour}; valid: {', '.join(sorted(known))}")
        return colour

    return check
