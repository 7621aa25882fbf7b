"""What a serial reader shall show: the command that asks for it, and a wish that outlives lost and refused commands."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from hal.drivers.osdp_wishes import CODES, Wish, led_command
from hal.errors import DeviceError
from hal.osdp.commands import Buz, Led, LedPermanent
from hal.osdp.facts import Finished, Outcome
from hal.osdp.payload import Payload
from hal.types import Colour, Pattern, Step

COLOURS = st.sampled_from(sorted(CODES))
OUTCOMES = st.sampled_from([*Outcome, None])


@given(COLOURS, COLOURS, st.integers(1, 255), st.integers(1, 255))
def test_a_reader_shows_the_pattern_that_was_wished_to_the_tenth_of_a_second(
    one: Colour, other: Colour, on: int, off: int
) -> None:
    for pattern in (Pattern.steady(one), Pattern((Step(one, on * 100), Step(other, off * 100)))):
        wanted = Pattern.steady(one) if one is other else pattern
        record = Led.decode(led_command(pattern).encode()).records[0]
        assert pattern_on_the_wire(record.permanent) == wanted


def pattern_on_the_wire(part: LedPermanent) -> Pattern:
    """The pattern of a permanent part, by its fields: times in tenths of a second."""
    colours = {code: colour for colour, code in CODES.items()}
    on, off = colours[part.on_colour], colours[part.off_colour]
    if part.off_ds == 0 or on is off:
        return Pattern.steady(on)
    return Pattern((Step(on, part.on_ds * 100), Step(off, part.off_ds * 100)))


class FarReader:
    """Takes commands one at a time and ends them as it is told; knows what it was told last."""

    def __init__(self) -> None:
        self.there = True
        self.shows: Payload | None = None
        self.pending: tuple[Payload, Callable[[Finished], None]] | None = None

    def ask(self, command: Payload, done: Callable[[Finished], None]) -> None:
        if not self.there:
            raise DeviceError("far", "is not connected")
        assert self.pending is None, "one wish at a time"
        self.pending = (command, done)

    def end(self, outcome: Outcome) -> None:
        if self.pending is None:
            return
        (command, done), self.pending = self.pending, None
        if outcome is Outcome.DONE:
            self.shows = command
        done(Finished(t_ns=0, address=0, ticket=1, outcome=outcome))


@given(st.lists(st.tuples(st.sampled_from(["want", "end", "gone", "back", "again"]), st.integers(1, 9), OUTCOMES)))
def test_whatever_gets_lost_the_last_wish_stands_once_the_reader_is_there(
    deeds: list[tuple[str, int, Outcome | None]],
) -> None:
    far = FarReader()
    first = Buz(count=0)
    wish = Wish("wish", far.ask, first)
    wanted: Payload = first
    wish.online(True)
    for deed, count, outcome in deeds:
        if deed == "want":
            wanted = Buz(count=count)
            wish.want(wanted)
        elif deed == "end":
            far.end(outcome or Outcome.LOST)
        elif deed == "gone":
            far.there = False
            far.end(Outcome.LOST)
            far.shows = None
            wish.online(False)
        elif deed == "back":
            far.there = True
            wish.online(True)
        else:
            wish.again()
    far.there = True
    far.end(Outcome.LOST)
    wish.online(False)
    wish.want(wanted)
    wish.online(True)
    for _ in range(3):
        far.end(Outcome.DONE)
        wish.again()
    assert far.shows == wanted
    assert far.pending is None


def test_a_wish_that_the_reader_refuses_is_not_sent_again_until_it_changes_or_a_reader_comes() -> None:
    far = FarReader()
    wish = Wish("wish", far.ask, Buz(count=1))
    wish.online(True)
    far.end(Outcome.REFUSED)
    wish.again()
    assert far.pending is None
    wish.want(Buz(count=2))
    far.end(Outcome.REFUSED)
    assert far.pending is None
    wish.online(False)
    wish.online(True)
    assert far.pending is not None
