"""Virtual time jumps exactly, stands still while something is outside, and nothing is left over."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hal.clock import BUILT, SystemClock
from hal.sim.time import START_UTC, VirtualClock, VirtualLoop, WouldSleepForEver, virtual_run

YEAR_S = 365 * 86400


def test_seven_seconds_are_exact_to_the_nanosecond() -> None:
    async def main(clock: VirtualClock) -> int:
        began_ns = clock.now_ns()
        await clock.sleep(7.0)
        return clock.now_ns() - began_ns

    real = SystemClock()
    began_ns = real.now_ns()
    assert virtual_run(main) == 7_000_000_000
    assert real.now_ns() - began_ns < 7_000_000_000  # nobody waited for them


@given(st.lists(st.integers(min_value=0, max_value=10**12), min_size=1, max_size=20))
def test_timers_come_at_their_nanosecond_and_in_order(delays_ns: list[int]) -> None:
    async def main(clock: VirtualClock) -> list[tuple[int, int]]:
        came: list[tuple[int, int]] = []
        began_ns = clock.now_ns()
        for index, delay_ns in enumerate(delays_ns):
            clock.call_at(began_ns + delay_ns, lambda index=index: came.append((clock.now_ns() - began_ns, index)))
        await clock.sleep(1001.0)
        return came

    assert virtual_run(main) == sorted((delay_ns, index) for index, delay_ns in enumerate(delays_ns))


def test_a_timer_after_thirty_years_is_still_exact() -> None:
    async def main(clock: VirtualClock) -> int:
        due_ns = clock.now_ns() + 30 * YEAR_S * 10**9 + 1
        came = asyncio.get_running_loop().create_future()
        clock.call_at(due_ns, lambda: came.set_result(clock.now_ns() - due_ns))
        return int(await came)

    assert virtual_run(main) == 0


def test_a_cancelled_timer_does_not_happen_and_is_not_left_over() -> None:
    async def main(clock: VirtualClock) -> list[str]:
        came: list[str] = []
        timer = clock.call_later(1.0, came.append, "never")
        clock.call_later(2.0, came.append, "later")
        timer.cancel()
        await clock.sleep(3.0)
        clock.call_later(5.0, came.append, "never").cancel()
        return came

    assert virtual_run(main) == ["later"]


def test_a_timeout_ends_a_wait_at_its_instant() -> None:
    async def main(clock: VirtualClock) -> int:
        began_ns = clock.now_ns()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.25):
                await clock.sleep(60)
        return clock.now_ns() - began_ns

    assert virtual_run(main) == 250_000_000


def test_waiting_for_what_never_comes_is_an_error_that_names_the_task() -> None:
    async def main(clock: VirtualClock) -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(WouldSleepForEver, match="main"):
        virtual_run(main)


def test_time_stands_still_while_a_thread_works() -> None:
    async def main(clock: VirtualClock) -> int:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        go = threading.Event()

        def job() -> None:
            go.wait(60)
            loop.call_soon_threadsafe(done.set_result, None)

        thread = threading.Thread(target=job)
        began_ns = clock.now_ns()
        timer = clock.call_later(0.001, lambda: None)
        with clock.outside():
            thread.start()
            loop.call_soon(go.set)
            await done
            elapsed_ns = clock.now_ns() - began_ns
        thread.join()
        timer.cancel()
        return elapsed_ns

    assert virtual_run(main) == 0


def test_a_quiet_predicate_forbids_jumps_until_it_holds() -> None:
    async def main(clock: VirtualClock) -> tuple[int, int]:
        asked = 0

        def quiet() -> bool:
            nonlocal asked
            asked += 1
            return asked > 3

        remove = clock.loop.add_quiet(quiet)
        began_ns = clock.now_ns()
        await clock.sleep(1.0)
        remove()
        return asked, clock.now_ns() - began_ns

    asked, elapsed_ns = virtual_run(main)
    assert asked >= 4
    assert elapsed_ns == 1_000_000_000


def test_bytes_of_a_socket_arrive_before_time_moves() -> None:
    async def main(clock: VirtualClock) -> tuple[bytes, int]:
        left, right = socket.socketpair()
        reader, writer = await asyncio.open_unix_connection(sock=left)
        began_ns = clock.now_ns()
        clock.call_later(5.0, right.send, b"late")
        right.send(b"early")
        data = await reader.readexactly(9)
        writer.close()
        await writer.wait_closed()
        right.close()
        return data, clock.now_ns() - began_ns

    assert virtual_run(main) == (b"earlylate", 5_000_000_000)


def test_a_task_left_over_is_named() -> None:
    async def sleeper(clock: VirtualClock) -> None:
        await clock.sleep(1000)

    async def main(clock: VirtualClock) -> None:
        asyncio.get_running_loop().create_task(sleeper(clock), name="forgotten")

    with pytest.raises(AssertionError, match=r"task forgotten .*sleeper"):
        virtual_run(main)


def test_a_timer_left_over_is_named() -> None:
    async def main(clock: VirtualClock) -> None:
        clock.call_later(5.0, clock.set_trusted, True)

    with pytest.raises(AssertionError, match=r"left over: timer .*set_trusted"):
        virtual_run(main)


def test_a_file_left_over_is_named() -> None:
    ends = os.pipe()

    async def main(clock: VirtualClock) -> None:
        asyncio.get_running_loop().add_reader(ends[0], lambda: None)

    with pytest.raises(AssertionError, match=f"file {ends[0]}"):
        virtual_run(main)
    for end in ends:
        os.close(end)


def test_an_error_in_a_callback_fails_the_run() -> None:
    def fails() -> None:
        raise ValueError("from a timer")

    async def main(clock: VirtualClock) -> None:
        clock.call_later(1.0, fails)
        await clock.sleep(2.0)

    with pytest.raises(AssertionError, match="from a timer"):
        virtual_run(main)


def test_an_error_of_the_program_comes_out_as_it_is() -> None:
    async def main(clock: VirtualClock) -> None:
        clock.call_later(1.0, lambda: None)
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        virtual_run(main)


def test_a_callback_that_blocks_is_reported_when_asked() -> None:
    async def main(clock: VirtualClock) -> None:
        threading.Event().wait(0.05)

    virtual_run(main)
    with pytest.raises(AssertionError, match=r"blocked for \d"):
        virtual_run(main, slow_callback_s=0.02)


def test_debug_mode_of_the_loop_changes_no_time() -> None:
    async def main(clock: VirtualClock) -> int:
        assert asyncio.get_running_loop().get_debug()
        await clock.sleep(0.1)
        return clock.now_ns()

    assert virtual_run(main, debug=True) == 1_000_100_000_000


def test_the_wall_clock_steps_and_durations_do_not_notice() -> None:
    async def main(clock: VirtualClock) -> None:
        assert clock.utc() == START_UTC
        assert clock.trusted()
        await clock.sleep(1.5)
        clock.step_utc(3600)
        assert clock.utc() - START_UTC == timedelta(seconds=3601.5)
        before_ns = clock.now_ns()
        clock.step_utc(-10 * YEAR_S)
        assert clock.now_ns() == before_ns
        assert clock.utc() < BUILT
        assert not clock.trusted()
        clock.step_utc(10 * YEAR_S)
        assert clock.trusted()
        clock.set_trusted(False)
        assert not clock.trusted()

    virtual_run(main)


def test_two_runs_do_not_share_a_loop() -> None:
    async def main(clock: VirtualClock) -> VirtualLoop:
        assert clock.loop is asyncio.get_running_loop()
        return clock.loop

    first, second = virtual_run(main), virtual_run(main)
    assert first is not second
    assert first.is_closed()
