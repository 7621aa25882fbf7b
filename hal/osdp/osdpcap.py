"""The osdpcap trace format: one JSON object a line, as OSDP test tools read and write it.

```
{"timeSec":"1764081600","timeNano":"000000123","io":"input","data":"53-80-08-00-04-40-..","osdpTraceVersion":"1", ..}
```
Whoever writes masks first (`hal.osdp.describe.mask`). Times are UTC.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from hal.errors import HalError

VERSION = "1"
SOURCE = "lintel"
NS = 1_000_000_000
LONGEST_LINE = 8192
DIRECTIONS = ("input", "output", "trace")


class BadTrace(HalError):
    """A line of a trace cannot be read."""


@dataclass(frozen=True, slots=True)
class Captured:
    """One frame: `utc_ns` since 1970; `io` is `input` (to the writer), `output`, or `trace` (listened to)."""

    utc_ns: int
    io: str
    data: bytes
    source: str = SOURCE


def line_of(captured: Captured) -> str:
    """A frame as one line, without the line's end."""
    seconds, nanos = divmod(captured.utc_ns, NS)
    return json.dumps(
        {
            "timeSec": str(seconds),
            "timeNano": f"{nanos:09d}",
            "io": captured.io,
            "data": captured.data.hex("-").upper(),
            "osdpTraceVersion": VERSION,
            "osdpSource": captured.source,
        },
        separators=(",", ":"),
    )


def write(frames: Iterable[Captured]) -> Iterator[str]:
    """Lines of a trace, each with its end."""
    for captured in frames:
        yield line_of(captured) + "\n"


def parse_line(line: str, number: int) -> Captured:
    """One line back into a frame. Raises BadTrace naming line and field."""
    where = f"line {number}"
    if len(line) > LONGEST_LINE:
        raise BadTrace(where, f"{len(line)} characters are more than {LONGEST_LINE}")
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadTrace(where, "this is no JSON object") from error
    if not isinstance(found, dict):
        raise BadTrace(where, "this is no JSON object")
    text = {name: str(found.get(name, "")) for name in ("timeSec", "timeNano", "io", "data", "osdpSource")}
    for name in ("timeSec", "timeNano"):
        if not re.fullmatch(r"[0-9]{1,18}", text[name]):
            raise BadTrace(where, f"{name} {text[name][:40]!r} is no number")
    if text["io"] not in DIRECTIONS:
        raise BadTrace(where, f"io {text['io'][:40]!r} is none of {', '.join(DIRECTIONS)}")
    digits = re.sub(r"[\s-]", "", text["data"])
    if not re.fullmatch(r"([0-9A-Fa-f]{2})+", digits):
        raise BadTrace(where, f"data {text['data'][:40]!r} is no row of hex bytes")
    utc_ns = int(text["timeSec"]) * NS + int(text["timeNano"])
    return Captured(utc_ns, text["io"], bytes.fromhex(digits), text["osdpSource"])


def read(lines: Iterable[str]) -> Iterator[Captured]:
    """Frames of a trace; blank lines are passed over. Raises BadTrace naming line and field."""
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield parse_line(line, number)
