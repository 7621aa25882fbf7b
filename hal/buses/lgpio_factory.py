"""gpiozero over lgpio, the alternative to our own factory, made fit for outputs that move a strike.

gpiozero's lgpio pins turn every line into an input when they are made and closed, and drive low before their
first level. These pins claim a line once, at its level, and let it go as it is.
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
from collections import defaultdict
from typing import Any

from gpiozero import BoardInfo, GPIOPinInUse, PinInvalidPull
from gpiozero.pins.local import LocalPiPin

from hal.buses.line_board import board_of
from hal.errors import BusError, nearest


def _load_lgpio() -> None:
    """Import lgpio without leaving its FIFO or its working folder behind.

    It makes a FIFO `.lgd-nfy*` in the folder LG_WD, changes to that folder, and needs neither afterwards.
    """
    if "lgpio" in sys.modules:
        return
    here, given = os.getcwd(), os.environ.get("LG_WD")
    with tempfile.TemporaryDirectory(prefix="lintel-lgpio-") as folder:
        os.environ["LG_WD"] = given or folder
        try:
            __import__("lgpio")
        finally:
            os.chdir(here)
            if given is None:
                del os.environ["LG_WD"]


_load_lgpio()

import lgpio  # noqa: E402 - only after its working folder was chosen
from gpiozero.pins.lgpio import LGPIOFactory, LGPIOPin  # noqa: E402 - imports lgpio

_PULLS = {"up": lgpio.SET_PULL_UP, "down": lgpio.SET_PULL_DOWN, "floating": lgpio.SET_PULL_NONE}


def _number_of(chip: str | int, where: str) -> int:
    """The chip number lgpio opens, from a number, a path (links followed) or a label. Raises BusError."""
    if isinstance(chip, int):
        return chip
    if "/" in chip:
        name = os.path.basename(os.path.realpath(chip))
        if name.startswith("gpiochip") and name.removeprefix("gpiochip").isdigit():
            return int(name.removeprefix("gpiochip"))
        raise BusError(where, f"{chip} is not a GPIO chip")
    labels: dict[str, int] = {}
    for number in sorted(
        int(name.removeprefix("gpiochip"))
        for name in os.listdir("/dev")
        if name.startswith("gpiochip") and name.removeprefix("gpiochip").isdigit()
    ):
        handle = _open(number, where)
        labels.setdefault(lgpio.gpio_get_chip_info(handle)[3], number)
        lgpio.gpiochip_close(handle)
    if chip not in labels:
        raise BusError(where, f"no GPIO chip is labelled {chip!r}{nearest(chip, labels)}")
    return labels[chip]


def _open(number: int, where: str) -> int:
    try:
        return int(lgpio.gpiochip_open(number))
    except lgpio.error as error:
        raise BusError(where, f"cannot open /dev/gpiochip{number}: {error}") from error


class LgpioFactory(LGPIOFactory):  # type: ignore[misc] # gpiozero has no types
    """gpiozero's lgpio factory with pins that can be given back untouched; chip by path, number or label."""

    def __init__(self, chip: str | int = 0, *, name: str = "gpio") -> None:
        """Open the chip. Raises BusError."""
        number = _number_of(chip, name)
        lgpio.gpiochip_close(_open(number, name))
        super().__init__(number)
        # gpiozero shares these between all local factories, as if a machine had one chip.
        self.pins: dict[Any, LgpioPin] = {}
        self._reservations: defaultdict[Any, list[Any]] = defaultdict(list)
        self._res_lock = threading.Lock()
        self.pin_class = LgpioPin
        self._board: BoardInfo | None = None

    def _get_board_info(self) -> BoardInfo:
        if self._board is None:
            _, count, _, label = lgpio.gpio_get_chip_info(self._handle)
            names = [lgpio.gpio_get_line_info(self._handle, offset)[3] or None for offset in range(count)]
            self._board = board_of(label, names)
        return self._board


class LgpioPin(LGPIOPin):  # type: ignore[misc] # gpiozero has no types
    """A pin that is claimed when its function is chosen, in one step, and freed as it is."""

    def __init__(self, factory: LgpioFactory, info: Any) -> None:
        # Past LGPIOPin's own, which would make the line an input before it is known what it should be.
        LocalPiPin.__init__(self, factory, info)
        self._pwm = None
        self._bounce = None
        self._callback: Any = None
        self._edges = lgpio.BOTH_EDGES
        self._claimed = False

    def output_with_state(self, state: bool) -> None:
        """Claim the line as an output at that level."""
        self.when_changed = None
        self._claim(lgpio.gpio_claim_output, int(state))

    def input_with_pull(self, pull: str) -> None:
        """Claim the line as an input with that pull."""
        if pull not in _PULLS:
            raise PinInvalidPull(f'invalid pull "{pull}" for pin {self!r}; valid: {", ".join(_PULLS)}')
        self.when_changed = None
        if self._claimed:
            # Flags of a line that is held do not change; only a fresh claim has them.
            lgpio.gpio_free(self.factory._handle, self._number)
            self._claimed = False
        self._claim(lgpio.gpio_claim_input, _PULLS[pull])

    def _claim(self, claim: Any, argument: int) -> None:
        try:
            claim(self.factory._handle, self._number, argument)
        except lgpio.error as error:
            user = lgpio.gpio_get_line_info(self.factory._handle, self._number)[4]
            if user and not self._claimed:
                raise GPIOPinInUse(f"in use by {user!r}") from error
            raise
        self._claimed = True

    def _set_function(self, value: str) -> None:
        super()._set_function(value)
        self._claimed = True

    def release(self) -> None:
        """Give the line back as it is; harmless when it was not claimed."""
        if self._claimed and self.factory._handle is not None:
            if self._callback is not None:
                self._callback.cancel()
                self._callback = None
            self._when_changed = None
            lgpio.gpio_free(self.factory._handle, self._number)
        self._claimed = False

    def close(self) -> None:
        """The same as `release`."""
        self.release()
