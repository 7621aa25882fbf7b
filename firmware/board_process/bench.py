"""The bench socket: verbs in, JSON out. One line asks, one line answers; `watch` goes on answering.

The socket lies in a directory only this user can enter.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

from firmware.board_process.supervisor import Supervisor
from firmware.board_process.verbs import Verbs
from firmware.core.errors import Invalid, StationError
from firmware.options import RunOptions
from firmware.paths import LONGEST_LINE
from hal.clock import Clock
from hal.errors import HalError
from hal.sim.world import NoSuchPeer, World

if TYPE_CHECKING:
    from hal.sim.sound import SoundRig


class BenchServer:
    """Answers `lintel bench` for one board process."""

    def __init__(
        self,
        world: World,
        supervisor: Supervisor,
        path: Path,
        options: RunOptions,
        clock: Clock,
        rig: SoundRig | None = None,
    ) -> None:
        self._verbs = Verbs(world, supervisor, options, clock, rig)
        self._path = path
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_unix_server(self._serve, self._path, limit=LONGEST_LINE)

    async def close(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async for answer in self._answers(await reader.readline()):
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
        except (ConnectionError, asyncio.LimitOverrunError, ValueError):
            return  # the asker is gone, or sent no line: nothing to answer
        finally:
            writer.close()

    async def _answers(self, line: bytes) -> AsyncIterator[dict[str, object]]:
        try:
            words = json.loads(line)
            if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
                raise Invalid("bench", "expects a list of words")
            async for answer in self._verbs.run(words):
                yield {"answer": answer}
        except StationError as error:
            yield {"error": {"code": error.code, "where": error.where, "message": error.message}}
        except HalError as error:
            yield {"error": {"code": "invalid", "where": error.where, "message": error.message}}
        except NoSuchPeer as error:
            where, _, message = str(error.args[0]).partition(": ")
            yield {"error": {"code": "not_found", "where": where, "message": message}}
