"""gpiozero's mock pins on the nets of a world, in the world's time; a group of them is one request.

What the mock accepts and ignores is done here (bounce) or refused. A line keeps its level when its owner
closes it or dies, and goes to its pull when the power goes.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from gpiozero import GPIOPinInUse, PinInfo, PinInvalidBounce
from gpiozero.pins.mock import MockFactory, MockPin, PinState

from hal.buses.line_board import lines_as_board
from hal.buses.pins import InputWish, OutputWish, check_offsets, check_wish, place
from hal.clock import Clock, Timer
from hal.errors import BusError, LineInUse
from hal.sim.nets import Copper, Net, Strength
from hal.types import Drive, Edge, EdgeKind, Pull
from hal.wires import EdgeHandler

Tap = Callable[[int, bool], None]

# As the kernel keeps for a group while nobody reads.
EVENT_BUFFER = 1024
# As gpiozero's own tests look back; the mock's list grows for ever.
STATES_KEPT = 1000

_PULLS: dict[Pull, str] = {Pull.UP: "up", Pull.DOWN: "down", Pull.NONE: "floating"}


class SimPin(MockPin):  # type: ignore[misc] # gpiozero has no types
    """One pin on its net. `state` of a debounced input is the settled level; its edges are stamped when settled."""

    factory: SimFactory

    def __init__(self, factory: SimFactory, info: PinInfo) -> None:
        self._sim = factory
        self._open_drain = False
        self._tap: Tap | None = None
        self._bounce: float | None = None
        self._last_change = 0
        self._settling: Timer | None = None
        self.net = factory.net(int(info.name.removeprefix("GPIO")))
        super().__init__(factory, info)
        self._state = self.net.level
        self.clear_states()
        self.net.listen(self._net_changed)

    # giving up

    def close(self) -> None:
        """Make it a floating input."""
        self.when_changed = None
        self.bounce = None
        self.input_with_pull("floating")

    def release(self) -> None:
        """Give it back as it is: an output keeps its level."""
        self.when_changed = None
        self._tap = None
        self.bounce = None

    def halt(self) -> None:
        """Notice nothing more."""
        self._tap = None
        self._stop_settling()

    def lose_power(self) -> None:
        """Let go of the net, as a processor without power does."""
        self.close()
        self._tap = None

    # how it is set up

    def output_with_state(self, state: float) -> None:
        """Make it an output at that level in one step; a pull it had as an input goes."""
        self._become_output(bool(state), open_drain=False)

    def drive_lines(self, level: bool, drive: Drive) -> None:
        """Make it an output of that kind in one step."""
        self._become_output(level, open_drain=drive is Drive.OPEN_DRAIN)

    def _become_output(self, level: bool, *, open_drain: bool) -> None:
        self.when_changed = None
        self.bounce = None
        self._function = "output"
        self._open_drain = open_drain
        self._drive(level)
        self._apply_pull("floating")
        self._state = self.net.level

    def input_with_pull(self, pull: str) -> None:
        """Make it an input with `up`, `down` or `floating`."""
        with self._sim.copper.together():
            self._function = "input"
            self._apply_pull(pull)
            self.net.drive(self._sim.driver, None)
        self._state = self.net.level

    def _set_function(self, value: str) -> None:
        if value == "output":
            self.output_with_state(self.net.level)
        elif value == "input":
            self.input_with_pull(self._pull)
        else:
            super()._set_function(value)

    def _set_pull(self, value: str) -> None:
        super()._set_pull(value)  # checks, and calls drive_high or drive_low when it likes the value
        self._apply_pull(value)

    def _apply_pull(self, pull: str) -> None:
        self._pull = pull
        level = {"up": True, "down": False, "floating": None}[pull]
        self.net.drive(f"{self._sim.driver} pull", level, strength=Strength.CHIP_PULL)

    def _drive(self, level: bool, t_ns: int | None = None) -> None:
        self.net.drive(self._sim.driver, None if self._open_drain and level else level, t_ns=t_ns)

    def drive_at(self, level: bool, t_ns: int) -> None:
        """Drive an output to a level that it took at `t_ns`."""
        self._drive(level, t_ns)

    def _change_state(self, value: float) -> bool:
        # Reached through `state = ...` of an output: the level the net takes comes back through _net_changed.
        self._drive(bool(value))
        return False

    def drive_high(self) -> None:
        """Nothing: in a world, peers drive nets."""

    def drive_low(self) -> None:
        """Nothing: in a world, peers drive nets."""

    # what it notices

    def tap(self, tap: Tap | None) -> None:
        """Tell a group every settled change, whatever `edges` says."""
        self._tap = tap

    def debounce(self, settle_us: int) -> None:
        """Report a level when it has stood for `settle_us`; 0 is at once."""
        self._set_bounce(settle_us / 1e6)

    def _set_bounce(self, value: float | None) -> None:
        if value is not None and (not isinstance(value, int | float) or value < 0):
            raise PinInvalidBounce(f"bounce of {value!r} on pin {self!r}; valid: None or seconds from 0")
        self._bounce = value or None
        self._stop_settling()
        self._state = self.net.level

    def _stop_settling(self) -> None:
        if self._settling is not None:
            self._settling.cancel()
            self._settling = None

    def _net_changed(self, t_ns: int, level: bool) -> None:
        self._stop_settling()
        if self._bounce is None or self._function == "output":
            self._changed(t_ns, level)
        elif level != self._state:
            due_ns = t_ns + round(self._bounce * 1e9)
            self._settling = self._sim.clock.call_at(due_ns, self._settled, due_ns)

    def _settled(self, t_ns: int) -> None:
        self._settling = None
        self._changed(t_ns, self.net.level)

    def _changed(self, t_ns: int, level: bool) -> None:
        if level == self._state:
            return
        self._state = level
        self.states.append(PinState((t_ns - self._last_change) / 1e9, level))
        self._last_change = t_ns
        if self._tap is not None:
            self._tap(t_ns, level)
        if self._when_changed is not None and self._edges in ("both", "rising" if level else "falling"):
            self._call_when_changed()

    # what gpiozero's tests ask for

    def clear_states(self) -> None:
        """Forget the states but the present one."""
        self._last_change = self._sim.clock.now_ns()
        self.states: deque[PinState] = deque([PinState(0.0, self._state)], STATES_KEPT)

    def assert_states(self, expected_states: Sequence[bool]) -> None:
        """Check all states; the mock's own lets a short list pass."""
        assert [state.state for state in self.states] == list(expected_states)


