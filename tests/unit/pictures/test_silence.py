"""Whether the far end of a line still speaks: told by the turns of our own loop, whose stalls are blamed on nobody."""

from __future__ import annotations

from collections.abc import Callable

from firmware.core.stream.hand_wire import HERE_S, MEDIA_HERE_S
from firmware.core.stream.hand_wire import SILENT_S as NETWORK_SILENT_S
from firmware.core.stream.screen import SILENT_S as MEDIA_SILENT_S
from firmware.core.stream.silence import Silence
from hal.clock import Timer
from hal.sim.time import VirtualClock, virtual_run

LIMIT_S = 6.0


class Machine(VirtualClock):
    """A clock that goes on while its machine stands still, and counts how often a timer has woken somebody up."""

    stood_still_ns = 0
    woken = 0

    def now_ns(self) -> int:
        return super().now_ns() + self.stood_still_ns

    def call_later(self, delay_s: float, fn: Callable[..., None], *args: object) -> Timer:
        def ring() -> None:
            self.woken += 1
            fn(*args)

        return super().call_later(delay_s, ring)


def test_a_far_end_that_says_nothing_is_told_of_once_soon_after_the_limit() -> None:
    async def main(clock: VirtualClock) -> None:
        ends: list[int] = []
        begun_ns = clock.now_ns()
        Silence(clock, LIMIT_S, lambda: ends.append(clock.now_ns() - begun_ns))
        await clock.sleep(10 * LIMIT_S)
        assert len(ends) == 1
        assert LIMIT_S <= ends[0] / 1e9 <= 1.2 * LIMIT_S

    virtual_run(main)


def test_a_far_end_that_speaks_is_there_and_is_told_of_once_it_does_not() -> None:
    async def main(clock: VirtualClock) -> None:
        ends: list[int] = []
        silence = Silence(clock, LIMIT_S, lambda: ends.append(clock.now_ns()))
        for _ in range(20):
            await clock.sleep(LIMIT_S - 1)
            silence.heard()
        heard_ns = clock.now_ns()
        assert ends == []
        await clock.sleep(2 * LIMIT_S)
        assert LIMIT_S <= (ends[0] - heard_ns) / 1e9 <= 1.2 * LIMIT_S

    virtual_run(main)


def test_after_its_end_nothing_is_told() -> None:
    async def main(clock: VirtualClock) -> None:
        ends: list[int] = []
        silence = Silence(clock, LIMIT_S, lambda: ends.append(1))
        silence.cancel()
        await clock.sleep(2 * LIMIT_S)
        assert ends == []

    virtual_run(main)


def test_a_word_after_its_end_begins_nothing() -> None:
    async def main(clock: VirtualClock) -> None:
        ends: list[int] = []
        silence, other = (Silence(clock, LIMIT_S, lambda: ends.append(1)) for _ in range(2))
        silence.cancel()
        silence.heard()
        await clock.sleep(2 * LIMIT_S)
        assert len(ends) == 1  # the other's
        other.heard()
        await clock.sleep(2 * LIMIT_S)
        assert len(ends) == 1

    virtual_run(main)


def test_a_far_end_that_speaks_as_often_as_ours_do_wakes_nobody_beside_its_words() -> None:
    async def main(clock: VirtualClock) -> None:
        counting = Machine(clock.loop)
        for says_s, limit_s in ((MEDIA_HERE_S, MEDIA_SILENT_S), (HERE_S + MEDIA_HERE_S, NETWORK_SILENT_S)):
            ends: list[int] = []
            silence = Silence(counting, limit_s, lambda ends=ends: ends.append(1))  # type: ignore[misc]
            for _ in range(50):
                await clock.sleep(says_s)
                silence.heard()
            assert counting.woken == 0
            assert ends == []
            silence.cancel()

    virtual_run(main)


def test_who_stood_still_hears_what_the_others_say_late_before_it_blames_them() -> None:
    async def main(clock: VirtualClock) -> None:
        ends: list[int] = []
        machine = Machine(clock.loop)
        silence = Silence(machine, LIMIT_S, lambda: ends.append(1))
        machine.stood_still_ns = round(20 * LIMIT_S * 1e9)
        await clock.sleep(LIMIT_S * 1.2)
        assert ends == []
        silence.heard()
        await clock.sleep(LIMIT_S)
        assert ends == []
        await clock.sleep(LIMIT_S * 0.2)
        assert ends == [1]

    virtual_run(main)
