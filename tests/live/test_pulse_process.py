"""The process that sends pulses, for real: measured in its own log while it is disturbed and killed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import select
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from hal.board import load_board
from hal.buses.pulse_child import PulseChild
from hal.buses.pulse_lines import LogReader, new_log
from hal.buses.pulse_process import Work
from hal.clock import SystemClock, Timer
from hal.drivers.wiegand_framer import WiegandFramer
from hal.drivers.wiegand_out import WiegandOutput
from hal.errors import DeviceError
from hal.pulse import spoilers
from hal.sim.peers.controller import ControllerPeer, ReceivedFrame
from hal.sim.pulses import PlayedPulses
from hal.sim.wires import SimWires
from hal.sim.world import World
from hal.types import CardBits, Edge, SentFrame, WiegandTiming
from tests.live.device import PATIENCE_S, Device, until
from tests.live.load import busy

ROOT = Path(__file__).resolve().parents[2]
CARD = "10000000100000000000000010"
CARDS = (CARD, "0001100000011100111010100001100010", "1000010010011001011000000010110100101")
MS = 1_000_000
D0, D1 = (line for _, line in load_board("door_station").nodes["out1"].lines())
LINES = (f"line:{D0}", f"line:{D1}")

# Short trains: a machine that takes its processors away for 20 ms at a time lets some of these through.
QUICK = WiegandTiming(interval_us=300)

Test = Callable[[World, WiegandOutput, PlayedPulses, ControllerPeer], Awaitable[None]]


def in_real_time(test: Test) -> None:
    """Run a test with the output of a door station, its real process, and the controller behind it."""

    async def main() -> None:
        clock = SystemClock()
        world = World(clock, load_board("door_station"))
        wires = SimWires(world)
        pulses = await wires.pulses(D0.bus, "out1", D0.offset, D1.offset, active_high=True)
        assert isinstance(pulses, PlayedPulses)
        output = WiegandOutput("out1", pulses, clock)
        controller = world.find("controller")
        assert isinstance(controller, ControllerPeer)
        keeping = asyncio.ensure_future(output.run())
        try:
            await asyncio.wait_for(test(world, output, pulses, controller), 2 * PATIENCE_S)
        finally:
            keeping.cancel()
            output.close()
            await wires.close()
            world.close()

    asyncio.run(main())


async def deliver(output: WiegandOutput, bits: str) -> SentFrame:
    """Send a frame; on a machine where every try is broken off, ask again."""
    for _ in range(20):
        with contextlib.suppress(DeviceError):
            return await output.send(bits)
    raise AssertionError("this machine stands still all the time")


async def heard(controller: ControllerPeer, count: int) -> list[ReceivedFrame]:
    """Wait until the controller has taken that many cards, every pulse and gap of them within the standard.

    What stands before a stall is well timed, and a stall longer than the silence ends a frame: a stump, no card. A
    frame whose last pulse is stretched by one has all its bits, but no receiver that measures takes it.
    """
    clock = SystemClock()
    while len(frames := [frame for frame in controller.frames if frame.good and frame.bits in CARDS]) < count:
        await clock.sleep(0.01)
    return frames


def read_by_our_own_reader(world: World) -> dict[int, str]:
    """Every frame that our framer takes from what happened on both lines, by the time of its last edge."""
    falls = sorted(
        (t_ns, line) for line, at in enumerate((D0, D1)) for t_ns, level in world.nets[at].trace.entries if level
    )
    framer = WiegandFramer("reader")
    facts = [f for seq, (t, line) in enumerate(falls, 1) for f in framer.feed(Edge(t, line, False, seq))]
    facts += framer.silence(falls[-1][0] + 100 * MS)
    return {fact.t_ns: fact.bits for fact in facts if isinstance(fact, CardBits)}


def is_left_of_a_try(bits: str) -> bool:
    """Whether a try at one of the cards that was broken off leaves these bits: its beginning, perhaps spoilt."""
    return any(
        bits in (card[:sent], card[:sent] + "0" * spoilers(sent, len(card)))
        for card in CARDS
        for sent in range(1, len(card) + 1)
    )


def rests(world: World) -> bool:
    return not any(world.nets[line].level for line in (D0, D1))


def test_frames_of_the_real_process_reach_the_controller_and_our_own_reader_with_the_times_measured() -> None:
    async def test(world: World, output: WiegandOutput, _: PlayedPulses, controller: ControllerPeer) -> None:
        output.set_timing(QUICK)
        sent = [await deliver(output, bits) for bits in CARDS]
        frames = await heard(controller, len(CARDS))
        assert tuple(frame.bits for frame in frames) == CARDS
        for report, frame in zip(sent, frames, strict=True):
            assert len(report.pulses_ns) == len(report.bits)
            # The log stamps a move within the call that made it, so the report is about the same pulses.
            assert abs(report.t_ns - frame.t_ns) < 20 * MS
            assert sum(report.intervals_ns) <= sum(frame.intervals_ns) + 20 * MS
        read = read_by_our_own_reader(world)
        whole = {frame.t_ns + sum(frame.intervals_ns): frame.bits for frame in frames}
        assert whole.items() <= read.items()
        # Where this machine stood still within a frame our reader may have taken what was left of that try.
        left = [bits for t_ns, bits in read.items() if t_ns not in whole]
        assert len(left) <= output.status.broken
        assert all(is_left_of_a_try(bits) for bits in left), left

    in_real_time(test)


@pytest.mark.parametrize(
    "timing", [WiegandTiming(pulse_us=20, interval_us=200), WiegandTiming(pulse_us=100, interval_us=1_000)]
)
def test_under_load_no_frame_is_accepted_whose_pulse_or_gap_went_out_of_bounds(timing: WiegandTiming) -> None:
    async def test(_: World, output: WiegandOutput, pulses: PlayedPulses, controller: ControllerPeer) -> None:
        output.set_timing(timing)
        assert pulses.pid is not None
        os.sched_setscheduler(pulses.pid, os.SCHED_OTHER, os.sched_param(0))  # the hard case: no priority at all
        accepted, whole = 0, []
        with busy(2 * (os.cpu_count() or 1)):
            for number in range(10):
                try:
                    sent = await output.send(CARDS[number % 3])
                except DeviceError:
                    continue  # every try was broken off; that is allowed, a bad frame is not
                accepted += 1
                whole.append(sent.bits)
                assert all(20_000 <= width <= 100_000 for width in sent.pulses_ns)
                assert all(200_000 <= interval <= 20_000_000 for interval in sent.intervals_ns)
        assert (output.status.frames, output.status.frames + output.status.failed) == (accepted, 10)
        output.set_timing(QUICK)
        whole.append((await deliver(output, CARD)).bits)  # and once the machine has time again
        # What the log saw within bounds: every card that was accepted, once, and no other.
        assert [frame.bits for frame in await heard(controller, len(whole))] == whole

    in_real_time(test)


def test_a_process_that_is_held_up_within_a_frame_breaks_it_off_and_sends_it_again() -> None:
    async def test(_: World, output: WiegandOutput, pulses: PlayedPulses, controller: ControllerPeer) -> None:
        output.set_timing(WiegandTiming(interval_us=10_000))
        clock = SystemClock()
        assert pulses.pid is not None
        whole, attempts = 0, 0
        while output.status.broken == 0:  # this process may be held up itself, until the frame is over
            sending = asyncio.ensure_future(output.send(CARD))
            await clock.sleep(0.1)
            os.kill(pulses.pid, signal.SIGSTOP)
            await clock.sleep(0.1)
            os.kill(pulses.pid, signal.SIGCONT)
            with contextlib.suppress(DeviceError):
                attempts = (await sending).attempts
                whole += 1
        assert attempts == output.status.broken + 1 or output.status.failed == 1
        output.set_timing(QUICK)
        await deliver(output, CARD)
        assert [frame.bits for frame in await heard(controller, whole + 1)] == [CARD] * (whole + 1)
        assert any(len(frame.bits) < len(CARD) for frame in controller.frames)

    in_real_time(test)


def test_row_14_a_process_killed_within_a_frame_leaves_the_lines_at_rest_and_the_next_frame_goes_out() -> None:
    async def test(world: World, output: WiegandOutput, pulses: PlayedPulses, controller: ControllerPeer) -> None:
        clock = SystemClock()
        output.set_timing(WiegandTiming(pulse_us=100, interval_us=200))  # a third of the time is pulses
        kills, lost = 0, 0
        while kills < 3 or not lost:  # a frame may be over before this process comes to kill
            kills += 1
            old = pulses.pid
            assert old is not None
            sending = asyncio.ensure_future(output.send("10" * 100))
            await clock.sleep(0.03)
            os.kill(old, signal.SIGKILL)
            (outcome,) = await asyncio.gather(sending, return_exceptions=True)
            if isinstance(outcome, DeviceError):
                assert "may not have been sent: out1: " in str(outcome) or "was broken off" in str(outcome)
                lost += 1
            while pulses.pid in (None, old):
                await clock.sleep(0.01)
            assert rests(world)
        assert output.status.failed == lost
        output.set_timing(QUICK)
        await deliver(output, CARD)
        assert (await heard(controller, 1))[-1].t_ns == controller.frames[-1].t_ns

    in_real_time(test)


def started(*words: str) -> tuple[subprocess.Popen[str], int, list[str], LogReader]:
    """A parent that sends frames, the pid of its pulse process, the rest of what it said, and the log."""
    fd = new_log()
    command = [sys.executable, str(ROOT / "tests" / "live" / "sender.py"), str(fd), *words]
    parent = subprocess.Popen(
        command,
        pass_fds=(fd,),
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    log = LogReader(fd)
    os.close(fd)
    assert parent.stdout is not None
    pid, *said = parent.stdout.readline().split(maxsplit=2)
    return parent, int(pid), said, log


def ended(pid: int) -> bool:
    """Whether a process runs no more (a zombie that nobody reaps has ended)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_row_14_a_killed_parent_takes_its_pulse_process_along_and_the_lines_rest() -> None:
    for _ in range(4):
        parent, pid, _, log = started()
        try:
            until("pulses", lambda log=log: len(log.fresh()) > 0)  # type: ignore[misc]
            parent.kill()
            parent.communicate(timeout=60)
            until("the end of the pulse process", lambda pid=pid: ended(pid))  # type: ignore[misc]
            moves = log.fresh()
            assert moves == () or moves[-1][1:] == (False, False)
        finally:
            parent.kill()
            parent.communicate()
            log.close()


