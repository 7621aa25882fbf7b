"""When a frame was taken, from the stamp its library gives."""

from __future__ import annotations

OLDEST_NS = 2_000_000_000


def taken_ns(stamp_ns: int, now_ns: int) -> int:
    """The stamp where it can be one of the monotonic clock, not older than 2 s; else now.

    libcamera and some drivers stamp with a clock that also counts time asleep; after a suspend it would be ahead.
    """
    return stamp_ns if now_ns - OLDEST_NS <= stamp_ns <= now_ns else now_ns
