"""`lintel trace-adapter`: listens to an adapter for the network role, once, over the socket that is its standard input.

systemd starts it for each connection (systemd/lintel-trace@.service), with the capability that the network role lacks.
"""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import sys

from firmware.cli.parser import Parser
from firmware.core.errors import Invalid
from hal.clock import SystemClock

NAME = "lintel trace-adapter"


def command(words: list[str]) -> int:
    """Answer one request. Raises Invalid when nobody is connected."""
    from firmware.interfaces.net.listener import serve

    Parser(prog=NAME).parse_all(words)
    connection = os.dup(sys.stdin.fileno())
    if not stat.S_ISSOCK(os.fstat(connection).st_mode):
        os.close(connection)
        raise Invalid(NAME, "standard input is no connection; systemd runs this for lintel-trace.socket")
    asyncio.run(serve(socket.socket(fileno=connection), SystemClock()))
    return 0
