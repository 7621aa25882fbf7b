"""OSDP without I/O: bytes and time in, bytes and facts out; both the panel's and the peripheral's side.

Source: SIA OSDP 2.2 (IEC 60839-11-5). Knows no serial port, no clock and no door.
"""
