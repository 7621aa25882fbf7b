"""A Unix socket of the data plane: who may connect, and a task for each who does."""

from __future__ import annotations

import asyncio
import logging
import os
from abc import ABC, abstractmethod
from pathlib import Path

from firmware.core.errors import Unavailable
from firmware.core.link.channel import Channel, StreamChannel, memory_pair

log = logging.getLogger(__name__)


class ChannelServer(ABC):
    """Serves at `path` (None: only `join`) processes of this user and of `uids`."""

    def __init__(self, path: Path | None, *, uids: frozenset[int] = frozenset()) -> None:
        self._path = path
        self._uids = uids | {os.getuid()}
        self._server: asyncio.Server | None = None
        self._arriving: asyncio.Queue[Channel] = asyncio.Queue()

    async def start(self) -> None:
        """Listen; what an earlier process left at the path is taken away. Raises Unavailable."""
        if self._path is None:
            return
        try:
            self._path.unlink(missing_ok=True)
            self._server = await asyncio.start_unix_server(self._connected, str(self._path))
            self._path.chmod(0o600 if len(self._uids) == 1 else 0o666)
        except OSError as error:
            raise Unavailable("stream", f"{self._path} cannot be opened ({error.strerror or error})") from error

    async def join(self) -> Channel:
        """Connect inside this process."""
        ours, theirs = memory_pair()
        self._arriving.put_nowait(ours)
        return theirs

    async def run(self) -> None:
        """Serve until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                channel = await self._arriving.get()
                group.create_task(self._serve(channel), name=f"{type(self).__name__} connection")

    async def stop(self) -> None:
        """Close the socket."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        channel = StreamChannel(reader, writer)
        uid = channel.peer_uid()
        if uid not in self._uids:
            log.error("a process of user %d may not connect to %s", uid, self._path)
            channel.close()
            return
        self._arriving.put_nowait(channel)

    @abstractmethod
    async def _serve(self, channel: Channel) -> None:
        """One connection from its first byte to its end; trouble with it is never trouble of the others."""
