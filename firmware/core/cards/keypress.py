"""Keys and PINs as somebody's controller wants them: a frame a key, or the whole PIN as a card; pure.

Source: manual 001, Reader, Keypress format. `*` is sent as 0xA and `#` as 0xB, the usual convention.

A whole-PIN format sends the PIN as a number, so it cannot tell 0123 from 123 and holds no number above its
field. A PIN that would arrive as another one is refused and nothing is sent; it never stands in the error.
"""

from __future__ import annotations

import re
from enum import StrEnum

from firmware.core.cards.formats import CardFormat
from firmware.core.cards.output import LAYOUTS

KEYS = "0123456789*#"


class KeypressFormat(StrEnum):
    """How keys are sent; the first three send each key as it is pressed, the others the PIN when it is complete."""

    FOUR_BIT = "FourBit"
    EIGHT_BIT_ZERO_PADDED = "EightBitZeroPadded"
    EIGHT_BIT_INVERT_PADDED = "EightBitInvertPadded"
    WIEGAND26 = "Wiegand26"
    WIEGAND34 = "Wiegand34"
    WIEGAND37 = "Wiegand37"
    WIEGAND37_FACILITY = "Wiegand37FacilityCode"

    @property
    def layout(self) -> CardFormat | None:
        """The layout of a whole PIN; None for a format that sends single keys."""
        return LAYOUTS.get(self.value)


class Unsendable(ValueError):
    """A PIN that a controller would read as another one, or a key that the format has no word for."""


def key_frame(key: str, keypress: KeypressFormat) -> str:
    """The frame of one key (0-9 * #). Raises Unsendable for another key, or a format that sends whole PINs."""
    if len(key) != 1 or key not in KEYS:
        raise Unsendable(f"no key of that name; valid: {' '.join(KEYS)}")
    value = KEYS.index(key)
    match keypress:
        case KeypressFormat.FOUR_BIT:
            return f"{value:04b}"
        case KeypressFormat.EIGHT_BIT_ZERO_PADDED:
            return f"{value:08b}"
        case KeypressFormat.EIGHT_BIT_INVERT_PADDED:
            return f"{value ^ 0xF:04b}{value:04b}"
    raise Unsendable(f"{keypress} sends whole PINs, not single keys")


def pin_frames(pin: str, keypress: KeypressFormat, facility_code: int = 0) -> tuple[str, ...]:
    """All frames of a PIN: one a key, or one for all of it. Raises Unsendable; then nothing may be sent."""
    layout = keypress.layout
    if layout is None:
        return tuple(key_frame(key, keypress) for key in pin)
    check_facility(keypress, facility_code)
    if not re.fullmatch(r"[0-9]+", pin):
        raise Unsendable(f"{keypress} sends digits only" if pin else "an empty PIN")
    if len(pin) > 1 and pin.startswith("0"):
        raise Unsendable(f"{keypress} sends a PIN as a number: leading zeros would be lost (use FourBit)")
    if len(pin) > len(str(layout.max_number)) or int(pin) > layout.max_number:
        raise Unsendable(f"a PIN of {len(pin)} digits is above {layout.max_number}, the largest of {keypress}")
    return (layout.encode(facility_code if layout.facility_bits else 0, int(pin)),)


def check_facility(keypress: KeypressFormat, facility_code: int) -> None:
    """Raises Unsendable for a facility code that the format cannot hold; formats without one take any."""
    layout = keypress.layout
    if layout is not None and layout.facility_bits and not 0 <= facility_code <= layout.max_facility:
        raise Unsendable(f"facility code {facility_code} is not between 0 and {layout.max_facility} ({keypress})")
