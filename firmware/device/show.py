"""The words of a light table's `show`: a colour, or one or two colours and a rhythm.

green            steady
red slow         red and dark in turn, 1000 ms each
amber red flash  amber and red in turn, 500 ms each
red green fast   red and green in turn, 125 ms each
off              dark
"""

from __future__ import annotations

from hal.errors import nearest
from hal.types import OFF, Colour, Pattern

RHYTHMS_MS = {"flash": 500, "slow": 1000, "fast": 125}
COLOURS = {colour.value: colour for colour in Colour if colour is not Colour.OFF}


def parse_show(text: str) -> Pattern:
    """The pattern of a `show`. Raises ValueError with the word that is wrong and the nearest right one."""
    words = text.split()
    if words == ["off"]:
        return OFF
    rhythm = words.pop() if words and words[-1] in RHYTHMS_MS else None
    colours = [_colour(word, last=rhythm is None and number == len(words)) for number, word in enumerate(words, 1)]
    if not colours:
        raise ValueError(f"{text!r} names no colour; write COLOUR, or COLOUR [COLOUR] flash|slow|fast")
    if rhythm is None:
        if len(colours) > 1:
            raise ValueError(f"{text!r} has {len(colours)} colours and no rhythm; end it with flash, slow or fast")
        return Pattern.steady(colours[0])
    if len(colours) > 2 or len(set(colours)) < len(colours):
        raise ValueError(f"{text!r} needs one colour or two different ones before {rhythm!r}")
    return Pattern.flash(*colours, on_ms=RHYTHMS_MS[rhythm])


def _colour(word: str, *, last: bool) -> Colour:
    if word in COLOURS:
        return COLOURS[word]
    if word == "off":
        raise ValueError("'off' stands alone: a single colour already alternates with dark")
    valid = (*COLOURS, *RHYTHMS_MS) if last else tuple(COLOURS)
    raise ValueError(f"unknown word {word!r}{nearest(word, valid)}")
