"""What a panel wants of a reader's light, buzzer, text and outputs, with every timer applied.

Commands in, facts of `hal.types` out: what is to be shown or driven from now on. Source: OSDP 2.2, 6.8 to 6.11.
"""

from __future__ import annotations

from dataclasses import dataclass

from hal.osdp.codes import NakCode
from hal.osdp.commands import (
    PERMANENT_NOP,
    PERMANENT_SET,
    PERMANENT_TEXT,
    PERMANENT_WRAPPED,
    TEMPORARY_CANCEL,
    TEMPORARY_SET,
    TEMPORARY_TEXT,
    TEMPORARY_WRAPPED,
    TONE_OFF,
    Buz,
    Led,
    LedColour,
    LedRecord,
    Out,
    OutputControl,
    OutputRecord,
    Text,
)
from hal.osdp.payload import Malformed
from hal.types import OFF, Colour, PanelBuzz, PanelFact, PanelLight, PanelOutput, PanelText, Pattern, Step

DS_NS = 100_000_000
DS_MS = 100
# The standard says 1; there are panels that send 2, as for the temporary part.
SETS = (PERMANENT_SET, 2)

# Our lights know no magenta and no cyan: the mixed colour nearest to both is blue.
COLOURS = {
    LedColour.OFF: Colour.OFF,
    LedColour.RED: Colour.RED,
    LedColour.GREEN: Colour.GREEN,
    LedColour.AMBER: Colour.AMBER,
    LedColour.BLUE: Colour.BLUE,
    LedColour.MAGENTA: Colour.BLUE,
    LedColour.CYAN: Colour.BLUE,
    LedColour.WHITE: Colour.WHITE,
}


def pattern_of(on_ds: int, off_ds: int, on_colour: int, off_colour: int) -> Pattern:
    """Two colours in turn; a time of 0 leaves the other colour steady."""
    on, off = COLOURS[LedColour(on_colour)], COLOURS[LedColour(off_colour)]
    if off_ds == 0 or on == off:
        return Pattern.steady(on)
    if on_ds == 0:
        return Pattern.steady(off)
    return Pattern((Step(on, on_ds * DS_MS), Step(off, off_ds * DS_MS)))


@dataclass(slots=True)
class Light:
    """One light: the permanent pattern, and a temporary one above it until `until_ns` (None: until cancelled)."""

    permanent: Pattern = OFF
    temporary: Pattern | None = None
    until_ns: int | None = None
    shown: Pattern = OFF


@dataclass(slots=True)
class Relay:
    """One output: its permanent level, and a timed one above it. `then` is the level after the timer."""

    on: bool = False
    then: bool = False
    until_ns: int | None = None


@dataclass(slots=True)
class Sound:
    """The buzzer: `left` cycles to come, None for ever; `turn_ns` is the next change."""

    on: bool = False
    on_ns: int = 0
    off_ns: int = 0
    left: int | None = 0
    turn_ns: int | None = None


