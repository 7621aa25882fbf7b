"""What only the wires between two processes can get wrong: loss, garbage, order, and owners that die."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hal.clock import SystemClock
from hal.errors import BusError, LineInUse, OutOfRange, error_data, error_of
from hal.sim.remote import RemoteWires, WorldServer
from hal.sim.remote.lines import LONGEST_LINE, LineReader, packed
from hal.sim.time import VirtualClock, virtual_run
from hal.sim.world import World
from tests.unit.sim.conftest import new_world


@asynccontextmanager
async def served(clock: VirtualClock) -> AsyncIterator[tuple[World, WorldServer, Path]]:
    with tempfile.TemporaryDirectory() as folder:
        world = new_world(clock)
        server = WorldServer(world, Path(folder) / "world")
        await server.start()
        try:
            yield world, server, Path(folder) / "world"
        finally:
            await server.close()
            world.close()


def test_two_clients_share_a_world_but_not_a_line() -> None:
    async def main(clock: VirtualClock) -> None:
        async with served(clock) as (world, _, path):
            control = await RemoteWires.connect(path, clock)
            media = await RemoteWires.connect(path, clock)
            await (await control.gpio("gpio0")).outputs("control.relay1", [5], initial=[True])
            with pytest.raises(LineInUse, match=r"in use by 'control\.relay1'"):
                await (await media.gpio("gpio0")).outputs("media", [5], initial=[False])
            await control.close()
            await media.identity()
            await (await media.gpio("gpio0")).outputs("media", [5], initial=[True])
            assert len(world.find("relay:door").traces[""].points) == 2
            await media.close()

    virtual_run(main)


def test_a_card_swiped_in_real_time_goes_over_in_one_message_so_that_no_reader_sees_half_of_it() -> None:
    async def main() -> None:
        clock = SystemClock()
        with tempfile.TemporaryDirectory() as folder:
            world = new_world(clock)
            server = WorldServer(world, Path(folder) / "world")
            await server.start()
            reader, writer = await asyncio.open_unix_connection(Path(folder) / "world")
            wish = {"offsets": [23, 24], "pull": "up", "edges": "falling", "debounce_us": 0, "owner": "reader1"}
            writer.write(packed({"id": 1, "op": "inputs", "group": 7, "bus": "gpio0", **wish}))
            await reader.readline()
            await world.find("reader:front").swipe("H10301:42:1234")
            message = json.loads(await reader.readline())
            falling = [edge for edge in message["edges"] if edge[4]]
            assert [edge[4] for edge in falling] == list(range(1, 27))
            writer.close()
            await server.close()
            world.close()

    asyncio.run(main())


def test_a_client_is_told_once_that_its_world_has_gone() -> None:
    async def main(clock: VirtualClock) -> None:
        async with served(clock) as (_, server, path):
            lost: list[BusError] = []
            wires = await RemoteWires.connect(path, clock, lost=lost.append)
            gpio = await wires.gpio("gpio0")
            lines = await gpio.outputs("relay1", [5], initial=[False])
            inputs = await gpio.inputs("control", [4])
            await server.close()
            await clock.sleep(0.1)
            assert [error.message for error in lost] == ["the simulated world has gone"]
            with pytest.raises(BusError, match="world has gone"):
                lines.set(True)
            with pytest.raises(BusError, match="world has gone"):
                await wires.identity()
            inputs.close()
            lines.close()
            await wires.close()
            assert len(lost) == 1

    virtual_run(main)


def test_a_question_under_way_fails_when_the_world_goes() -> None:
    async def main(clock: VirtualClock) -> None:
        async with served(clock) as (_, server, path):
            wires = await RemoteWires.connect(path, clock)
            async with asyncio.TaskGroup() as group:
                asked = group.create_task(fails(wires))
                await server.close()
            assert asked.result() == "the simulated world has gone"

    async def fails(wires: RemoteWires) -> str:
        with pytest.raises(BusError) as caught:
            await wires.identity()
        return caught.value.message

    virtual_run(main)


def test_connecting_waits_for_a_world_that_starts_later() -> None:
    async def main(clock: VirtualClock) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "world"
            with pytest.raises(BusError, match="cannot reach"):
                await RemoteWires.connect(path, clock)
            world = new_world(clock)
            server = WorldServer(world, path)
            async with asyncio.TaskGroup() as group:
                wires = group.create_task(RemoteWires.connect(path, clock, within_s=2.0))
                await clock.sleep(0.5)
                await server.start()
            await wires.result().close()
            await server.close()
            world.close()

    virtual_run(main)


async def say(path: Path, *lines: bytes) -> bytes:
    """What the server answers to raw lines before it hangs up or the writer has ended."""
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(b"".join(lines))
    writer.write_eof()
    try:
        return await reader.read()
    except ConnectionResetError:
        return b"reset"
    finally:
        writer.close()


def test_bad_messages_get_one_error_that_names_the_place() -> None:
    async def main(clock: VirtualClock) -> None:
        async with served(clock) as (_, _, path):
            answers = await say(
                path,
                packed({"id": 1, "op": "inputz"}),
                packed({"id": 2, "op": "read", "bus": "i2c1"}),
                packed({"id": 3, "op": "set", "group": 9, "levels": []}),
                packed({"id": 4, "op": "has", "kind": "gpio", "bus": "gpio7"}),
                packed({"op": "set", "group": 9, "levels": []}),
            )
            errors = [json.loads(line)["error"] for line in answers.splitlines()]
            assert [error["message"] for error in errors] == [
                "no operation 'inputz'; did you mean 'inputs'?",
                "read: cannot read the message: KeyError('address')",
                "no group 9",
                "no bus 'gpio7'; did you mean 'gpio0'?",
                "no group 9",
            ]

    virtual_run(main)


def test_a_stream_that_is_no_conversation_is_hung_up_and_the_others_go_on() -> None:
    async def main(clock: VirtualClock) -> None:
        async with served(clock) as (_, _, path):
            wires = await RemoteWires.connect(path, clock)
            assert await say(path, b"GET / HTTP/1.1\r\n\r\n") in (b"", b"reset")
            assert await say(path, b"x" * (LONGEST_LINE + 2)) in (b"", b"reset")
            assert (await wires.identity()).serial
            await wires.close()

    virtual_run(main)


@given(st.lists(st.dictionaries(st.text(), st.integers() | st.text()), max_size=8), st.data())
def test_messages_survive_any_cutting_of_the_stream(messages: list[dict[str, object]], data: st.DataObject) -> None:
    stream = b"".join(packed(message) for message in messages)
    reader = LineReader()
    heard = []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        heard += reader.feed(stream[:size])
        stream = stream[size:]
    assert heard == messages


@given(st.binary(max_size=300))
def test_a_stream_of_anything_is_messages_or_a_bus_error(stream: bytes) -> None:
    try:
        messages = LineReader().feed(stream)
    except BusError:
        return
    assert all(isinstance(message, dict) for message in messages)


def test_errors_keep_their_kind_on_the_way() -> None:
    assert type(error_of(error_data(OutOfRange("adc0", "too much")))) is OutOfRange
    assert type(error_of({"kind": "nearest", "where": "x", "message": "y"})) is BusError
