"""What all connections of the RTSP server share: the topics, the limits, and how many streams there are."""

from __future__ import annotations

import uuid
from collections import Counter

from firmware.core.actions import Caller
from firmware.core.context import Core
from firmware.core.errors import Exhausted
from firmware.core.vocabulary.device import DeviceInfo
from firmware.interfaces.http.limits import Gauge, Limits, place_of
from firmware.interfaces.rtsp.carriers import Carrier, OpenUdp, udp_opener
from firmware.interfaces.rtsp.limits import CONNECTIONS, MOST_STREAMS, STREAMS_OF_A_PLACE, Patience
from firmware.interfaces.rtsp.stream import Stream
from firmware.interfaces.rtsp.target import Wanted
from firmware.interfaces.topics.feed import Projection

PRODUCERS = uuid.UUID("a6b9e0b6-3a0e-4f0c-9a3a-0f1f6c2f7d51")


class House:
    """Shared by the connections of one server."""

    def __init__(
        self,
        core: Core,
        *,
        patience: Patience | None = None,
        limits: Limits = CONNECTIONS,
        open_udp: OpenUdp | None = None,
    ) -> None:
        self.core = core
        self.patience = patience or Patience()
        self.gauge = Gauge(limits)
        self.open_udp = open_udp or udp_opener(core.clock)
        self._projection = Projection(core)
        self._by_place: Counter[str] = Counter()
        self._described = 0

    @property
    def streams(self) -> int:
        """How many streams there are."""
        return self._by_place.total()

    def number(self) -> int:
        """A number for one description."""
        self._described += 1
        return self._described

    def enter(self, address: str) -> None:
        """Count a stream in. Raises Exhausted when there are too many."""
        place = place_of(address)
        if self.streams >= MOST_STREAMS or self._by_place[place] >= STREAMS_OF_A_PLACE:
            most = f"{MOST_STREAMS} in all, {STREAMS_OF_A_PLACE} of one address"
            raise Exhausted("session", f"there are as many streams as there can be ({most})")
        self._by_place[place] += 1

    def leave(self, address: str) -> None:
        """Count a stream out."""
        place = place_of(address)
        self._by_place[place] -= 1
        if self._by_place[place] <= 0:
            del self._by_place[place]

    def stream(self, caller: Caller, wanted: Wanted, carrier: Carrier) -> Stream:
        """A stream for somebody."""
        info = self.core.bus.state(DeviceInfo)
        producer = str(uuid.uuid5(PRODUCERS, info.serial if info is not None else ""))
        return Stream(self.core, self._projection, caller, wanted, carrier, producer)