class Wishes:
    """Keeps the state of everything a panel can drive; `next_ns` is when something changes by itself."""

    def __init__(self, *, leds: int, outputs: int, text: bool) -> None:
        self._lights = [Light() for _ in range(leds)]
        self._relays = [Relay() for _ in range(outputs)]
        self._sound = Sound()
        self._text = text

    @property
    def outputs(self) -> tuple[bool, ...]:
        """Every output as it is driven now."""
        return tuple(relay.on for relay in self._relays)

    @property
    def next_ns(self) -> int | None:
        """The next change that needs no command."""
        times = [light.until_ns for light in self._lights if light.temporary is not None]
        times += [relay.until_ns for relay in self._relays]
        times.append(self._sound.turn_ns)
        return min((t_ns for t_ns in times if t_ns is not None), default=None)

    def led(self, t_ns: int, command: Led) -> list[PanelFact]:
        """Drive lights; all records or none. Raises Malformed naming the record that is impossible."""
        for record in command.records:
            self._check_led(record)
        facts: list[PanelFact] = []
        for record in command.records:
            light = self._lights[record.led]
            new, old = record.permanent, record.temporary
            if new.control in SETS:
                light.permanent = pattern_of(new.on_ds, new.off_ds, new.on_colour, new.off_colour)
            if old.control == TEMPORARY_CANCEL:
                light.temporary, light.until_ns = None, None
            elif old.control == TEMPORARY_SET:
                light.temporary = pattern_of(old.on_ds, old.off_ds, old.on_colour, old.off_colour)
                light.until_ns = t_ns + old.timer_ds * DS_NS if old.timer_ds else None
            facts += self._show(t_ns, record.led)
        return facts

    def _check_led(self, record: LedRecord) -> None:
        t, p = record.temporary, record.permanent
        if record.reader or record.led >= len(self._lights):
            raise Malformed(f"no light {record.led} on reader {record.reader}", NakCode.RECORD)
        if t.control > TEMPORARY_SET or p.control not in (PERMANENT_NOP, *SETS):
            raise Malformed(f"light control {t.control}/{p.control}", NakCode.RECORD)
        wanted: tuple[int, ...] = (t.on_colour, t.off_colour) if t.control == TEMPORARY_SET else ()
        wanted += (p.on_colour, p.off_colour) if p.control in SETS else ()
        if any(colour > LedColour.WHITE for colour in wanted):
            raise Malformed(f"light colours {wanted}", NakCode.RECORD)

    def _show(self, t_ns: int, number: int) -> list[PanelFact]:
        light = self._lights[number]
        pattern = light.permanent if light.temporary is None else light.temporary
        if pattern == light.shown:
            return []
        light.shown = pattern
        return [PanelLight(t_ns=t_ns, light=number, pattern=pattern)]

    def buzz(self, t_ns: int, command: Buz) -> list[PanelFact]:
        """Drive the buzzer. Raises Malformed."""
        if command.reader:
            raise Malformed(f"no buzzer on reader {command.reader}", NakCode.RECORD)
        sound = self._sound
        before = sound.on
        silent = command.tone <= TONE_OFF or command.on_ds == 0
        self._sound = sound = Sound(
            not silent,
            command.on_ds * DS_NS,
            command.off_ds * DS_NS,
            command.count or None,
        )
        if not silent:
            endless = command.count == 0 and command.off_ds == 0
            sound.turn_ns = None if endless else t_ns + sound.on_ns
        return [] if before == sound.on else [PanelBuzz(t_ns=t_ns, on=sound.on)]

    def text(self, t_ns: int, command: Text) -> list[PanelFact]:
        """Show a text. Raises Malformed."""
        kinds = (PERMANENT_TEXT, PERMANENT_WRAPPED, TEMPORARY_TEXT, TEMPORARY_WRAPPED)
        if not self._text or command.reader or command.kind not in kinds:
            raise Malformed(f"no text of kind {command.kind} on reader {command.reader}", NakCode.RECORD)
        temporary = command.kind in (TEMPORARY_TEXT, TEMPORARY_WRAPPED)
        return [PanelText(t_ns=t_ns, text=command.text, for_s=float(command.for_s) if temporary else 0.0)]

    def out(self, t_ns: int, command: Out) -> list[PanelFact]:
        """Drive outputs; all records or none. Raises Malformed naming the record that is impossible."""
        for record in command.records:
            if record.number >= len(self._relays) or record.control > OutputControl.OFF_FOR:
                raise Malformed(f"no output {record.number} or control {record.control}", NakCode.RECORD)
        facts: list[PanelFact] = []
        for record in command.records:
            facts += self._drive(t_ns, record)
        return facts

    def _drive(self, t_ns: int, record: OutputRecord) -> list[PanelFact]:
        relay, control = self._relays[record.number], OutputControl(record.control)
        until_ns = t_ns + record.timer_ds * DS_NS if record.timer_ds else None
        on = relay.on
        match control:
            case OutputControl.NOP:
                return []
            case OutputControl.OFF | OutputControl.ON:
                on = relay.then = control is OutputControl.ON
                relay.until_ns = None
            case OutputControl.OFF_AFTER_TIMER | OutputControl.ON_AFTER_TIMER:
                relay.then = control is OutputControl.ON_AFTER_TIMER
                on = on if relay.until_ns is not None else relay.then
            case OutputControl.ON_FOR | OutputControl.OFF_FOR:
                on = control is OutputControl.ON_FOR
                relay.until_ns = until_ns
                relay.then = relay.then if until_ns is not None else on
        return self._switch(t_ns, record.number, on)

    def _switch(self, t_ns: int, number: int, on: bool) -> list[PanelFact]:
        relay = self._relays[number]
        if relay.on == on:
            return []
        relay.on = on
        return [PanelOutput(t_ns=t_ns, number=number, on=on)]

    def tick(self, t_ns: int) -> list[PanelFact]:
        """What changed by itself until now."""
        facts: list[PanelFact] = []
        for number, light in enumerate(self._lights):
            if light.until_ns is not None and t_ns >= light.until_ns:
                light.temporary, light.until_ns = None, None
                facts += self._show(t_ns, number)
        for number, relay in enumerate(self._relays):
            if relay.until_ns is not None and t_ns >= relay.until_ns:
                relay.until_ns = None
                facts += self._switch(t_ns, number, relay.then)
        return facts + self._turn(t_ns)

    def _turn(self, t_ns: int) -> list[PanelFact]:
        sound = self._sound
        before = sound.on
        while sound.turn_ns is not None and t_ns >= sound.turn_ns:
            if sound.on:
                sound.left = None if sound.left is None else sound.left - 1
                sound.on = sound.off_ns == 0 and sound.left != 0
                over = sound.left == 0
                sound.turn_ns = None if over else sound.turn_ns + (sound.off_ns or sound.on_ns)
            else:
                sound.on = True
                sound.turn_ns += sound.on_ns
        return [] if sound.on == before else [PanelBuzz(t_ns=t_ns, on=sound.on)]

    def quiet(self, t_ns: int) -> list[PanelFact]:
        """The panel is gone: the buzzer ends, timed outputs run out by themselves, lights stay."""
        before, self._sound = self._sound.on, Sound()
        return [PanelBuzz(t_ns=t_ns, on=False)] if before else []
