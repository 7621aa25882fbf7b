"""Wires in, ports out: one driver a thing, none knows what its port is used for.

A driver sees the Protocols of `hal.wires` and offers those of `hal.ports`; it is the only place
where polarity, debounce, limits and safe states are applied. Import a driver from its own file.
"""
