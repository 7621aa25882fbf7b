"""The grammar of a light table's `show`."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware.device import parse_show
from hal.types import OFF, Colour, Pattern, Step
from tests.effort import examples

LIT = [colour for colour in Colour if colour is not Colour.OFF]
RHYTHMS = {"flash": 500, "slow": 1000, "fast": 125}


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("green", (Step(Colour.GREEN, 0),)),
        ("off", (Step(Colour.OFF, 0),)),
        ("red slow", (Step(Colour.RED, 1000), Step(Colour.OFF, 1000))),
        ("amber flash", (Step(Colour.AMBER, 500), Step(Colour.OFF, 500))),
        ("amber red flash", (Step(Colour.AMBER, 500), Step(Colour.RED, 500))),
        ("  red   green fast ", (Step(Colour.RED, 125), Step(Colour.GREEN, 125))),
    ],
)
def test_a_show_is_read_as_the_steps_it_names(text, steps):
    assert parse_show(text) == Pattern(steps)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "names no colour"),
        ("flash", "names no colour"),
        ("gren", "unknown word 'gren'; did you mean 'green'"),
        ("red flsh", "unknown word 'flsh'; did you mean 'flash'"),
        ("redd flash", "unknown word 'redd'; did you mean 'red'"),
        ("red green", "2 colours and no rhythm"),
        ("red green blue fast", "one colour or two different ones"),
        ("red red flash", "one colour or two different ones"),
        ("off flash", "'off' stands alone"),
        ("red off flash", "'off' stands alone"),
        ("flash red", "unknown word 'flash'"),
        ("Green", "unknown word 'Green'; did you mean 'green'"),
    ],
)
def test_a_show_that_cannot_be_read_names_the_word_and_the_nearest_one(text, message):
    with pytest.raises(ValueError, match=message):
        parse_show(text)


@settings(max_examples=examples(150), deadline=None)
@given(st.lists(st.sampled_from(LIT), min_size=1, max_size=2, unique=True), st.sampled_from(sorted(RHYTHMS)))
def test_every_colour_and_rhythm_gives_steps_of_equal_length(colours, rhythm):
    pattern = parse_show(" ".join([*colours, rhythm]))
    assert [step.for_ms for step in pattern.steps] == [RHYTHMS[rhythm]] * 2
    assert [step.colour for step in pattern.steps][: len(colours)] == colours
    assert len(colours) == 2 or pattern.steps[1].colour is Colour.OFF


@settings(max_examples=examples(200), deadline=None)
@given(st.text(max_size=40) | st.lists(st.sampled_from([*Colour, *RHYTHMS, "x"]), max_size=5).map(" ".join))
def test_any_text_is_a_pattern_or_a_value_error(text):
    try:
        pattern = parse_show(text)
    except ValueError:
        return
    assert pattern == OFF or 1 <= len(pattern.steps) <= 2
