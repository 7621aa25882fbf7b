"""Somebody at the far end of a cable who sends in the name of others, and counts what the device sends to whom."""

from __future__ import annotations

import collections
import json
import socket
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

from tests.live.device import Device, until
from tests.live.two_ends import FAR, NEAR, cable_to, device_at

PORT, FLOOD_S = 40000, 3.0
Asked = Sequence[tuple[tuple[str, int], bytes]]


class Spoofer(ABC):
    """The far end: sends, and counts bytes; those of a version of IP know its packets."""

    protocol: ClassVar[int]

    def __init__(self) -> None:
        self.tap = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(self.protocol))
        self.tap.bind((FAR, 0))
        self.tap.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self.came: collections.Counter[str] = collections.Counter()
        self.went: collections.Counter[str] = collections.Counter()
        threading.Thread(target=self._count, daemon=True).start()

    def _count(self) -> None:
        while True:
            data, address = self.tap.recvfrom(65535)
            if address[2] != socket.PACKET_OUTGOING and (told := self.answer(data)) is not None:
                self.came[told[0]] += told[1]

    @abstractmethod
    def answer(self, data: bytes) -> tuple[str, int] | None:
        """Receiver and bytes of a packet, if it is one of the device's."""

    @abstractmethod
    def sent(self, source: str, to: tuple[str, int], data: bytes) -> int:
        """Send in the name of `source`; the bytes of the packet."""

    def send(self, source: str, to: tuple[str, int], data: bytes) -> None:
        """Send in the name of `source`, and count it."""
        self.went[source] += self.sent(source, to, data)

    def answered(self, source: str, to: tuple[str, int], data: bytes) -> bool:
        """Whether an honest question is answered to its sender."""
        self.send(source, to, data)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and not self.came[source]:
            time.sleep(0.05)
        return bool(self.came[source])

    def flood(self, sources: Sequence[str], asked: Asked) -> int:
        """All protocols, in the name of everybody; how many bytes that was."""
        before, number, until_s = self.went.total(), 0, time.monotonic() + FLOOD_S
        while time.monotonic() < until_s:
            for to, data in asked:
                self.send(sources[number % len(sources)], to, data)
            number += 1
        return self.went.total() - before


def nothing() -> dict[str, Any]:
    """Nothing more to tell."""
    return {}


def measured(
    far: Callable[[], Spoofer], asked: Asked, *, honest: Sequence[str], strangers: Sequence[str],
    neighbours: Sequence[str], first: Callable[[], dict[str, Any]] = nothing,
    last: Callable[[], dict[str, Any]] = nothing,
) -> None:  # fmt: skip
    """What the far end does once it is told to, printed in one line.

    Each of `honest` asks one of the questions in turn; every one of `strangers`, who are elsewhere, is said to ask them
    all; then all `neighbours` are, as fast as it goes.
    """
    print("up", flush=True)
    assert sys.stdin.readline() == "go\n"
    told = first()
    end = far()
    told["answered"] = sum(end.answered(source, *asked[number % len(asked)]) for number, source in enumerate(honest))
    for source in strangers:
        for to, data in asked:
            end.send(source, to, data)
    before = end.came.total()
    told["flood_bytes_in"] = end.flood(neighbours, asked)
    time.sleep(2)
    told["flood_bytes_out"] = end.came.total() - before
    told["worst_ratio"] = max(end.came[source] / end.went[source] for source in end.went.keys() - set(strangers))
    told["foreign_packets"] = sum(end.came[source] > 0 for source in strangers)
    print(json.dumps(told | last()), flush=True)


def judged(module: str, state: Path, addresses: Callable[[], None], anywhere: str, *, ipv6: bool = False) -> None:
    """The near end: a device with all protocols at work, and what the far end, which is `module`, says of it."""
    with (
        cable_to(module, addresses=addresses) as end,
        device_at(anywhere, state, "--discovery", NEAR) as device,
    ):
        assert end.hear() == "up"
        until("all protocols at work", lambda: _at_work(device, ipv6=ipv6))
        end.tell("go")
        print(end.hear(), flush=True)


def _at_work(device: Device, *, ipv6: bool) -> bool:
    states = device.api.get("/state").json()["states"]
    found = {each["protocol"]: each for each in states if each["topic"] == "network/discovery"}
    there = all(each["ipv6"] == [NEAR] if ipv6 else each["adapters"] for each in found.values())
    return len(found) == 3 and there and bool(found["mdns"]["host"])
