"""gpiozero's picture of the board under a chip: the real header on a Pi, plain numbered lines anywhere else.

gpiozero finds pins and keeps reservations through a BoardInfo, so a factory without one cannot be used
by its devices. Off a Pi the chip itself is the board: one header, a pin for each line.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from gpiozero import BoardInfo, HeaderInfo, PinInfo, PinUnknownPi
from gpiozero.compat import frozendict
from gpiozero.pins.local import get_pi_revision
from gpiozero.pins.pi import PiBoardInfo

# Chips whose line numbers are the GPIO numbers of a Pi's 40-pin header.
PI_LABELS = ("pinctrl-rp1", "pinctrl-bcm2711", "pinctrl-bcm2835")


def board_of(label: str, names: Sequence[str | None]) -> BoardInfo:
    """The Pi's own board for a header chip on a Pi, else `lines_as_board`."""
    if label in PI_LABELS:
        try:
            return PiBoardInfo.from_revision(get_pi_revision())
        except PinUnknownPi:
            return lines_as_board(label, names)
    return lines_as_board(label, names)


def lines_as_board(label: str, names: Sequence[str | None]) -> BoardInfo:
    """A board with one header LINES; pin n+1 is line n, found as n, "n", "GPIOn" or its own name if that is unique."""
    unique = {name for name, count in Counter(names).items() if name and count == 1}
    pins = {
        offset + 1: PinInfo(
            number=offset + 1,
            name=f"GPIO{offset}",
            names=frozenset({offset, str(offset), f"GPIO{offset}"} | ({name} if name in unique else set())),
            pull="",
            row=offset + 1,
            col=1,
            interfaces=frozenset({"gpio"}),
        )
        for offset, name in enumerate(names)
    }
    header = HeaderInfo(name="LINES", rows=max(1, len(pins)), columns=1, pins=frozendict(pins))
    return BoardInfo(
        revision="",
        model=label,
        pcb_revision="",
        released="",
        soc="",
        manufacturer="",
        memory=0,
        storage="",
        usb=0,
        usb3=0,
        ethernet=0,
        eth_speed=0,
        wifi=False,
        bluetooth=False,
        csi=0,
        dsi=0,
        headers=frozendict({header.name: header}),
        board="{LINES:full}\n",
    )
