"""The network trace on a device, where the network role may not listen to an adapter: a process of its own does.

systemd starts it for a connection to the listener's socket (systemd/lintel-trace.socket), with the one capability
that it takes, no sight of the device's state and no network but the adapter (systemd/lintel-trace@.service). It answers
one request, and only ever reads: whoever has taken the network role over can hear through it, which is what a trace
is for, and send nothing. An empty line when it is there, one JSON line each way, then the file.
"""

from __future__ import annotations

import asyncio
import json
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import Field

from firmware.core.errors import Invalid, StationError, Unavailable, Unsupported
from firmware.core.values import decode, encode_json
from firmware.interfaces.http.ending import first_of
from firmware.interfaces.net.capture import LARGEST, LONGEST_S, recorded
from hal.clock import Clock

LONGEST_LINE = 1024
HERE = b"\n"
# What the file may take beyond the time of the trace.
GRACE_S = 10.0
# A process that starts says so by an empty line; on a small board that is busy it takes its time.
STARTING_S = 60.0
# How long whoever connects may take to say what it wants.
ASKING_S = 5.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listen:
    """What is asked of the listener: an adapter, for so many seconds, at most so many bytes."""

    adapter: Annotated[str, Field(min_length=1, max_length=15)]
    for_s: Annotated[float, Field(gt=0, le=LONGEST_S)]
    most: Annotated[int, Field(gt=0, le=LARGEST)] = LARGEST


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What follows: a file of `size` bytes, or why there is none."""

    size: Annotated[int, Field(ge=0, le=2 * LARGEST)] = 0
    problem: Annotated[str, Field(max_length=300)] = ""


async def asked_of(listener: Path, adapter: str, for_s: float, clock: Clock, most: int = LARGEST) -> bytes:
    """The listener's trace. Raises Unsupported without a listener, Unavailable when it has none to give."""
    try:
        reader, writer = await asyncio.open_unix_connection(str(listener), limit=LONGEST_LINE)
    except OSError as error:
        why = f"this process may not listen to an adapter (CAP_NET_RAW), and {listener} does not answer"
        raise Unsupported("trace", f"{why} ({error.strerror})") from None
    here: list[bytes] = []
    found: list[bytes] = []

    async def begun() -> None:
        writer.write(encode_json(Listen(adapter=adapter, for_s=for_s, most=most)) + b"\n")
        here.append(await reader.readline())
        if here != [HERE]:
            raise EOFError

    async def file() -> None:
        heard = _read(Heard, await reader.readline())
        if heard.problem:
            raise Unavailable("trace", heard.problem)
        found.append(await reader.readexactly(heard.size))

    try:
        with clock.outside():
            await first_of(begun(), clock.sleep(STARTING_S))
            if here:
                await first_of(file(), clock.sleep(for_s + GRACE_S))
    except (OSError, EOFError, ValueError, Invalid):
        raise Unavailable("trace", "the listener ended before it had answered") from None
    finally:
        writer.close()
    if not found:
        raise Unavailable("trace", "the listener does not answer")
    return found[0]


async def serve(connection: socket.socket, clock: Clock) -> None:
    """Answer the one request of a connection; nothing when its other end goes away."""
    reader, writer = await asyncio.open_unix_connection(sock=connection, limit=LONGEST_LINE)
    asked: list[bytes] = []

    async def ask() -> None:
        writer.write(HERE)
        asked.append(await reader.readline())

    try:
        await first_of(ask(), clock.sleep(ASKING_S))
        answers: list[tuple[Heard, bytes]] = []

        async def answer() -> None:
            answers.append(await _answer(asked[0] if asked else b"", clock))

        async def until_gone() -> None:
            await reader.read(1)

        await first_of(answer(), until_gone())
        for heard, file in answers:
            writer.write(encode_json(heard) + b"\n" + file)
            writer.close()
            await first_of(writer.wait_closed(), clock.sleep(GRACE_S))
    except (ConnectionError, ValueError):
        return  # the other end went away, or sent no line: there is nobody to tell
    finally:
        writer.close()


async def _answer(line: bytes, clock: Clock) -> tuple[Heard, bytes]:
    try:
        asked = _read(Listen, line)
        file = await recorded(asked.adapter, asked.for_s, clock, asked.most)
    except StationError as error:
        return Heard(problem=error.message[:300]), b""
    except ValueError:
        return Heard(problem="asked for with something that is not JSON"), b""
    return Heard(size=len(file)), file


def _read(cls: type[T], line: bytes) -> T:
    """A line of the other end. Raises ValueError, Invalid."""
    return decode(cls, json.loads(line), where="trace")
