"""Virtual time: an asyncio loop that jumps to the next timer instead of sleeping.

A jump is allowed only while nothing is in flight: nothing runs `outside()` the loop and every `quiet`
predicate (bytes on a pty) holds. Until then the loop waits in real time and virtual time stands still.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
import selectors
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import Context
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple

from hal.clock import BUILT, SystemClock, Timer

if TYPE_CHECKING:
    from _typeshed import FileDescriptorLike

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
Quiet = Callable[[], bool]

NS = 1_000_000_000
# A Monday noon, later than any build this firmware can be.
START_UTC = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
# Not zero, so that a forgotten "since boot" or a falsy instant shows.
START_NS = 1_000 * NS
# How long one real wait lasts while something is outside; a finished job wakes the loop earlier.
PATIENCE_S = 0.002
# Iterations given to transports and cancelled tasks to finish before they count as left over.
SETTLE_ROUNDS = 10


class WouldSleepForEver(RuntimeError):
    """Nothing is ready, no timer is set and nothing is outside: the program waits for what never comes."""


class Due(float):
    """An instant the loop can compare like its own float times, exact to the nanosecond.

    Instants of the same nanosecond keep the order in which they were asked for.
    """

    __slots__ = ("order", "t_ns")

    t_ns: int
    order: int

    def __new__(cls, t_ns: int, order: int) -> Due:
        due = super().__new__(cls, t_ns / NS)
        due.t_ns = t_ns
        due.order = order
        return due

    def __lt__(self, other: float) -> bool:
        if isinstance(other, Due):
            return (self.t_ns, self.order) < (other.t_ns, other.order)
        return float.__lt__(self, other)


class JumpingSelector(selectors.BaseSelector):
    """A selector that asks its loop to jump when it would have to wait."""

    def __init__(self) -> None:
        self._real = selectors.DefaultSelector()
        self.loop: VirtualLoop | None = None

    def register(self, fileobj: FileDescriptorLike, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: FileDescriptorLike) -> selectors.SelectorKey:
        return self._real.unregister(fileobj)

    def modify(self, fileobj: FileDescriptorLike, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.modify(fileobj, events, data)

    def get_map(self) -> Mapping[FileDescriptorLike, selectors.SelectorKey]:
        return self._real.get_map()

    def close(self) -> None:
        self._real.close()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        assert self.loop is not None
        self.loop.measure_blocking()
        still = self.loop.still()  # asked before the poll: what was handed over in between is seen by the poll
        ready = self._real.select(0)
        if not ready and (timeout is None or timeout > 0):
            if still:
                self.loop.jump()
            else:
                ready = self._real.select(PATIENCE_S)
        self.loop.resume()
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """The loop: `now_ns` is its time, timers are exact in nanoseconds, waiting costs nothing.

    `slow_callback_s` (real seconds) makes it remember iterations that blocked for longer.
    """

    def __init__(self, *, slow_callback_s: float | None = None) -> None:
        self._now_ns = START_NS
        self._order = itertools.count()
        self._due: list[tuple[Due, asyncio.TimerHandle]] = []
        self._outside = 0
        self._lock = threading.Lock()
        self._quiet: list[Quiet] = []
        self._slow_s = slow_callback_s
        self._real = SystemClock()
        self._resumed_ns: int | None = None
        self.blocked_s: list[float] = []
        self._jumping = JumpingSelector()
        self._jumping.loop = self
        super().__init__(self._jumping)
        self._own_files = frozenset(self._jumping.get_map())
        self._set_resolution()

    # time

    def now_ns(self) -> int:
        """Virtual monotonic nanoseconds."""
        return self._now_ns

    def time(self) -> float:
        return self._now_ns / NS

    def _set_resolution(self) -> None:
        # The loop runs timers earlier than time() + resolution: one step of a float means "now", never later.
        self._clock_resolution = math.ulp(self.time())

    def call_later(
        self, delay: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        return self.call_at_ns(self._now_ns + round(delay * NS), callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        return self.call_at_ns(round(when * NS), callback, *args, context=context)

    def call_at_ns(
        self, t_ns: int, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Call at exactly `t_ns`, at once when that has passed."""
        due = Due(max(t_ns, self._now_ns), next(self._order))
        handle = super().call_at(due, callback, *args, context=context)
        heapq.heappush(self._due, (due, handle))
        return handle

    def timers(self) -> list[asyncio.TimerHandle]:
        """Every timer that will still happen, earliest first."""
        return [handle for due, handle in sorted(self._due) if due.t_ns > self._now_ns and not handle.cancelled()]

    def _next_ns(self) -> int | None:
        while self._due and (self._due[0][0].t_ns <= self._now_ns or self._due[0][1].cancelled()):
            heapq.heappop(self._due)
        return self._due[0][0].t_ns if self._due else None

    # jumping

    def jump(self) -> None:
        """Move to the next timer. Raises WouldSleepForEver when there is none."""
        next_ns = self._next_ns()
        if next_ns is None:
            waiting = "; ".join(sorted(describe(task) for task in asyncio.all_tasks(self))) or "no task"
            raise WouldSleepForEver(f"nothing is ready, no timer is set and nothing is outside; waiting: {waiting}")
        self._now_ns = next_ns
        self._set_resolution()

    def still(self) -> bool:
        """Whether nothing is in flight, so that a jump is allowed."""
        with self._lock:
            if self._outside:
                return False
        return all([quiet() for quiet in self._quiet])

    def add_quiet(self, quiet: Quiet) -> Callable[[], None]:
        """Forbid jumps while `quiet()` is false; the result removes it again."""
        self._quiet.append(quiet)
        return lambda: self._quiet.remove(quiet)

    @contextmanager
    def outside(self) -> Iterator[None]:
        """Hold time still; may be entered and left in any thread, after the result was handed over."""
        with self._lock:
            self._outside += 1
        try:
            yield
        finally:
            with self._lock:
                self._outside -= 1

    # watching for callbacks that block

    def resume(self) -> None:
        """The selector gives control back to callbacks."""
        if self._slow_s is not None:
            self._resumed_ns = self._real.now_ns()

    def measure_blocking(self) -> None:
        """The callbacks of one iteration are done: remember them when they took too long."""
        if self._slow_s is not None and self._resumed_ns is not None:
            took_s = (self._real.now_ns() - self._resumed_ns) / NS
            if took_s > self._slow_s:
                self.blocked_s.append(took_s)

    def files(self) -> list[str]:
        """Sockets and files somebody still waits for."""
        return [f"file {key.fd}" for fd, key in self._jumping.get_map().items() if fd not in self._own_files]


