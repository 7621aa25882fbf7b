"""The board process: what `lintel run` is. In simulation it is the board itself.

It holds the simulated world, the power switch, the roles as its children, and answers `lintel bench`.
It outlives the firmware: lines, contacts and fingers stay where they are when a role dies.
"""