class SimLines:
    """A requested group; implements InputLines and OutputLines."""

    def __init__(self, factory: SimFactory, offsets: tuple[int, ...], wish: InputWish | OutputWish, owner: str) -> None:
        self._factory = factory
        self._offsets = offsets
        self._wish = wish
        self.owner = owner
        self._where = place(factory.name, offsets)
        self._pins: tuple[SimPin, ...] = tuple(factory.pin(offset) for offset in offsets)
        self._driven = wish.initial if isinstance(wish, OutputWish) else ()
        self._open = True
        self._powered = True
        self._seq = 0
        self._handler: EdgeHandler | None = None
        self._waiting: deque[Edge] = deque(maxlen=EVENT_BUFFER)
        self._delivery: Timer | None = None

    def begin(self) -> None:
        """Take the lines as wished, all in one step."""
        with self._factory.copper.together():
            for line, pin in enumerate(self._pins):
                self._prepare(line, pin)

    def _prepare(self, line: int, pin: SimPin) -> None:
        if isinstance(self._wish, OutputWish):
            pin.drive_lines(self._wish.initial[line], self._wish.drive)
            return
        pin.input_with_pull(_PULLS[self._wish.pull])
        pin.debounce(self._wish.debounce_us)
        pin.tap(lambda t_ns, level: self._changed(line, t_ns, level))

    def _conflicts_with(self, other: object) -> bool:
        return other is not self

    def __repr__(self) -> str:
        return self.owner

    @property
    def is_open(self) -> bool:
        """Whether it was not given back yet."""
        return self._open

    def levels(self) -> tuple[bool, ...]:
        """Inputs: the level now. Outputs: the level last driven. Raises BusError."""
        if isinstance(self._wish, OutputWish):
            return self._driven
        self._check_open()
        return tuple(bool(pin.state) for pin in self._pins)

    def set(self, *levels: bool) -> None:
        """Drive all lines at once. Raises BusError."""
        self._check_open()
        if isinstance(self._wish, InputWish):
            raise BusError(self._where, "an input cannot be driven")
        if len(levels) != len(self._pins):
            raise BusError(self._where, f"{len(self._pins)} lines, but {len(levels)} levels")
        self._driven = tuple(bool(level) for level in levels)
        if not self._powered:
            return  # a processor without power moves nothing, whatever its last instructions were
        with self._factory.copper.together():
            for pin, level in zip(self._pins, levels, strict=True):
                pin.state = level

    def play(self, moves: Iterable[tuple[int, tuple[bool, ...]]]) -> None:
        """Make moves of a moment ago, each stamped with its own time. Raises BusError."""
        self._check_open()
        for t_ns, levels in moves if self._powered else ():
            self._driven = levels
            with self._factory.copper.together():
                for pin, level in zip(self._pins, levels, strict=True):
                    pin.drive_at(level, t_ns)

    def watch(self, handler: EdgeHandler | None) -> None:
        """Call `handler` on the loop for every edge from now on. Raises BusError."""
        if handler is not None:
            self._check_open()
            if isinstance(self._wish, OutputWish):
                raise BusError(self._where, "an output has no edges")
        self._handler = handler
        if handler is None:
            self._stop_delivery()

    def _changed(self, line: int, t_ns: int, level: bool) -> None:
        assert isinstance(self._wish, InputWish)
        if self._wish.edges not in (EdgeKind.BOTH, EdgeKind.RISING if level else EdgeKind.FALLING):
            return
        self._seq += 1
        if self._handler is not None:
            self._waiting.append(Edge(t_ns, line, level, self._seq))
            if self._delivery is None:
                # On the loop's next round, as from the kernel: never inside the call that moved the net.
                self._delivery = asyncio.get_running_loop().call_soon(self._deliver)

    def _deliver(self) -> None:
        self._delivery = None
        while self._waiting and self._handler is not None:
            self._handler(self._waiting.popleft())

    def _stop_delivery(self) -> None:
        self._waiting.clear()
        if self._delivery is not None:
            self._delivery.cancel()
            self._delivery = None

    def _check_open(self) -> None:
        if not self._open:
            raise BusError(self._where, "the line was given back")

    def close(self) -> None:
        """Give the lines back without moving them."""
        if not self._open:
            return
        self._open = False
        self.watch(None)
        if self._powered:
            for pin in self._pins:
                pin.release()
            self._factory.forget(self, self._offsets)

    def lose_power(self) -> None:
        """The processor died: no more edges, no more levels."""
        self._powered = False
        self.watch(None)


