"""The bus: stamps, retains, coalesces, and never lets a slow subscriber end at the wrong state."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.core.bus import Bus
from firmware.core.events import REGISTRY, Notice, Operation, State, topic
from firmware.core.queue import NoticeQueue
from firmware.core.vocabulary.access import AccessDenied, AccessGranted, CardRead, DoorReleased, Reason
from firmware.core.vocabulary.io import VirtualInputState
from hal.sim.time import VirtualClock, virtual_run


def card(number: int = 1) -> CardRead:
    return CardRead(reader="front", door="door", bits="01", credential=f"H10301:42:{number}")


def virtual_input(number: int, active: bool) -> VirtualInputState:
    return VirtualInputState(input=number, active=active)


def on_bus(body):
    """Run a body with a bus in virtual time."""

    async def main(clock: VirtualClock) -> None:
        await body(Bus(clock, role="control", boot="b1"), clock)

    virtual_run(main)


def test_publishing_stamps_id_time_and_cause():
    async def body(bus: Bus, clock: VirtualClock) -> None:
        read = bus.publish(card())
        await clock.sleep(1.5)
        granted = bus.publish(
            AccessGranted(door="door", reader="front", credential="x", entry="e", holder="Ada"), cause=read
        )
        released = bus.publish(DoorReleased(door="door", hold_s=7.0, by="rule"), cause=granted.id)
        assert (read.id, granted.id, released.id) == ("b1-control-1", "b1-control-2", "b1-control-3")
        assert (read.cause, granted.cause, released.cause) == (None, read.id, granted.id)
        assert (granted.at - read.at).total_seconds() == 1.5

    on_bus(body)


def test_a_new_subscriber_first_gets_what_is_so():
    async def body(bus: Bus, clock: VirtualClock) -> None:
        bus.publish(virtual_input(1, True))
        bus.publish(virtual_input(2, False))
        bus.publish(virtual_input(1, False))
        bus.publish(card())
        with bus.subscribe(VirtualInputState, CardRead) as seen:
            assert seen.pending() == 2
            first, second = await seen.get(), await seen.get()
            assert [(n.operation, n.event.input, n.event.active) for n in (first, second)] == [
                (Operation.INITIALISED, 1, False),
                (Operation.INITIALISED, 2, False),
            ]
            bus.publish(virtual_input(2, True))
            assert (await seen.get()).operation is Operation.CHANGED
        with bus.subscribe(VirtualInputState, retained=False) as fresh:
            assert fresh.pending() == 0

    on_bus(body)


def test_a_state_that_did_not_change_is_not_repeated():
    async def body(bus: Bus, clock: VirtualClock) -> None:
        first = bus.publish(virtual_input(1, True))
        with bus.subscribe(retained=False) as seen:
            await clock.sleep(1)
            assert bus.publish(virtual_input(1, True)) is first
            assert seen.pending() == 0

    on_bus(body)


def test_a_slow_subscriber_loses_old_pulses_and_no_state():
    async def body(bus: Bus, clock: VirtualClock) -> None:
        with bus.subscribe(depth=3) as seen:
            for number in range(10):
                bus.publish(card(number))
                bus.publish(virtual_input(number % 5, number >= 5))
            assert seen.lost == 7
            notices = [await seen.get() for _ in range(seen.pending())]
            assert [n.event.credential[-1] for n in notices if isinstance(n.event, CardRead)] == ["7", "8", "9"]
            states = {n.event.input: n.event.active for n in notices if isinstance(n.event, State)}
            assert states == dict.fromkeys(range(5), True)

    on_bus(body)


def test_more_states_than_the_depth_still_end_at_the_truth():
    async def body(bus: Bus, clock: VirtualClock) -> None:
        with bus.subscribe(depth=2) as seen:
            for number in range(1, 50):
                bus.publish(virtual_input(number, True))
            assert seen.pending() == 49
            assert seen.lost == 0

    on_bus(body)


def test_a_state_that_changed_before_it_was_seen_is_still_the_first():
    async def body(bus: Bus, clock: VirtualClock) -> None:
        bus.publish(virtual_input(1, False))
        with bus.subscribe(VirtualInputState) as seen:
            bus.publish(virtual_input(1, True))
            notice = await seen.get()
            assert (notice.operation, notice.event.active) == (Operation.INITIALISED, True)
            assert seen.pending() == 0

    on_bus(body)


def test_a_forgotten_state_is_deleted_everywhere():
    async def body(bus: Bus, clock: VirtualClock) -> None:
        bus.publish(virtual_input(1, True))
        with bus.subscribe(VirtualInputState, retained=False) as seen:
            bus.forget(VirtualInputState, "1", cause="b1-control-1")
            bus.forget(VirtualInputState, "1")
            gone = await seen.get()
            assert (gone.operation, gone.event.id, gone.event.cause) == (
                Operation.DELETED,
                "b1-control-2",
                "b1-control-1",
            )
            assert seen.pending() == 0
        assert bus.state(VirtualInputState, "1") is None
        assert bus.states() == ()
        assert bus.publish(virtual_input(1, True)).id == "b1-control-3"

    on_bus(body)


def test_a_subscriber_sees_only_the_classes_it_named():
    async def body(bus: Bus, clock: VirtualClock) -> None:
        with bus.subscribe(AccessDenied) as seen, bus.subscribe(State) as states, bus.subscribe() as everything:
            bus.publish(card())
            bus.publish(virtual_input(1, True))
            bus.publish(AccessDenied(door="door", reader="front", credential="x", reason=Reason.UNKNOWN))
            assert (seen.pending(), states.pending(), everything.pending()) == (1, 1, 3)

    on_bus(body)


def test_a_closed_subscription_ends_its_iterator_after_what_is_queued():
    async def body(bus: Bus, clock: VirtualClock) -> None:
        seen = bus.subscribe(CardRead)
        heard: list[str] = []

        async def listen() -> None:
            async for notice in seen:
                heard.append(notice.event.id)

        async with asyncio.TaskGroup() as group:
            group.create_task(listen())
            await clock.sleep(1)
            bus.publish(card(1))
            await clock.sleep(1)
            bus.publish(card(2))
            seen.close()
            bus.publish(card(3))
        assert heard == ["b1-control-1", "b1-control-2"]

    on_bus(body)


def test_a_tap_sees_everything_at_once_and_in_order():
    async def body(bus: Bus, clock: VirtualClock) -> None:
        seen: list[Notice] = []
        bus.tap(seen.append)
        for number in range(5):
            bus.publish(card(number))
        assert [notice.event.id for notice in seen] == [f"b1-control-{n}" for n in range(1, 6)]

    on_bus(body)


def test_what_comes_from_another_role_keeps_its_stamp():
    async def body(bus: Bus, clock: VirtualClock) -> None:
        state = replace(virtual_input(1, True), id="b9-media-4", at=clock.utc(), cause="b9-media-3")
        bus.deliver(Notice(Operation.CHANGED, state))
        assert bus.state(VirtualInputState, "1") == state
        bus.deliver(Notice(Operation.DELETED, state))
        assert bus.state(VirtualInputState, "1") is None

    on_bus(body)


def test_a_topic_belongs_to_one_class():
    assert REGISTRY["access/card"] is CardRead
    with pytest.raises(ValueError, match="belongs to CardRead"):
        topic("access/card")(CardRead)


steps = st.lists(
    st.one_of(
        st.tuples(st.just("pulse"), st.integers(0, 3)),
        st.tuples(st.sampled_from(["on", "off", "gone"]), st.integers(0, 3)),
        st.tuples(st.just("take"), st.integers(0, 3)),
    ),
    max_size=60,
)


@given(steps, st.integers(1, 5))
def test_whatever_happens_a_reader_of_the_queue_ends_at_the_truth(script, depth):
    queue = NoticeQueue(depth)
    truth: dict[int, bool] = {}
    seen: dict[int, bool] = {}
    pulses_put: list[str] = []
    pulses_seen: list[str] = []

    def take() -> bool:
        notice = queue.take()
        if notice is None:
            return False
        if isinstance(notice.event, VirtualInputState):
            if notice.operation is Operation.DELETED:
                seen.pop(notice.event.input, None)
            else:
                seen[notice.event.input] = notice.event.active
        else:
            pulses_seen.append(notice.event.id)
        return True

    for count, (step, number) in enumerate(script):
        if step == "take":
            take()
        elif step == "pulse":
            pulses_put.append(str(count))
            queue.put(Notice(Operation.HAPPENED, replace(card(), id=str(count))))
        elif step == "gone":
            truth.pop(number, None)
            queue.put(Notice(Operation.DELETED, virtual_input(number, False)))
        else:
            truth[number] = step == "on"
            queue.put(Notice(Operation.CHANGED, virtual_input(number, step == "on")))
        assert len(queue) <= depth + 4
    while take():
        pass
    assert seen == truth
    assert pulses_seen == [pulse for pulse in pulses_put if pulse in pulses_seen]
    assert len(pulses_put) == len(pulses_seen) + queue.lost


def test_pulses_that_claim_the_same_id_are_still_two():
    queue = NoticeQueue(2)
    for number in range(5):
        queue.put(Notice(Operation.HAPPENED, replace(card(number), id="same")))
    assert [queue.take().event.credential[-1] for _ in range(2)] == ["3", "4"]
    assert (queue.take(), queue.lost) == (None, 3)
