"""How hard property tests try: once in CI, `LINTEL_FUZZ` times as hard by `make fuzz`."""

from __future__ import annotations

import os

EFFORT = int(os.environ.get("LINTEL_FUZZ", "1"))


def examples(count: int) -> int:
    """How many examples to run where CI runs `count`."""
    return count * EFFORT
