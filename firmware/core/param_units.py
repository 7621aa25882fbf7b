"""The unit of a parameter, from the end of its name: units stand in names."""

from __future__ import annotations

# The longest first.
UNITS = (
    ("_per_s", "1/s"),
    ("_percent", "%"),
    ("_baud", "Bd"),
    ("_lux", "lx"),
    ("_ms", "ms"),
    ("_us", "us"),
    ("_db", "dB"),
    ("_hz", "Hz"),
    ("_s", "s"),
)


def unit_of(name: str) -> str:
    """The unit of a parameter; empty for what has none."""
    return next((unit for end, unit in UNITS if name.endswith(end)), "")
