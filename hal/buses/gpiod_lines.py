"""A group of GPIO lines on gpiod v2: one kernel request for 1 to n lines.

The kernel stamps every edge (CLOCK_MONOTONIC), numbers it across the group and keeps 1024 of them while
nobody reads. Source: include/uapi/linux/gpio.h, the line request of the character device's second version.
"""

from __future__ import annotations

import errno
import glob
import logging
import os
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta

import gpiod
from gpiod.line import Bias, Clock, Direction, Value
from gpiod.line import Drive as GpiodDrive
from gpiod.line import Edge as GpiodEdge

from hal.buses.pins import InputWish, OutputWish, check_offsets, check_wish, place
from hal.buses.readiness import Readiness
from hal.errors import BusError, LineInUse
from hal.types import Drive, Edge, EdgeKind, Pull
from hal.wires import EdgeHandler

log = logging.getLogger(__name__)

# The kernel's own default is 16 for each line: a 37-bit card at 200 us is lost in a stall of 6.4 ms.
EVENT_BUFFER = 1024

# The kernel keeps 31 characters of a line's owner.
OWNER_CHARACTERS = 31

_BIAS = {Pull.UP: Bias.PULL_UP, Pull.DOWN: Bias.PULL_DOWN, Pull.NONE: Bias.DISABLED}
_EDGE = {
    None: GpiodEdge.NONE,
    EdgeKind.RISING: GpiodEdge.RISING,
    EdgeKind.FALLING: GpiodEdge.FALLING,
    EdgeKind.BOTH: GpiodEdge.BOTH,
}
_DRIVE = {Drive.PUSH_PULL: GpiodDrive.PUSH_PULL, Drive.OPEN_DRAIN: GpiodDrive.OPEN_DRAIN}
_RISING = gpiod.EdgeEvent.Type.RISING_EDGE


def open_chip(chip: str | int, where: str) -> gpiod.Chip:
    """Open a GPIO chip by path, number or label (`pinctrl-rp1`). Raises BusError."""
    if isinstance(chip, int):
        chip = f"/dev/gpiochip{chip}"
    try:
        return gpiod.Chip(chip if "/" in chip else _path_of_label(chip, where))
    except OSError as error:
        raise BusError(where, f"cannot open the GPIO chip {chip}: {error.strerror or error}") from error


def _path_of_label(label: str, where: str) -> str:
    seen = []
    for path in chip_paths():
        try:
            with gpiod.Chip(path) as chip:
                found = chip.get_info().label
        except OSError as error:
            seen.append(f"{path} ({error.strerror or error})")
            continue
        if found == label:
            return path
        seen.append(f"{path} ({found})")
    raise BusError(where, f"no GPIO chip is labelled {label!r}; there is {', '.join(seen) or 'none'}")


def chip_paths() -> list[str]:
    """The GPIO chips of this machine, in the kernel's order."""
    return sorted(glob.glob("/dev/gpiochip*"), key=lambda path: (len(path), path))


def _settings(wish: InputWish | OutputWish) -> gpiod.LineSettings:
    if isinstance(wish, OutputWish):
        return gpiod.LineSettings(direction=Direction.OUTPUT, drive=_DRIVE[wish.drive])
    return gpiod.LineSettings(
        direction=Direction.INPUT,
        bias=_BIAS[wish.pull],
        edge_detection=_EDGE[wish.edges],
        debounce_period=timedelta(microseconds=wish.debounce_us),
        event_clock=Clock.MONOTONIC,
    )


def _value(level: bool) -> Value:
    return Value.ACTIVE if level else Value.INACTIVE


