"""The osdp room: external readers on RS-485, their keys, their state, and the trace of their bus."""
