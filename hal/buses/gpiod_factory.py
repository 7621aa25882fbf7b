"""A gpiozero pin factory of our own over gpiod v2: a pin is a group of one line.

gpiozero's devices run on it (`GPIOZERO_PIN_FACTORY=lintel`), and `request` gives a driver a whole group.
What a pin cannot do is refused with gpiozero's own exception; nothing is accepted and then ignored.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import MethodType
from typing import Any

from gpiozero import (
    BoardInfo,
    Factory,
    GPIOPinInUse,
    PinEdgeDetectUnsupported,
    PinError,
    PinFixedPull,
    PinInfo,
    PinInvalidBounce,
    PinInvalidFunction,
    PinInvalidPin,
    PinInvalidPull,
    PinInvalidState,
    PinSetInput,
)
from gpiozero import Pin as GpiozeroPin
from gpiozero.exc import PinInvalidEdges

from hal.buses.gpiod_lines import GpiodLines, chip_paths, open_chip, peek
from hal.buses.line_board import PI_LABELS, board_of
from hal.buses.pins import LONGEST_DEBOUNCE_US, ChangeHandler, InputWish, OutputWish
from hal.buses.readiness import Readiness, ThreadReadiness
from hal.clock import Clock, SystemClock
from hal.errors import BusError, LineInUse
from hal.types import Edge, EdgeKind, Pull

_PULLS = {"up": Pull.UP, "down": Pull.DOWN, "floating": Pull.NONE}
_EDGES = {"both": EdgeKind.BOTH, "rising": EdgeKind.RISING, "falling": EdgeKind.FALLING, "none": None}


@contextmanager
def _as_gpiozero() -> Iterator[None]:
    try:
        yield
    except LineInUse as error:
        raise GPIOPinInUse(str(error)) from error
    except BusError as error:
        raise PinError(str(error)) from error


def header_chip() -> str:
    """The chip behind the Pi's header, or the first one. Raises BusError when there is none."""
    paths = chip_paths()
    if not paths:
        raise BusError("gpio", "this machine has no GPIO chip (/dev/gpiochip*)")
    for path in paths:
        with open_chip(path, "gpio") as chip:
            if chip.get_info().label in PI_LABELS:
                return path
    return paths[0]


class GpiodFactory(Factory):  # type: ignore[misc] # gpiozero has no types
    """Pins and groups of one GPIO chip, given by path, number or label; without one, the header's chip.

    `reads` says who waits for edges: a thread by default, as gpiozero's scripts expect; the firmware
    passes its loop. Ticks are monotonic nanoseconds, the kernel's own for edges.
    """

    def __init__(
        self,
        chip: str | int | None = None,
        *,
        name: str = "gpio",
        clock: Clock | None = None,
        reads: Readiness | None = None,
    ) -> None:
        """Open the chip. Raises BusError."""
        super().__init__()
        self._clock = clock or SystemClock()
        self._reads = reads or ThreadReadiness()
        self.name = name
        self.chip = open_chip(header_chip() if chip is None else chip, name)
        self.pins: dict[PinInfo, GpiodPin] = {}
        self._groups: list[GpiodLines] = []
        self._board: BoardInfo | None = None

    def request(
        self,
        offsets: Sequence[int],
        wish: InputWish | OutputWish,
        *,
        owner: str,
    ) -> GpiodLines:
        """Request lines as one group for `owner`. Raises LineInUse, BusError."""
        lines = GpiodLines(self.chip, self.name, offsets, wish, owner=owner, reads=self._reads)
        self._groups = [*(group for group in self._groups if not group.closed), lines]
        return lines

    def pin(self, name: int | str) -> GpiodPin:
        """The pin of that number or name; always the same object. Raises PinInvalidPin."""
        for _, info in self.board_info.find_pin(name):
            if "gpio" not in info.interfaces:
                raise PinInvalidPin(f"{name} is not a GPIO pin")
            if info not in self.pins:
                offset = int(info.name.removeprefix("GPIO"))
                if offset >= self.chip.get_info().num_lines:
                    raise PinInvalidPin(f"{name} is not a line of {self.chip.path}")
                self.pins[info] = GpiodPin(self, info, offset)
            return self.pins[info]
        raise PinInvalidPin(f"{name} is not a valid pin name")

    def ticks(self) -> int:
        """Monotonic nanoseconds."""
        return self._clock.now_ns()

    def ticks_diff(self, later: int, earlier: int) -> float:
        """Seconds between two ticks."""
        return (later - earlier) / 1e9

    def close(self) -> None:
        """Give every line back, without moving any, and close the chip."""
        for pin in self.pins.values():
            pin.close()
        self.pins.clear()
        for group in self._groups:
            group.close()
        self._groups.clear()
        self._reads.close()
        self.chip.close()

    def _get_board_info(self) -> BoardInfo:
        if self._board is None:
            info = self.chip.get_info()
            names = [self.chip.get_line_info(offset).name for offset in range(info.num_lines)]
            self._board = board_of(info.label, names)
        return self._board


