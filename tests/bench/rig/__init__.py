"""The bench with wires: a Raspberry Pi under test, joined to probe lines of its own or of somebody else's."""
