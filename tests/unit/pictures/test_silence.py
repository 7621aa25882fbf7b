"""Whether the far end of a line still speaks: told by the turns of our own loop, whose stalls are blamed on nobody."""

from __future__ import annotations

from firmware.core.stream.silence import Silence
from hal.sim.time import VirtualClock, virtual_run

LIMIT_S = 6.0


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
