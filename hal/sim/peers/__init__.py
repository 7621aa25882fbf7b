"""The far ends of the wires: what a person, a door, a card or a strike does to a board.

Every peer has a bus face (nets, voltages) that drivers meet and a bench face that tests and people use.
"""
