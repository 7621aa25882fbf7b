"""How the two sides talk: one JSON object a line, in both directions, over a Unix stream.

client -> world   {"id": 7, "op": "inputs", "bus": "gpio0", ...}     a question, answered once
                  {"op": "set", "group": 3, "levels": [true]}        a command, never answered
world -> client   {"id": 7, "answer": {...}} or {"id": 7, "error": {"kind", "where", "message"}}
                  {"edges": [[group, t_ns, line, level, seq], ...]}  of one moment; seq 0: no edge, a level
                  {"error": {...}}                                   a command failed
"""

from __future__ import annotations

import json
from typing import Any

from hal.errors import BusError

LONGEST_LINE = 64 * 1024
# More than any burst makes; a side that does not read is cut off rather than fed for ever.
MOST_UNSENT = 1 << 20

Message = dict[str, Any]


def packed(message: Message) -> bytes:
    """A message as a line."""
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


class LineReader:
    """Splits a stream into messages."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[Message]:
        """The messages that are complete now. Raises BusError for a line that is no message."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > LONGEST_LINE:
            raise BusError("world", f"a line of more than {LONGEST_LINE} bytes")
        return [self._message(line) for line in lines]

    @staticmethod
    def _message(line: bytes) -> Message:
        try:
            message = json.loads(line)
        except ValueError:
            message = None
        if not isinstance(message, dict):
            raise BusError("world", f"not a message: {line[:80]!r}")
        return message