def test_without_real_time_priority_it_sends_all_the_same_and_says_so_once() -> None:
    parent, _, said, log = started("--humble")
    try:
        assert said[0] == "False"
        assert said[1].startswith("SCHED_FIFO was refused: Operation not permitted (systemd: LimitRTPRIO=49)")
        assert parent.stdout is not None
        frames = [parent.stdout.readline().strip() for _ in range(3)]
        assert all(frames)
    finally:
        parent.kill()
        _, errors = parent.communicate()
        log.close()
    assert errors.count("out1: pulses are sent at normal priority") == 1
    assert errors.count("\n") == 1


def test_with_real_time_priority_it_says_that_it_has_it() -> None:
    async def test(_: World, output: WiegandOutput, pulses: PlayedPulses, __: ControllerPeer) -> None:
        assert pulses.pid is not None
        first = os.sched_getscheduler(pulses.pid) == os.SCHED_FIFO
        assert (output.status.realtime, output.status.reason == "") == (first, first)

    in_real_time(test)


def test_a_process_that_cannot_start_costs_no_more_than_the_output(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The door comes first: opening goes on, sending says why not."""
    monkeypatch.setattr(sys, "executable", "/bin/false")

    async def main() -> None:
        fd = new_log()
        clock = SystemClock()

        async def rest() -> None:
            """There is no chip."""

        child = PulseChild(Work(socket=-1, parent=-1, owner="out1", log=fd), clock, rest=rest, keep=(fd,))
        with caplog.at_level(logging.ERROR):
            await child.open()
        output = WiegandOutput("out1", child, clock)
        with pytest.raises(DeviceError, match="the process that sends pulses is not running"):
            await output.send(CARD)
        assert "has died" in output.status.reason
        output.close()
        os.close(fd)

    asyncio.run(main())
    assert caplog.text.count("pulses cannot be sent") == 1


class LateClock(SystemClock):
    """A clock whose timers are kept: a test says when they are due."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[Callable[[], None]] = []

    def call_later(self, delay_s: float, fn: Callable[..., None], *args: object) -> Timer:
        due = super().call_later(delay_s, fn, *args)
        self.kept.append(lambda: fn(*args))
        return due


@pytest.mark.parametrize("first", ["the timer", "the answer"])
def test_an_answer_that_is_there_when_its_time_is_over_counts_and_the_process_goes_on(first: str) -> None:
    """As on a machine that stood still until both were due: the loop sees them in one turn."""

    async def main() -> None:
        fd = new_log()
        clock = LateClock()

        async def rest() -> None:
            """There is no chip."""

        child = PulseChild(Work(socket=-1, parent=-1, owner="out1", log=fd), clock, rest=rest, keep=(fd,))
        try:
            await child.open()
            process = child.pid
            for _ in range(2):
                sending = asyncio.ensure_future(child.send(CARD, QUICK))
                await asyncio.sleep(0)  # it has asked
                too_late = clock.kept[-1]
                assert select.select([child._socket], [], [], PATIENCE_S)[0], "no answer"
                if first == "the timer":
                    too_late()
                else:
                    asyncio.get_running_loop().call_later(0, too_late)
                assert (await sending).t_ns > 0
                await asyncio.sleep(0)
                assert child.pid == process
        finally:
            child.close()
            os.close(fd)

    asyncio.run(asyncio.wait_for(main(), PATIENCE_S))


def test_row_14_starts_stops_and_kills_of_the_whole_device_move_no_data_line(device: Device) -> None:
    def points() -> list[object]:
        return [device.bench("trace", name)["points"] for name in LINES]

    before = points()
    assert [len(each) for each in before if isinstance(each, list)] == [1, 1]
    for _ in range(3):
        old = device.kill("control")
        device.wait_ready("control", other_than=old)
    assert points() == before