class GpiodLines:
    """One request of 1 to n lines, as inputs or as outputs; implements InputLines and OutputLines.

    `Edge.seq` is the kernel's number of the edge in this request: a gap means the buffer overflowed. The
    time of a debounced edge is when the level was found stable, so it is late by the debounce time.
    """

    def __init__(
        self,
        chip: gpiod.Chip,
        bus: str,
        offsets: Sequence[int],
        wish: InputWish | OutputWish,
        *,
        owner: str,
        reads: Readiness,
    ) -> None:
        """Request the lines. Raises LineInUse naming the line and its owner, BusError."""
        self._offsets = check_offsets(bus, offsets)
        check_wish(bus, offsets, wish)
        self._bus = bus
        self._where = place(bus, offsets)
        self._reads = reads
        # Held for a call into the request, never while a handler runs: a script may use a pin from two threads.
        self._lock = reads.guard()
        self._line_of = {offset: line for line, offset in enumerate(self._offsets)}
        self._handler: EdgeHandler | None = None
        self._wish = wish
        self._driven = wish.initial if isinstance(wish, OutputWish) else ()
        self._request: gpiod.LineRequest | None = self._ask(chip, owner, wish)
        self._fd = self._request.fd
        os.set_blocking(self._fd, False)

    def _ask(self, chip: gpiod.Chip, owner: str, wish: InputWish | OutputWish) -> gpiod.LineRequest:
        count = chip.get_info().num_lines
        for offset in self._offsets:
            if offset >= count:
                raise BusError(f"{self._bus}:{offset}", f"no such line; the chip has 0 to {count - 1}")
        try:
            return chip.request_lines(
                {self._offsets: _settings(wish)},
                consumer=f"lintel:{owner}"[:OWNER_CHARACTERS],
                event_buffer_size=EVENT_BUFFER if isinstance(wish, InputWish) else None,
                output_values=self._values(wish.initial) if isinstance(wish, OutputWish) else None,
            )
        except OSError as error:
            if error.errno == errno.EBUSY:
                raise self._in_use(chip) from error
            raise BusError(self._where, f"cannot request the line: {error.strerror or error}") from error

    def _in_use(self, chip: gpiod.Chip) -> LineInUse:
        for offset in self._offsets:
            info = chip.get_line_info(offset)
            if info.used:
                return LineInUse(f"{self._bus}:{offset}", f"in use by {info.consumer or 'an unnamed owner'!r}")
        return LineInUse(self._where, "in use by another owner, who has just gone")

    def _values(self, levels: Sequence[bool]) -> dict[int | str, Value]:
        return {offset: _value(level) for offset, level in zip(self._offsets, levels, strict=True)}

    def _live(self) -> gpiod.LineRequest:
        if self._request is None:
            raise BusError(self._where, "the line was given back")
        return self._request

    def _failed(self, doing: str, error: OSError) -> BusError:
        return BusError(self._where, f"cannot {doing}: {error.strerror or error}")

    def levels(self) -> tuple[bool, ...]:
        """Inputs: the level of every line now. Outputs: the levels last driven. Raises BusError."""
        if isinstance(self._wish, OutputWish):
            return self._driven
        return self.sense()

    def sense(self) -> tuple[bool, ...]:
        """What the kernel reads on every line now, of inputs and outputs alike. Raises BusError."""
        try:
            with self._lock:
                values = self._live().get_values()
        except OSError as error:
            raise self._failed("read the level", error) from error
        return tuple(value is Value.ACTIVE for value in values)

    def set(self, *levels: bool) -> None:
        """Drive all lines in one call. Raises BusError, also on a group of inputs."""
        if isinstance(self._wish, InputWish):
            raise BusError(self._where, "an input cannot be driven")
        if len(levels) != len(self._offsets):
            raise BusError(self._where, f"{len(self._offsets)} lines, but {len(levels)} levels")
        try:
            with self._lock:
                self._live().set_values(self._values(levels))
        except OSError as error:
            raise self._failed("drive the line", error) from error
        self._driven = levels

    def prepared(self, *levels: bool) -> Callable[[], None]:
        """A call that drives these levels, its values built beforehand: for pulses of microseconds. Raises BusError."""
        values = self._values(levels)

        def drive() -> None:
            try:
                with self._lock:
                    self._live().set_values(values)
            except OSError as error:
                raise self._failed("drive the line", error) from error
            self._driven = levels

        return drive

    def reconfigure(self, wish: InputWish | OutputWish) -> None:
        """Change the lines in place, without giving them back in between. Raises BusError."""
        check_wish(self._bus, self._offsets, wish)
        settings = _settings(wish)
        config: dict[Iterable[int | str] | int | str, gpiod.LineSettings | None] = dict.fromkeys(
            self._offsets, settings
        )
        if isinstance(wish, OutputWish):
            for offset, level in zip(self._offsets, wish.initial, strict=True):
                config[offset] = gpiod.LineSettings(
                    direction=settings.direction, drive=settings.drive, output_value=_value(level)
                )
        try:
            with self._lock:
                self._live().reconfigure_lines(config)
        except OSError as error:
            raise self._failed("change the line", error) from error
        self._wish = wish
        self._driven = wish.initial if isinstance(wish, OutputWish) else ()

    def watch(self, handler: EdgeHandler | None) -> None:
        """Call `handler` for every edge from now on: edges that came before are dropped. None stops it."""
        if handler is not None:
            self._live()
            if isinstance(self._wish, OutputWish):
                raise BusError(self._where, "an output has no edges")
            if self._handler is None:
                while self._read():
                    pass
        started, self._handler = self._handler is not None, handler
        if handler is None:
            self._reads.forget(self._fd)
        elif not started:
            self._reads.watch(self._fd, self._readable)

    def _read(self) -> list[gpiod.EdgeEvent]:
        with self._lock:
            if self._request is None:
                return []
            try:
                return self._request.read_edge_events(EVENT_BUFFER)
            except BlockingIOError:
                return []

    def _readable(self) -> None:
        try:
            events = self._read()
        except OSError as error:
            # The chip has gone (a USB expander pulled out): its descriptor would be readable for ever.
            self._reads.forget(self._fd)
            log.error("%s: no more edges: %s", self._where, error.strerror or error)
            return
        for event in events:
            if self._handler is None:
                return
            self._handler(
                Edge(
                    event.timestamp_ns,
                    self._line_of[event.line_offset],
                    event.event_type is _RISING,
                    event.global_seqno,
                )
            )

    @property
    def closed(self) -> bool:
        """Whether the lines were given back."""
        return self._request is None

    def close(self) -> None:
        """Give the lines back without moving them."""
        self._handler = None
        if self._request is None:
            return
        self._reads.forget(self._fd)
        with self._lock:
            self._request.release()
            self._request = None


def peek(chip: gpiod.Chip, bus: str, offset: int) -> bool:
    """The level of a line nobody holds, without changing how it is set up. Raises LineInUse, BusError."""
    try:
        with chip.request_lines({offset: gpiod.LineSettings(direction=Direction.AS_IS)}, consumer="lintel") as request:
            return request.get_value(offset) is Value.ACTIVE
    except OSError as error:
        if error.errno == errno.EBUSY:
            owner = chip.get_line_info(offset).consumer or "an unnamed owner"
            raise LineInUse(f"{bus}:{offset}", f"in use by {owner!r}") from error
        raise BusError(f"{bus}:{offset}", f"cannot read the line: {error.strerror or error}") from error
