"""The verb `panel`: what somebody at the panel on our second serial port could have it do.

panel NAME light COLOUR [SECONDS] | buzz COUNT | text WORDS | output on|off [SECONDS]
           | move ADDRESS BAUD | key HEX | install HEX | use [HEX]
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from firmware.core.errors import Invalid
from hal.errors import nearest
from hal.osdp.codes import BAUDS, LAST_ADDRESS
from hal.osdp.keys import KEY_BYTES
from hal.sim.peers.osdp_panel import OsdpPanelPeer

USAGE = "write: panel PANEL light|buzz|text|output|move|key|install|use ..."
LONGEST_S = 6553


def whole(text: str, low: int, high: int, what: str) -> int:
    """A whole number between two others. Raises Invalid."""
    if text.isascii() and text.isdigit() and low <= int(text) <= high:
        return int(text)
    raise Invalid(f"panel {what}", f"{text!r} is not a whole number from {low} to {high}")


def key_of(text: str, what: str) -> bytes:
    """A key in hexadecimal. Raises Invalid, which does not repeat it."""
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise Invalid(f"panel {what}", f"a key is {2 * KEY_BYTES} hexadecimal digits")
    return key


def light(panel: OsdpPanelPeer, words: Sequence[str]) -> None:
    """`light COLOUR [SECONDS]`."""
    colour, *rest = words
    panel.light(colour, for_s=whole(rest[0], 1, LONGEST_S, "light") if rest else 0)


def buzz(panel: OsdpPanelPeer, words: Sequence[str]) -> None:
    """`buzz COUNT`; 0 ends it."""
    panel.buzz(whole(words[0], 0, 255, "buzz"))


def text(panel: OsdpPanelPeer, words: Sequence[str]) -> None:
    """`text WORDS`."""
    panel.write(" ".join(words))


def output(panel: OsdpPanelPeer, words: Sequence[str]) -> None:
    """`output on|off [SECONDS]`."""
    state, *rest = words
    if state not in ("on", "off"):
        raise Invalid("panel output", f"unknown state {state!r}{nearest(state, ('on', 'off'))}")
    panel.switch(state == "on", for_s=whole(rest[0], 1, LONGEST_S, "output") if rest else 0)


def move(panel: OsdpPanelPeer, words: Sequence[str]) -> None:
    """`move ADDRESS BAUD`: the panel moves us, and follows."""
    address = whole(words[0], 0, LAST_ADDRESS, "move")
    if words[1] not in map(str, BAUDS):
        raise Invalid("panel move", f"unknown rate {words[1]!r}{nearest(words[1], map(str, BAUDS))}")
    panel.move(address, int(words[1]))


def key(panel: OsdpPanelPeer, words: Sequence[str]) -> None:
    """`key HEX`: rotate our key."""
    panel.set_key(key_of(words[0], "key"))


def install(panel: OsdpPanelPeer, words: Sequence[str]) -> None:
    """`install HEX`: give us our first key."""
    panel.install(key_of(words[0], "install"))


def use(panel: OsdpPanelPeer, words: Sequence[str]) -> None:
    """`use [HEX]`: what the panel itself knows; without a key it accepts clear text."""
    panel.keys = (key_of(words[0], "use"),) if words else ()
    panel.plain = not words
    panel.power_cycle()


# How many words each takes, at least and at most.
Deed = tuple[int, int, Callable[[OsdpPanelPeer, Sequence[str]], None]]
DEEDS: Mapping[str, Deed] = {
    "light": (1, 2, light),
    "buzz": (1, 1, buzz),
    "text": (1, 32, text),
    "output": (1, 2, output),
    "move": (2, 2, move),
    "key": (1, 1, key),
    "install": (1, 1, install),
    "use": (0, 1, use),
}


def panel_verb(panel: OsdpPanelPeer, words: Sequence[str]) -> None:
    """Carry out one deed. Raises Invalid, and what the panel refuses."""
    if not words:
        raise Invalid("panel", USAGE)
    name, *rest = words
    if name not in DEEDS:
        raise Invalid("panel", f"unknown deed {name!r}{nearest(name, DEEDS)}")
    fewest, most, act = DEEDS[name]
    if not fewest <= len(rest) <= most:
        raise Invalid("panel", f"{name}: {act.__doc__}")
    act(panel, rest)