class SimFactory(MockFactory):  # type: ignore[misc] # gpiozero has no types
    """The pins of one simulated GPIO chip; ticks are the world's nanoseconds."""

    def __init__(self, name: str, size: int, copper: Copper, net: Callable[[int], Net], *, driver: str = "cpu") -> None:
        super().__init__(pin_class=SimPin)
        self.name = name
        self.size = size
        self.copper = copper
        self.clock: Clock = copper.clock
        self.net = net
        self.driver = driver
        self.powered = True
        self._groups: dict[int, SimLines] = {}
        self._board = lines_as_board("simulation", [None] * size)

    def _get_board_info(self) -> Any:
        return self._board

    def request(self, offsets: Sequence[int], wish: InputWish | OutputWish, *, owner: str) -> SimLines:
        """Request lines as one group for `owner`. Raises LineInUse naming the owner they have, BusError."""
        wanted = check_offsets(self.name, offsets)
        check_wish(self.name, wanted, wish)
        if not self.powered:
            raise BusError(self.name, "the board has no power")
        for offset in wanted:
            where = f"{self.name}:{offset}"
            if offset >= self.size:
                raise BusError(where, f"no such line; the chip has 0 to {self.size - 1}")
            if offset in self._groups:
                raise LineInUse(where, f"in use by {self._groups[offset].owner!r}")
        group = SimLines(self, wanted, wish, owner)
        try:
            self.reserve_pins(group, *wanted)
        except GPIOPinInUse as error:
            self.release_pins(group, *wanted)
            raise LineInUse(place(self.name, wanted), str(error)) from error
        group.begin()
        self._groups.update(dict.fromkeys(wanted, group))
        return group

    def forget(self, group: SimLines, offsets: tuple[int, ...]) -> None:
        """End a group's ownership."""
        self.release_pins(group, *offsets)
        for offset in offsets:
            if self._groups.get(offset) is group:
                del self._groups[offset]

    def owner(self, offset: int) -> str | None:
        """Who has a line."""
        group = self._groups.get(offset)
        return None if group is None else group.owner

    def ticks(self) -> int:
        """The world's nanoseconds."""
        return self.clock.now_ns()

    def ticks_diff(self, later: int, earlier: int) -> float:
        """Seconds between two ticks."""
        return (later - earlier) / 1e9

    def power(self, on: bool) -> None:
        """Power off: every group is dead and every line free, at its pull."""
        self.powered = on
        if on:
            return
        self.halt()
        with self.copper.together():
            for pin in self.pins.values():
                pin.lose_power()
        self._reservations.clear()

    def halt(self) -> None:
        """End every group where it stands: no more edges, and no more levels from its owner."""
        for group in set(self._groups.values()):
            group.lose_power()
        self._groups.clear()
        for pin in self.pins.values():
            pin.halt()