class GpiodPin(GpiozeroPin):  # type: ignore[misc] # gpiozero has no types
    """One line as gpiozero sees it. Nothing is requested from the kernel until a function is chosen.

    Closing an output gives the line back at its level; gpiozero's other factories make it an input.
    """

    def __init__(self, factory: GpiodFactory, info: PinInfo, offset: int) -> None:
        self.factory = factory
        self._pin_info = info
        self._offset = offset
        # Reconfiguring is several steps, and a script's callbacks run on another thread than the script.
        self._lock = threading.RLock()
        self._lines: GpiodLines | None = None
        self._output = False
        self._reset()

    def _reset(self) -> None:
        self._pull = self._pin_info.pull or "floating"
        self._bounce_us = 0
        self._edges = "both"
        self._changed: weakref.ref[Any] | None = None

    def __repr__(self) -> str:
        return str(self._pin_info.name)

    def _get_info(self) -> PinInfo:
        return self._pin_info

    def close(self) -> None:
        """Give the line back as it is; harmless when it was not requested."""
        with self._lock:
            lines, self._lines = self._lines, None
            if lines is not None:
                lines.close()
            self._reset()

    def release(self) -> None:
        """The same as `close`."""
        self.close()

    def _demand(self, wish: InputWish | OutputWish) -> GpiodLines:
        with _as_gpiozero():
            if self._lines is None:
                self._lines = self.factory.request((self._offset,), wish, owner=str(self))
            else:
                if isinstance(wish, OutputWish):
                    self._lines.watch(None)
                self._lines.reconfigure(wish)
        self._output = isinstance(wish, OutputWish)
        return self._lines

    def _input_wish(self) -> InputWish:
        edges = _EDGES[self._edges] if self._changed is not None else None
        return InputWish(_PULLS[self._pull], edges, self._bounce_us)

    def _apply_input(self) -> None:
        lines = self._demand(self._input_wish())
        with _as_gpiozero():
            lines.watch(None if self._changed is None else self._edge)

    def output_with_state(self, state: float) -> None:
        """Make it an output at that level, in one request: no other level is ever driven."""
        with self._lock:
            level = self._level(state)
            self._changed = None
            self._demand(OutputWish((level,)))

    def input_with_pull(self, pull: str) -> None:
        """Make it an input with that pull, in one request."""
        with self._lock:
            self._check_pull(pull)
            self._pull = pull
            self._apply_input()

    def _get_function(self) -> str:
        if self._lines is not None:
            return "output" if self._output else "input"
        return "output" if self.factory.chip.get_line_info(self._offset).direction.name == "OUTPUT" else "input"

    def _set_function(self, value: str) -> None:
        with self._lock:
            if value == "input":
                self._apply_input()
            elif value == "output":
                # At the level it has now: `initial_value=None` of gpiozero's outputs means just that.
                self.output_with_state(self._get_state())
            else:
                raise PinInvalidFunction(f'invalid function "{value}" for pin {self!r}; valid: input, output')

    def _get_state(self) -> bool:
        with _as_gpiozero():
            if self._lines is None:
                return peek(self.factory.chip, self.factory.name, self._offset)
            return self._lines.sense()[0]

    def _set_state(self, value: float) -> None:
        if self._lines is None or not self._output:
            raise PinSetInput(f"cannot set state of pin {self!r}")
        with _as_gpiozero():
            self._lines.set(self._level(value))

    def _level(self, value: float) -> bool:
        if value not in (0, 1):
            raise PinInvalidState(f'invalid state "{value}" for pin {self!r}; valid: 0, 1')
        return bool(value)

    def _get_pull(self) -> str:
        return self._pull

    def _set_pull(self, value: str) -> None:
        with self._lock:
            self._check_pull(value)
            if self._get_function() != "input":
                raise PinFixedPull(f"cannot set pull on non-input pin {self!r}")
            self._pull = value
            self._apply_input()

    def _check_pull(self, value: str) -> None:
        if value not in _PULLS:
            raise PinInvalidPull(f'invalid pull "{value}" for pin {self!r}; valid: {", ".join(_PULLS)}')
        if self._pin_info.pull not in ("", value):
            raise PinFixedPull(f"{self!r} has a physical pull-{self._pin_info.pull} resistor")

    def _get_bounce(self) -> float | None:
        return self._bounce_us / 1e6 if self._bounce_us else None

    def _set_bounce(self, value: float | None) -> None:
        bounce_us = round((value or 0) * 1e6)
        if not 0 <= bounce_us <= LONGEST_DEBOUNCE_US:
            raise PinInvalidBounce(f"bounce of {value} s on pin {self!r}; valid: 0 to {LONGEST_DEBOUNCE_US / 1e6} s")
        with self._lock:
            self._check_senses("debouncing")
            self._bounce_us = bounce_us
            self._apply_input()

    def _get_edges(self) -> str:
        return self._edges

    def _set_edges(self, value: str) -> None:
        if value not in _EDGES:
            raise PinInvalidEdges(f'invalid edges "{value}" for pin {self!r}; valid: {", ".join(_EDGES)}')
        with self._lock:
            self._check_senses("edge detection")
            self._edges = value
            self._apply_input()

    def _check_senses(self, what: str) -> None:
        if self._lines is not None and self._output:
            raise PinEdgeDetectUnsupported(f"{what} is for inputs; pin {self!r} is an output")

    def _get_when_changed(self) -> ChangeHandler | None:
        return None if self._changed is None else self._changed()

    def _set_when_changed(self, value: ChangeHandler | None) -> None:
        with self._lock:
            if value is None:
                if self._changed is not None:
                    self._changed = None
                    self._apply_input()
                return
            self._check_senses("edge detection")
            # Weak, as in gpiozero's own pins: a device that nobody holds any more ends with its pin.
            self._changed = weakref.WeakMethod(value) if isinstance(value, MethodType) else weakref.ref(value)
            self._apply_input()

    def _edge(self, edge: Edge) -> None:
        changed = self._get_when_changed()
        if changed is None:
            self._set_when_changed(None)
        else:
            changed(edge.t_ns, edge.level)
