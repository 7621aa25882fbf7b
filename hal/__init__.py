"""Hardware abstraction: electricity and time, never doors.

Facts travel up (edges, bytes, card bits), commands travel down (levels, patterns).
See docs/architecture.md for the rooms and who may look at whom.
"""