class VirtualClock:
    """`hal.clock.Clock` on a virtual loop; the wall clock can be stepped and distrusted."""

    def __init__(self, loop: VirtualLoop, start_utc: datetime = START_UTC) -> None:
        self.loop = loop
        self._utc_at_zero = start_utc - timedelta(microseconds=loop.now_ns() // 1000)
        self._trusted = True

    def now_ns(self) -> int:
        return self.loop.now_ns()

    def utc(self) -> datetime:
        return self._utc_at_zero + timedelta(microseconds=self.loop.now_ns() // 1000)

    def step_utc(self, s: float) -> None:
        """Set the wall clock forward (or, negative, back) by `s` seconds; monotonic time does not notice."""
        self._utc_at_zero += timedelta(seconds=s)

    def trusted(self) -> bool:
        return self._trusted and self.utc() >= BUILT

    def set_trusted(self, trusted: bool) -> None:
        """Say whether the time source is believed."""
        self._trusted = trusted

    async def sleep(self, s: float) -> None:
        await asyncio.sleep(max(0.0, s))  # noqa: TID251 - this is the clock others sleep through

    def call_later(self, delay_s: float, fn: Callable[..., None], *args: object) -> Timer:
        return self.loop.call_later(max(0.0, delay_s), fn, *args)

    def call_at(self, t_ns: int, fn: Callable[..., None], *args: object) -> Timer:
        return self.loop.call_at_ns(t_ns, fn, *args)

    def outside(self) -> AbstractContextManager[None]:
        return self.loop.outside()


def virtual_run(
    main: Callable[[VirtualClock], Coroutine[Any, Any, T]],
    *,
    start_utc: datetime = START_UTC,
    debug: bool = False,
    slow_callback_s: float | None = None,
) -> T:
    """Run `main(clock)` on a fresh virtual loop and return its result.

    Raises AssertionError naming every task, timer or file left over, every error that reached only the
    loop, and, with `slow_callback_s`, every iteration that blocked for longer than that in real seconds.
    """
    loop = VirtualLoop(slow_callback_s=slow_callback_s)
    clock = VirtualClock(loop, start_utc)
    troubles: list[BaseException] = []
    loop.set_exception_handler(lambda _, context: troubles.append(trouble(context)))
    with asyncio.Runner(loop_factory=lambda: loop, debug=debug) as runner:
        result = runner.run(main(clock))
        runner.run(settle(clock))
        left = leftovers(loop)
    if troubles:
        raise AssertionError(f"errors reached only the loop: {troubles!r}") from troubles[0]
    if left:
        raise AssertionError(f"left over: {'; '.join(left)}")
    if loop.blocked_s:
        raise AssertionError(f"the loop was blocked for {', '.join(f'{s:.3f} s' for s in loop.blocked_s)}")
    return result


async def settle(clock: VirtualClock) -> None:
    """Let closing transports and cancelled tasks finish, without a jump."""
    for _ in range(SETTLE_ROUNDS):
        await clock.sleep(0)


def leftovers(loop: VirtualLoop) -> list[str]:
    """Names of the tasks, timers and files that outlive their program."""
    tasks = [describe(task) for task in asyncio.all_tasks(loop)]
    return [*sorted(tasks), *(f"timer {handle!r}" for handle in loop.timers()), *loop.files()]


def describe(task: asyncio.Task[Any]) -> str:
    """A task's name and the place where it waits."""
    coroutine = task.get_coro()
    name = getattr(coroutine, "__qualname__", repr(coroutine))
    frames = task.get_stack(limit=1)
    place = f" at {frames[0].f_code.co_filename}:{frames[0].f_lineno}" if frames else ""
    return f"task {task.get_name()} ({name}){place}"


def trouble(context: dict[str, Any]) -> BaseException:
    """The error a loop's exception context speaks of."""
    error = context.get("exception")
    return error if isinstance(error, BaseException) else RuntimeError(str(context.get("message", context)))
