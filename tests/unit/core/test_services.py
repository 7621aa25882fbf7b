"""Life of services in virtual time: order, crash, back-off, stop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import ClassVar

import pytest

from firmware.core.bus import Bus
from firmware.core.services import STOP_S, ServiceCrashed, Services, describe
from firmware.core.vocabulary.station import ServiceFailed, ServicePhase, ServiceState
from hal.sim.time import VirtualClock, virtual_run


class Duty:
    """A service that notes what happens to it; `script` may make it fail."""

    vital: ClassVar[bool] = True
    needs: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, name: str, log: list[str], clock: VirtualClock, *, vital: bool = True, **script: object) -> None:
        self.name = name  # type: ignore[misc]
        self.vital = vital  # type: ignore[misc]
        self._log = log
        self._clock = clock
        self._script = script
        self._zero_ns = clock.now_ns()

    def _note(self, what: str) -> None:
        self._log.append(f"{(self._clock.now_ns() - self._zero_ns) / 1e9:g} {what} {self.name}")

    async def _do(self, what: str) -> None:
        step = self._script.get(what)
        if isinstance(step, list):
            step = step.pop(0) if step else None
        if isinstance(step, Exception):
            raise step
        if callable(step):
            await step()

    async def start(self) -> None:
        self._note("start")
        await self._do("start")

    async def run(self) -> None:
        self._note("run")
        await self._do("run")
        await asyncio.get_running_loop().create_future()

    async def stop(self) -> None:
        self._note("stop")
        await self._do("stop")


def after(clock: VirtualClock, s: float, error: Exception) -> Callable[[], Awaitable[None]]:
    """Fail after some time."""

    async def fail() -> None:
        await clock.sleep(s)
        raise error

    return fail


class Role:
    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.bus = Bus(clock, role="control", boot="b1")
        self.services = Services(self.bus, clock, "control")
        self.log: list[str] = []
        self.ready_at: int | None = None

    def duty(self, name: str, **script: object) -> Duty:
        return Duty(name, self.log, self.clock, **script)

    async def run(self, *duties: Duty, for_s: float | None = None) -> None:
        """Run the services; cancelled after `for_s`."""

        def ready() -> None:
            self.log.append("ready")

        async with asyncio.TaskGroup() as group:
            task = group.create_task(self.services.run(duties, ready))
            if for_s is not None:
                await self.clock.sleep(for_s)
                task.cancel()

    def phase(self, name: str) -> ServicePhase | None:
        state = self.bus.state(ServiceState, "control", name)
        return None if state is None else state.phase


def play(body: Callable[[Role], Awaitable[None]]) -> None:
    async def main(clock: VirtualClock) -> None:
        await body(Role(clock))

    virtual_run(main)


def leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for each in error.exceptions for leaf in leaves(each)]
    return [error]


def test_services_start_in_order_and_stop_in_reverse():
    async def body(role: Role) -> None:
        await role.run(role.duty("a"), role.duty("b"), role.duty("c"), for_s=3)
        assert role.log == [
            "0 start a", "0 run a", "0 start b", "0 run b", "0 start c", "0 run c", "ready",
            "3 stop c", "3 stop b", "3 stop a",
        ]  # fmt: skip
        assert [role.phase(name) for name in "abc"] == [ServicePhase.OFF] * 3

    play(body)


def test_a_service_runs_while_the_ones_on_it_start_and_stop():
    async def body(role: Role) -> None:
        lines: asyncio.Queue[asyncio.Future[str]] = asyncio.Queue()

        async def serve() -> None:
            while True:
                (await lines.get()).set_result("answer")

        async def ask() -> None:
            question: asyncio.Future[str] = asyncio.get_running_loop().create_future()
            lines.put_nowait(question)
            assert await question == "answer"
            role.log.append("answered")

        await role.run(role.duty("link", run=serve), role.duty("user", start=ask, stop=ask), for_s=1)
        assert role.log.count("answered") == 2

    play(body)


@pytest.mark.parametrize("where", ["start", "run"])
def test_a_vital_crash_ends_everything_and_stops_all(where):
    async def body(role: Role) -> None:
        boom = RuntimeError("no relay")
        duties = [role.duty("a"), role.duty("b", **{where: after(role.clock, 2, boom)}), role.duty("c")]
        with pytest.raises(ExceptionGroup) as caught:
            await role.run(*duties)
        (crash,) = leaves(caught.value)
        assert isinstance(crash, ServiceCrashed)
        assert str(crash) == "b: RuntimeError: no relay"
        assert crash.__cause__ is boom
        stops = [line for line in role.log if "stop" in line]
        assert stops == (["2 stop c"] if where == "run" else []) + ["2 stop b", "2 stop a"]
        assert ("ready" in role.log) is (where == "run")
        state = role.bus.state(ServiceState, "control", "b")
        assert (state.phase, state.reason) == (ServicePhase.FAILED, "RuntimeError: no relay")

    play(body)


def test_ending_early_is_a_crash_and_a_crash_of_an_earlier_one_ends_a_slow_start():
    async def early() -> None:
        raise EOFError

    async def body(role: Role) -> None:
        slow = role.duty("slow", start=lambda: role.clock.sleep(100))

        class Brief(Duty):
            async def run(self) -> None:
                await self._clock.sleep(5)

        with pytest.raises(ExceptionGroup) as caught:
            await role.run(Brief("brief", role.log, role.clock), slow)
        assert str(leaves(caught.value)[0]) == "brief: ended by itself"
        assert role.log[-2:] == ["5 stop slow", "5 stop brief"]

    play(body)


def test_a_restartable_service_backs_off_doubling_to_thirty_seconds():
    async def body(role: Role) -> None:
        with role.bus.subscribe(ServiceFailed) as failed:
            weak = role.duty("weak", vital=False, start=[ValueError("no")] * 9)
            await role.run(weak, role.duty("other"), for_s=200)
            waits = [(await failed.get()).event.retry_s for _ in range(failed.pending())]
        assert waits == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]
        starts = [line for line in role.log if line.endswith("start weak")]
        assert starts[:4] == ["0 start weak", "0.5 start weak", "1.5 start weak", "3.5 start weak"]
        assert role.log.index("ready") < role.log.index("0.5 start weak")
        assert [line for line in role.log if "other" in line] == ["0 start other", "0 run other", "200 stop other"]

    play(body)


def test_a_minute_of_good_service_starts_the_back_off_anew():
    async def body(role: Role) -> None:
        clock = role.clock
        script = [after(clock, 1, OSError("x")), after(clock, 61, OSError("x")), after(clock, 1, OSError("x"))]
        with role.bus.subscribe(ServiceFailed, ServiceState) as seen:
            await role.run(role.duty("weak", vital=False, run=script), for_s=100)
            notices = [(await seen.get()).event for _ in range(seen.pending())]
        assert [event.retry_s for event in notices if isinstance(event, ServiceFailed)] == [0.5, 0.5, 1]
        last = role.bus.state(ServiceState, "control", "weak")
        assert (last.phase, last.restarts) == (ServicePhase.OFF, 3)

    play(body)


def test_a_failed_service_is_stopped_before_it_starts_again():
    async def body(role: Role) -> None:
        weak = role.duty("weak", vital=False, run=[ValueError("no")])
        await role.run(weak, for_s=2)
        assert role.log == [
            "0 start weak", "0 run weak", "0 stop weak", "ready", "0.5 start weak", "0.5 run weak", "2 stop weak"
        ] or role.log == [
            "0 start weak", "0 run weak", "ready", "0 stop weak", "0.5 start weak", "0.5 run weak", "2 stop weak"
        ]  # fmt: skip

    play(body)


def test_one_bad_stop_keeps_no_other_from_its_safe_state():
    async def body(role: Role) -> None:
        duties = [
            role.duty("a"),
            role.duty("b", stop=[KeyError("bad")]),
            role.duty("c", stop=[OSError("worse")]),
            role.duty("d", run=after(role.clock, 1, RuntimeError("first"))),
        ]
        with pytest.raises(ExceptionGroup) as caught:
            await role.run(*duties)
        assert [type(leaf).__name__ for leaf in leaves(caught.value)] == ["ServiceCrashed", "OSError", "KeyError"]
        assert [line for line in role.log if "stop" in line] == ["1 stop d", "1 stop c", "1 stop b", "1 stop a"]

    play(body)


def test_a_stop_that_hangs_is_left_behind_and_the_end_says_so():
    async def body(role: Role) -> None:
        hang = role.duty("hang", stop=lambda: role.clock.sleep(1000))
        with pytest.raises(ExceptionGroup) as caught:
            await role.run(role.duty("a"), hang, for_s=1)
        assert [type(leaf) for leaf in leaves(caught.value)] == [TimeoutError]
        assert role.log[-2:] == ["1 stop hang", f"{1 + STOP_S:g} stop a"]

    play(body)


def test_a_second_cancellation_still_stops_everything():
    async def body(role: Role) -> None:
        duties = [role.duty("a"), role.duty("b", stop=lambda: role.clock.sleep(2))]
        async with asyncio.TaskGroup() as group:
            task = group.create_task(role.services.run(duties))
            await role.clock.sleep(1)
            task.cancel()
            await role.clock.sleep(1)
            task.cancel()
        assert role.log[-2:] == ["1 stop b", "2 stop a"]

    play(body)


def test_an_exception_is_described_in_one_line():
    assert describe(ExceptionGroup("many", [ValueError("first"), OSError("second")])) == "ValueError: first"
    assert describe(KeyError()) == "KeyError"
