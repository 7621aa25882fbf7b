"""The probe lines of a second Pi: runs there, takes orders on standard input, tells changes on standard output.

    python -m tests.bench.rig.agent --chip /dev/lintel/gpio

One JSON object a line. Orders: {"open": [4, 5]}, {"hold": [4, true]}, {"release": [4, "up"]},
{"watch": [4], "on": true}, {"levels": [4], "id": 7}. Told: {"id": 7, "levels": [true], "now_ns": 1},
{"line": 4, "t_ns": 1, "level": true}, {"error": "..."}. When standard input ends (the session died, the network
went), all lines are let go.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from typing import Any

from hal.buses.readiness import LoopReadiness
from hal.clock import SystemClock
from hal.errors import HalError
from hal.types import Pull
from tests.bench.rig.probes import LineProbe


def tell(**fields: object) -> None:
    """One line to the session."""
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()


class Agent:
    """The lines of one chip under orders."""

    def __init__(self, chip: str) -> None:
        self._chip = chip
        self._clock = SystemClock()
        self._probe: LineProbe | None = None

    async def obey(self, order: dict[str, Any]) -> None:
        """Carry out one order. Raises HalError, KeyError, ValueError, TypeError for what it cannot be."""
        if "open" in order:
            await self.close()
            self._probe = LineProbe(self._chip, order["open"], LoopReadiness(asyncio.get_running_loop()))
            await self._probe.open()
            return
        probe = self._probe
        if probe is None:
            raise ValueError("no lines were opened yet")
        if "hold" in order:
            probe.hold(*order["hold"])
        elif "release" in order:
            line, pull = order["release"]
            probe.release(line, Pull(pull))
        elif "watch" in order:
            probe.watch(order["watch"], self._changed if order["on"] else None)
        else:
            levels = await probe.levels(order["levels"])
            tell(id=order["id"], levels=list(levels), now_ns=self._clock.now_ns())

    def _changed(self, line: int, t_ns: int, level: bool) -> None:
        tell(line=line, t_ns=t_ns, level=level)

    async def close(self) -> None:
        """Let all lines go."""
        if self._probe is not None:
            await self._probe.close()
            self._probe = None


async def serve(chip: str) -> None:
    """Obey until standard input ends."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    agent = Agent(chip)
    try:
        while line := await reader.readline():
            try:
                await agent.obey(json.loads(line))
            except (HalError, ValueError, KeyError, TypeError) as error:
                tell(error=f"{type(error).__name__}: {error}")
    finally:
        await agent.close()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--chip", default="/dev/lintel/gpio", help="the GPIO chip (default: %(default)s)")
    asyncio.run(serve(parser.parse_args().chip))


if __name__ == "__main__":
    main()
